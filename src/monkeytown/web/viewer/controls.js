/**
 * Controls for any game, made from its input's schema; for games without one, a box for an action in JSON.
 *
 * Knows how schemas describe inputs, the keyboard and the DOM. A game that ticks is sent what the controls say while
 * they say something; a game that moves by events is sent it when the button is pressed.
 */
import { element, write } from "../shared/dom.js";
import { toast } from "../shared/toast.js";

const EVERY = 50; // milliseconds between two inputs while something is held

export function controlsFor(room, container) {
    const { input } = room.schema;
    return input ? new Controls(room, input.fields, container) : new ActionBox(room, container);
}

/** What a field says when nobody touches it. */
function neutral(field) {
    switch (field.type) {
        case "bool":
            return false;
        case "enum":
            return field.values[0];
        case "fixed":
            return Math.min(field.hi, Math.max(field.lo, 0));
        default:
            return 0;
    }
}

/** A range around zero is a stick: it springs back when let go. */
const isStick = (field) => field.type === "fixed" && field.lo < 0 && field.hi > 0;

class Controls {
    #last = 0;
    #sentNeutral = true;
    #controls;
    #keys = new Map();

    constructor(room, fields, container) {
        this.room = room;
        this.#controls = fields.map((field) => controlFor(field));
        const hint = this.#bindKeys(fields);
        const box = element("div", { class: "controls" }, ...this.#controls.map(({ line }) => line));
        if (hint) box.append(element("p", { class: "quiet", text: hint }));
        if (room.tickRate === 0)
            box.append(element("button", { class: "main", type: "button", text: "Send", onclick: () => this.#send() }));
        container.append(box);
    }

    /** The first two sticks take the arrow keys, the first yes-or-no takes Space and Shift. */
    #bindKeys(fields) {
        const [across, down] = fields.filter(isStick);
        const flag = fields.find((field) => field.type === "bool");
        const bind = (codes, field, value) =>
            codes.forEach((code) => this.#keys.set(code, { control: this.#of(field), value, held: false }));
        if (across) {
            bind(["ArrowLeft", "KeyA"], across, across.lo);
            bind(["ArrowRight", "KeyD"], across, across.hi);
        }
        if (down) {
            bind(["ArrowUp", "KeyW"], down, down.lo);
            bind(["ArrowDown", "KeyS"], down, down.hi);
        }
        if (flag) bind(["Space", "ShiftLeft", "ShiftRight"], flag, true);
        addEventListener("keydown", (event) => this.#press(event, true));
        addEventListener("keyup", (event) => this.#press(event, false));
        addEventListener("blur", () => [...this.#keys.values()].filter((key) => key.held).forEach((key) => this.#release(key)));
        const hints = [across && `← → ${across.name}`, down && `↑ ↓ ${down.name}`, flag && `Space ${flag.name}`];
        return hints.filter(Boolean).join(" · ");
    }

    #of(field) {
        return this.#controls.find((control) => control.field === field);
    }

    #press(event, down) {
        const key = this.#keys.get(event.code);
        if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
        if (isFor(event.target, event.code)) return;
        event.preventDefault();
        if (!down) this.#release(key);
        else if (!key.held) {
            key.held = true;
            key.control.set(key.value);
        }
    }

    #release(key) {
        key.held = false;
        const other = [...this.#keys.values()].find((candidate) => candidate.held && candidate.control === key.control);
        key.control.set(other ? other.value : neutral(key.control.field));
    }

    #values() {
        return Object.fromEntries(this.#controls.map(({ field, get }) => [field.name, get()]));
    }

    #send() {
        this.room.input(this.#values());
    }

    /** Called once a frame. */
    update(now) {
        if (this.room.tickRate === 0 || now - this.#last < EVERY) return;
        const idle = this.#controls.every(({ field, get }) => get() === neutral(field));
        if (idle && this.#sentNeutral) return;
        this.#last = now;
        this.#sentNeutral = idle;
        this.#send();
    }
}

/** Whether a key belongs to what has the focus: everything to a text, Space to what it would press. */
function isFor(target, code) {
    if (!(target instanceof HTMLElement)) return false;
    return (
        target.matches("input:not([type=range], [type=checkbox]), textarea, select") ||
        (code === "Space" && target.matches("button, summary, input"))
    );
}

function controlFor(field) {
    switch (field.type) {
        case "bool":
            return checkbox(field);
        case "enum":
            return choice(field);
        case "fixed":
        case "angle":
            return slider(field);
        default:
            return number(field);
    }
}

function labelled(field, ...parts) {
    return element("label", {}, element("span", { text: field.name }), ...parts);
}

function checkbox(field) {
    const box = element("input", { type: "checkbox" });
    return { field, line: labelled(field, box), get: () => box.checked, set: (value) => (box.checked = value) };
}

function choice(field) {
    const list = element("select", {}, ...field.values.map((value) => element("option", { value, text: value })));
    return { field, line: labelled(field, list), get: () => list.value, set: (value) => (list.value = value) };
}

function slider(field) {
    const [lo, hi] = field.type === "angle" ? [0, Math.PI * 2] : [field.lo, field.hi];
    const step = field.type === "angle" ? (Math.PI * 2) / 360 : field.step;
    const range = element("input", { type: "range", min: String(lo), max: String(hi), step: "any" });
    const out = element("output");
    const get = () => neutralIfNear(Number(range.value), step);
    const told = () => write(out, field.type === "angle" ? `${Math.round((get() * 180) / Math.PI)}°` : get().toFixed(2));
    const set = (value) => {
        range.value = String(value);
        told();
    };
    range.addEventListener("input", told);
    if (isStick(field)) range.addEventListener("change", () => set(neutral(field)));
    set(neutral(field));
    return { field, line: labelled(field, range, out), get, set };
}

const neutralIfNear = (value, step) => (Math.abs(value) < step / 2 ? 0 : value);

function number(field) {
    const signed = field.type === "sint";
    const least = signed ? -(2 ** (field.bits - 1)) : 0;
    const most = 2 ** (signed ? field.bits - 1 : field.bits) - 1;
    const box = element("input", { type: "number", min: String(least), max: String(most), step: "1", value: "0" });
    return {
        field,
        line: labelled(field, box),
        get: () => Math.round(Number(box.value) || 0),
        set: (value) => (box.value = String(value)),
    };
}

/** For games that take any action: what is typed is what is sent. */
class ActionBox {
    constructor(room, container) {
        const text = element("textarea", { "aria-label": "Action, as JSON", spellcheck: "false", rows: "3" });
        text.value = "{}";
        const form = element(
            "form",
            { class: "controls" },
            text,
            element("button", { class: "main", type: "submit", text: "Send action" }),
        );
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            try {
                room.input(JSON.parse(text.value));
            } catch (error) {
                toast(`That is not JSON: ${error.message}`, { kind: "error" });
            }
        });
        text.addEventListener("keydown", (event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
        });
        container.append(form);
    }

    update() {}
}
