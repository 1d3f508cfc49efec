/**
 * Any table as rows and columns, live.
 *
 * Knows how schemas describe fields. Only what is unfolded is written, a few times a second, and only so many rows.
 */
import { element, write } from "../shared/dom.js";

const ROWS_AT_MOST = 60;
const EVERY = 220; // milliseconds between two writings
const ARRAY_AT_MOST = 32;

export class Rows {
    #last = 0;
    #lines = [];

    constructor(room, table, container, open) {
        this.room = room;
        this.table = table;
        this.count = element("span", { class: "quiet number" });
        const head = element(
            "tr",
            {},
            ...["id", ...table.fields.map((field) => field.name)].map((name) => element("th", { scope: "col", text: name })),
        );
        this.body = element("tbody");
        this.more = element("p", { class: "quiet more", hidden: true });
        const grid = element("div", { class: "rows", tabindex: "0", role: "region", "aria-label": table.name });
        grid.append(element("table", {}, element("thead", {}, head), this.body));
        this.box = element(
            "details",
            { class: "card", open },
            element("summary", {}, element("b", { text: table.name }), this.count),
            grid,
            this.more,
        );
        container.append(this.box);
    }

    update(now) {
        if (now - this.#last < EVERY) return;
        this.#last = now;
        const { table } = this;
        write(this.count, table.single ? "one row" : String(table.size));
        if (!this.box.open) return;
        const slots = table.slots.subarray(0, ROWS_AT_MOST);
        while (this.#lines.length < slots.length) this.#addLine();
        const own = this.room.entity?.table === table ? this.room.entity.slot : -1;
        this.#lines.forEach((line, place) => {
            line.row.hidden = place >= slots.length;
            if (line.row.hidden) return;
            const slot = slots[place];
            line.row.classList.toggle("own", slot === own);
            write(line.cells[0], String(table.ids[slot]));
            table.fields.forEach((field, at) => write(line.cells[at + 1], show(field, table.columns[field.name].get(slot))));
        });
        this.more.hidden = table.size <= ROWS_AT_MOST;
        write(this.more, `and ${table.size - ROWS_AT_MOST} more`);
    }

    #addLine() {
        const cells = ["id", ...this.table.fields].map(() => element("td"));
        const row = element("tr", {}, ...cells);
        this.body.append(row);
        this.#lines.push({ row, cells });
    }
}

/** A value as a person would write it. */
export function show(field, value) {
    if (field.count) {
        const shown = Array.from(value).slice(0, ARRAY_AT_MOST);
        return shown.map((item) => show({ ...field, count: 0 }, item)).join(" ") + (field.count > ARRAY_AT_MOST ? " …" : "");
    }
    switch (field.type) {
        case "fixed":
            return value.toFixed(decimals(field.step));
        case "angle":
            return `${Math.round((value * 180) / Math.PI)}°`;
        case "bool":
            return value ? "yes" : "no";
        case "ref":
            return value ? `${value.table.entity} ${value.id}` : "–";
        case "blob":
            return `${value.length} bytes`;
        default:
            return value === "" ? "·" : String(value);
    }
}

function decimals(step) {
    return Math.min(4, Math.max(0, Math.ceil(-Math.log10(step))));
}
