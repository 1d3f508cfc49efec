/**
 * What the player wants: turn and run, from keys, a thumb or a mouse.
 *
 * Knows input devices. Keys turn; a thumb or a held mouse button points somewhere, and the monkey turns towards it.
 * Knows nothing of the network: the page asks `read` and sends the answer.
 */

const KEYS = {
    ArrowLeft: "left",
    KeyA: "left",
    ArrowRight: "right",
    KeyD: "right",
    ArrowUp: "run",
    KeyW: "run",
    ShiftLeft: "run",
    ShiftRight: "run",
    Space: "run",
};
const STICK = 56; // CSS pixels the thumb may pull the stick
const RUN_PULL = 0.86; // pulled this far, the stick runs too
const DEAD_PULL = 0.16; // closer than this it points nowhere
const GAIN = 1.7; // turn per radian of error; more would swing to and fro over a slow connection

export class Steering {
    #held = new Set();
    #pointer = null;
    #pull = null; // { angle, strength } or null
    #runHeld = false;

    /** `origin()` tells where on the page the player's monkey is: a mouse points from there. */
    constructor({ canvas, stick, knob, runButton, origin }) {
        this.canvas = canvas;
        this.stick = stick;
        this.knob = knob;
        this.origin = origin;
        this.#listenToKeys();
        this.#listenToPointers();
        this.#listenToRunButton(runButton);
    }

    /** The input to send now, given which way the monkey faces. */
    read(heading) {
        const held = [...this.#held];
        let turn = Number(held.some((code) => KEYS[code] === "right")) - Number(held.some((code) => KEYS[code] === "left"));
        let run = this.#runHeld || held.some((code) => KEYS[code] === "run");
        if (turn === 0 && this.#pull && this.#pull.strength > DEAD_PULL) {
            const error = Math.atan2(Math.sin(this.#pull.angle - heading), Math.cos(this.#pull.angle - heading));
            turn = Math.max(-1, Math.min(1, error * GAIN));
            run ||= this.#pull.strength > RUN_PULL;
        }
        return { turn: Math.round(turn * 127) / 127, run };
    }

    #listenToKeys() {
        addEventListener("keydown", (event) => {
            if (!(event.code in KEYS) || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
            event.preventDefault();
            this.#held.add(event.code);
        });
        addEventListener("keyup", (event) => this.#held.delete(event.code));
        addEventListener("blur", () => this.#letGo());
        document.addEventListener("visibilitychange", () => this.#letGo());
    }

    #listenToPointers() {
        const { canvas } = this;
        canvas.addEventListener("pointerdown", (event) => {
            if (this.#pointer !== null || event.button !== 0) return;
            this.#pointer = event.pointerId;
            canvas.setPointerCapture(event.pointerId);
            canvas.focus({ preventScroll: true });
            this.from = event.pointerType === "mouse" ? null : { x: event.clientX, y: event.clientY };
            if (this.from) this.#showStick(this.from);
            this.#point(event);
        });
        canvas.addEventListener("pointermove", (event) => {
            if (event.pointerId === this.#pointer) this.#point(event);
        });
        for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
            canvas.addEventListener(end, (event) => {
                if (event.pointerId === this.#pointer) this.#letGoPointer();
            });
        }
        canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    }

    #point(event) {
        const from = this.from ?? this.origin();
        const full = this.from ? STICK : Math.min(innerWidth, innerHeight) * 0.42;
        const dx = event.clientX - from.x;
        const dy = event.clientY - from.y;
        const strength = Math.min(1, Math.hypot(dx, dy) / full);
        this.#pull = { angle: Math.atan2(dy, dx), strength };
        if (this.from) {
            const reach = strength * STICK;
            this.knob.style.translate = `${Math.cos(this.#pull.angle) * reach}px ${Math.sin(this.#pull.angle) * reach}px`;
        }
    }

    #showStick({ x, y }) {
        this.stick.style.left = `${x}px`;
        this.stick.style.top = `${y}px`;
        this.stick.classList.add("held");
    }

    #letGoPointer() {
        this.#pointer = null;
        this.#pull = null;
        this.knob.style.translate = "";
        this.stick.style.left = this.stick.style.top = "";
        this.stick.classList.remove("held");
    }

    #letGo() {
        this.#held.clear();
        this.#runHeld = false;
        this.#letGoPointer();
    }

    #listenToRunButton(button) {
        button.addEventListener("pointerdown", (event) => {
            event.preventDefault();
            this.#runHeld = true;
            button.setPointerCapture(event.pointerId);
        });
        for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
            button.addEventListener(end, () => {
                this.#runHeld = false;
            });
        }
    }
}

function isTyping(target) {
    return target instanceof HTMLElement && (target.matches("input, textarea, select, dialog *") || target.isContentEditable);
}
