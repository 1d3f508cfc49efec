/**
 * Columns: one field of all rows, as the integers of the wire and as the values that a game means by them.
 *
 * Knows the fields of a schema (docs/reference/wire.md, section 3). Does not know how values arrive.
 */

const NO_BYTES = new Uint8Array(0);

/** One column of the wire: a field, or one element of an array field. Indexed by slot. */
export class Column {
    /**
     * @param field as the schema describes it
     * @param table the table it belongs to: its `version` says when `values` are old
     */
    constructor(field, table) {
        this.field = field;
        this.table = table;
        this.isNumber = field.type !== "text" && field.type !== "blob";
        this.isAngle = field.type === "angle";
        this.isSigned = field.type === "sint";
        this.isLinear = this.isNumber && field.predict === "linear";
        /** What an angle's value is reduced by, and how far its steps are shifted to be signed numbers of its bits. */
        this.mask = this.isAngle ? (2 ** field.bits - 1) | 0 : -1;
        this.shift = this.isAngle ? 32 - field.bits : 0;
        /** Wire values run from `least` to `least + span`. */
        this.least = this.isSigned ? -(2 ** (field.bits - 1)) : 0;
        this.span = this.isNumber ? span(field) : 0;
        /** The integers of the wire, modulo 2³²: what the decoder works on. */
        this.raw = null;
        this.steps = null;
        /** Whether extrapolation has led a value beyond what the field can have. */
        this.strayed = false;
        /** The same integers for everyone else: signed for `sint`, unsigned for all others. */
        this.wire = null;
        /** Text and blobs. */
        this.items = null;
        this.reserve(0);
        this.decode = this.isNumber ? decoder(field, table) : null;
        this.#values = new Float64Array(0);
        this.#version = -1;
    }

    #values;
    #version;

    /** Makes room for `slots` slots, keeping what is there. */
    reserve(slots) {
        if (!this.isNumber) {
            const empty = this.empty;
            const items = this.items ?? [];
            while (items.length < slots) items.push(empty);
            this.items = items;
            return;
        }
        this.raw = grown(this.raw, slots);
        this.wire = this.isSigned ? this.raw : new Uint32Array(this.raw.buffer);
        if (this.isLinear) this.steps = grown(this.steps, slots);
    }

    get empty() {
        return this.field.type === "text" ? "" : NO_BYTES;
    }

    /** Sets one slot to zero or empty. */
    clear(slot) {
        if (!this.isNumber) {
            this.items[slot] = this.empty;
            return;
        }
        this.raw[slot] = 0;
        if (this.isLinear) this.steps[slot] = 0;
    }

    get(slot) {
        return this.isNumber ? this.decode(this.wire[slot]) : this.items[slot];
    }

    get values() {
        if (!this.isNumber) return this.items;
        if (this.#version !== this.table.version) {
            this.#version = this.table.version;
            if (this.#values.length !== this.wire.length) this.#values = new Float64Array(this.wire.length);
            const { offset, scale } = scaling(this.field);
            const convert = (slots) => {
                for (const slot of slots) this.#values[slot] = offset + this.wire[slot] * scale;
            };
            if (this.table.division === null)
                for (let slot = 0; slot < this.wire.length; slot++) this.#values[slot] = offset + this.wire[slot] * scale;
            else {
                // Of a large table only some rows are seen; those that have just left are still asked for.
                convert(this.table.slots);
                convert(this.table.goneSlots);
            }
        }
        return this.#values;
    }

    lane(index) {
        if (index !== 0) throw new RangeError(`${this.field.name} is not an array`);
        return this;
    }
}

/** An array field: a column for each element, side by side. */
export class ArrayColumn {
    constructor(field, table) {
        this.field = field;
        this.lanes = Array.from({ length: field.count }, () => new Column(field, table));
    }

    get(slot) {
        return this.lanes.map((lane) => lane.get(slot));
    }

    lane(index) {
        const lane = this.lanes[index];
        if (lane === undefined) throw new RangeError(`${this.field.name} has ${this.lanes.length} elements`);
        return lane;
    }

    get values() {
        return this.lanes[0].values;
    }

    get wire() {
        return this.lanes[0].wire;
    }

    get steps() {
        return this.lanes[0].steps;
    }
}

/** What a numeric field's wire values are multiplied by, and where they begin. */
export function scaling(field) {
    if (field.type === "fixed") return { offset: field.lo, scale: field.step };
    if (field.type === "angle") return { offset: 0, scale: (2 * Math.PI) / 2 ** field.bits };
    return { offset: 0, scale: 1 };
}

/** How far apart the smallest and the largest wire value of a numeric field are. */
function span(field) {
    if (field.type === "fixed") return Math.round((field.hi - field.lo) / field.step);
    if (field.type === "bool") return 1;
    if (field.type === "enum") return field.values.length - 1;
    return 2 ** field.bits - 1;
}

/** The function from a wire value to the game's value. */
function decoder(field, table) {
    const { offset, scale } = scaling(field);
    switch (field.type) {
        case "bool":
            return (wire) => wire !== 0;
        case "enum":
            return (wire) => field.values[wire];
        case "ref":
            return (wire) => table.siblings[field.table]?.get(wire) ?? null;
        case "uint":
        case "sint":
            return (wire) => wire;
        default:
            return (wire) => offset + wire * scale;
    }
}

function grown(array, slots) {
    const larger = new Int32Array(slots);
    if (array !== null) larger.set(array);
    return larger;
}
