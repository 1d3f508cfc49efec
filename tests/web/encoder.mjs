/**
 * A naive writer of `monkeytown.1`, from docs/reference/wire.md alone: the opposite number of the decoder under test, with none of its code.
 *
 * It remembers every state whole and finds a delta by comparing two of them; integers are BigInt until the last moment. Where the document
 * leaves a choice (the form of a row set, the width, whether there are quotients, which residuals are outliers) it asks the random numbers it is given.
 */

const MASK32 = 0xffffffffn;

/** A small generator of random numbers, so that a failure can be repeated. */
export function seeded(seed) {
    let state = seed >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
    return { next, below: (limit) => Math.floor(next() * limit), chance: (part) => next() < part };
}

// Numbers and packing: section 1.

export function varint(value) {
    const bytes = [];
    let rest = BigInt(value);
    do {
        const low = Number(rest & 0x7fn);
        rest >>= 7n;
        bytes.push(rest > 0n ? low | 0x80 : low);
    } while (rest > 0n);
    return bytes;
}

export function zigzag(value) {
    return value >= 0 ? BigInt(value) * 2n : BigInt(value) * -2n - 1n;
}

function bitLength(value) {
    return value === 0n ? 0 : value.toString(2).length;
}

export function packedBits(values, width) {
    let bits = 0n;
    values.forEach((value, i) => (bits |= value << BigInt(i * width)));
    const bytes = [];
    for (let i = 0; i < Math.ceil((values.length * width) / 8); i++) bytes.push(Number((bits >> BigInt(8 * i)) & 0xffn));
    return bytes;
}

export function packed(values, random) {
    const numbers = values.map(BigInt);
    let width = numbers.reduce((widest, value) => Math.max(widest, bitLength(value)), 0);
    if (random?.chance(0.2)) width += random.below(33 - width);
    return [width, ...packedBits(numbers, width)];
}

/** Values as their low `width` bits, and what is above those as so many zeros and a one each. */
function withQuotients(numbers, width) {
    const ones = numbers.map((value) => 2n ** (value >> BigInt(width)));
    let bits = 0n;
    let length = 0;
    for (const one of ones) {
        bits |= one << BigInt(length);
        length += bitLength(one);
    }
    const low = numbers.map((value) => value & (2n ** BigInt(width) - 1n));
    return [...packedBits(low, width), ...packedBits([bits], length)];
}

export function text(value) {
    const bytes = new TextEncoder().encode(value);
    return [...varint(bytes.length), ...bytes];
}

function blob(value) {
    return [...varint(value.length), ...value];
}

export function gaps(places) {
    return places.map((place, i) => (i === 0 ? place : place - places[i - 1] - 1));
}

function mask(total, selected) {
    const bytes = new Array(Math.ceil(total / 8)).fill(0);
    for (const place of selected) bytes[place >> 3] |= 1 << (place & 7);
    return bytes;
}

function rowSet(total, selected, random) {
    const forms = [1, 2];
    if (selected.length === total) forms.push(0);
    const form = forms[random.below(forms.length)];
    if (form === 0) return [0];
    if (form === 1) return [1, ...mask(total, selected)];
    return [2, ...varint(selected.length), ...packed(gaps(selected), random)];
}

// Columns.

export function isNumber(field) {
    return field.type !== "text" && field.type !== "blob";
}

function isLinear(field) {
    return isNumber(field) && field.predict === "linear";
}

/** A sum as a column's arithmetic has it: modulo 2^32, for angles modulo 2^bits. */
function summed(field, number) {
    if (field.type === "angle") return Number(BigInt(number) & (2n ** BigInt(field.bits) - 1n));
    return field.type === "sint" ? asSigned(number, 32) : Number(BigInt(number) & MASK32);
}

/** How many wire values a field has. */
export function valuesOf(field) {
    if (field.type === "fixed") return Math.round((field.hi - field.lo) / field.step) + 1;
    if (field.type === "enum") return field.values.length;
    return 2 ** field.bits;
}

/** A whole number folded into the wire values of a field. */
export function asValue(field, number) {
    const count = BigInt(valuesOf(field));
    const least = field.type === "sint" ? -count / 2n : 0n;
    return Number(((((BigInt(number) - least) % count) + count) % count) + least);
}

function asSigned(number, bits) {
    return Number(BigInt.asIntN(bits, BigInt(number)));
}

export function asStep(field, number) {
    return asSigned(number, field.type === "angle" ? field.bits : 32);
}

function spread(fields) {
    return fields.flatMap((field) => Array.from({ length: field.count || 1 }, () => field));
}

export function predicted(field, value, step, gap) {
    return isLinear(field) ? summed(field, BigInt(value) + BigInt(step) * BigInt(gap)) : value;
}

/**
 * A room's state as the server knows it: `tables[number]` is a Map from slot to `{ generation, values, steps }`, with a place in both lists
 * for every column (arrays spread out, owner-only ones included).
 */
export class Model {
    constructor(schema, random) {
        this.schema = schema;
        this.random = random;
        this.columns = schema.tables.map((table) => spread(table.fields));
        this.tables = schema.tables.map(() => new Map());
        this.generations = schema.tables.map(() => new Map());
        this.epoch = 3;
        this.tick = 0;
        this.past = new Map();
    }

    spawn(table, slot, values) {
        const before = this.generations[table].get(slot) ?? 0;
        const generation = (before % 4095) + 1;
        this.generations[table].set(slot, generation);
        this.tables[table].set(slot, { generation, values: [...values], steps: values.map(() => 0), born: this.tick + 1 });
    }

    /** Ends a tick: works out the steps, and remembers the state. */
    commit() {
        this.tick++;
        const before = this.past.get(this.tick - 1);
        this.tables.forEach((rows, table) => {
            for (const [slot, row] of rows) {
                const old = before?.[table].get(slot);
                this.columns[table].forEach((field, i) => {
                    if (!isLinear(field)) return;
                    row.steps[i] =
                        old?.generation === row.generation
                            ? asStep(field, BigInt(row.values[i]) - BigInt(old.values[i]))
                            : row.steps[i];
                });
            }
        });
        this.past.set(
            this.tick,
            this.tables.map((rows) => new Map([...rows].map(([slot, row]) => [slot, structuredClone(row)]))),
        );
    }

    #shared(table) {
        return this.columns[table].map((field, i) => ({ field, i })).filter(({ field }) => !field.ownerOnly);
    }

    /** The state at `tick`, whole. */
    snapshot() {
        const bytes = [0x43, 1, ...varint(this.epoch), ...varint(this.tick)];
        this.tables.forEach((rows, table) => {
            const slots = sorted(rows.keys());
            if (slots.length > 0) bytes.push(table, 2, ...this.#entered(table, slots));
        });
        return Uint8Array.from(bytes);
    }

    /** From `base` to the newest tick; by residuals if `base` is the tick before. */
    delta(base, { corrections = base !== this.tick - 1 } = {}) {
        const gap = this.tick - base;
        const bytes = [0x43, corrections ? 2 : 0, ...varint(this.epoch), ...varint(this.tick), ...varint(gap)];
        const old = this.past.get(base);
        this.tables.forEach((rows, table) => {
            const gone = sorted(old[table].keys()).filter(
                (slot) => !rows.has(slot) || (isOther(rows, old[table], slot) && this.random.chance(0.5)),
            );
            const entered = sorted(rows.keys()).filter((slot) => !old[table].has(slot) || isOther(rows, old[table], slot));
            const changed = corrections
                ? this.#corrections(table, old[table], entered, gap)
                : this.#residuals(table, old[table], entered, gap);
            const parts = (gone.length > 0 ? 1 : 0) | (entered.length > 0 ? 2 : 0) | (changed.length > 0 ? 4 : 0);
            if (parts === 0) return;
            bytes.push(table, parts);
            if (gone.length > 0) bytes.push(...varint(gone.length), ...packed(gaps(gone), this.random));
            if (entered.length > 0) bytes.push(...this.#entered(table, entered));
            bytes.push(...changed);
        });
        return Uint8Array.from(bytes);
    }

    #entered(table, slots) {
        const rows = slots.map((slot) => this.tables[table].get(slot));
        const bytes = [
            ...varint(slots.length),
            ...packed(gaps(slots), this.random),
            ...packed(
                rows.map((row) => row.generation - 1),
                this.random,
            ),
        ];
        for (const { field, i } of this.#shared(table)) bytes.push(...this.#absolute(field, i, rows));
        return bytes;
    }

    #absolute(field, i, rows) {
        if (!isNumber(field)) return rows.flatMap((row) => item(field, row.values[i]));
        const bytes = packed(
            rows.map((row) => (field.type === "sint" ? zigzag(row.values[i]) : row.values[i])),
            this.random,
        );
        if (isLinear(field))
            bytes.push(
                ...packed(
                    rows.map((row) => zigzag(row.steps[i])),
                    this.random,
                ),
            );
        return bytes;
    }

    #residuals(table, old, entered, gap) {
        const slots = sorted(this.tables[table].keys());
        const rows = slots.map((slot) => this.tables[table].get(slot));
        const fresh = new Set(entered);
        const shared = this.#shared(table);
        const residuals = shared.map(({ field, i }) =>
            rows.map((row, place) => {
                const before = old.get(slots[place]);
                if (fresh.has(slots[place])) return isNumber(field) ? 0 : undefined;
                if (!isNumber(field)) return same(before.values[i], row.values[i]) ? undefined : row.values[i];
                return residual(field, row.values[i], predicted(field, before.values[i], before.steps[i], gap));
            }),
        );
        const differs = (value) => value !== 0 && value !== undefined;
        let picked = slots.map((_, place) => place).filter((place) => residuals.some((column) => differs(column[place])));
        if (picked.length === 0) return [];
        if (this.random.chance(0.3)) picked = slots.map((_, place) => place);
        const used = shared
            .map((_, c) => c)
            .filter((c) => picked.some((place) => differs(residuals[c][place])) || this.random.chance(0.1));
        const bytes = [...rowSet(slots.length, picked, this.random), ...mask(shared.length, used)];
        for (const c of used)
            bytes.push(
                ...this.#residualColumn(
                    shared[c].field,
                    picked.map((place) => residuals[c][place]),
                ),
            );
        return bytes;
    }

    #residualColumn(field, values) {
        if (!isNumber(field)) {
            const places = values.map((_, place) => place).filter((place) => values[place] !== undefined);
            return [...rowSet(values.length, places, this.random), ...places.flatMap((place) => item(field, values[place]))];
        }
        const numbers = values.map(zigzag);
        const far = numbers.map((_, place) => place).filter((place) => numbers[place] !== 0n && this.random.chance(0.2));
        const near = numbers.map((value, place) => (far.includes(place) ? 0n : value));
        let [width, ...bits] = packed(near, this.random);
        if (width <= 28 && this.random.chance(0.4)) {
            width = Math.max(0, near.reduce((widest, value) => Math.max(widest, bitLength(value)), 0) - this.random.below(5));
            bits = withQuotients(near, width);
            width |= 0x80;
        }
        if (far.length === 0) return [width, ...bits];
        return [
            width | 0x40,
            ...bits,
            ...varint(far.length),
            ...packed(gaps(far), this.random),
            ...packed(
                far.map((place) => numbers[place]),
                this.random,
            ),
        ];
    }

    #corrections(table, old, entered, gap) {
        const slots = sorted(this.tables[table].keys());
        const fresh = new Set(entered);
        const columns = [];
        this.#shared(table).forEach(({ field, i }, c) => {
            const picked = slots
                .map((_, place) => place)
                .filter((place) => {
                    if (fresh.has(slots[place])) return false;
                    const now = this.tables[table].get(slots[place]);
                    const before = old.get(slots[place]);
                    return (
                        !same(now.values[i], predicted(field, before.values[i], before.steps[i], gap)) ||
                        now.steps[i] !== before.steps[i]
                    );
                });
            if (picked.length > 0) columns.push({ c, field, i, picked });
        });
        if (columns.length === 0) return [];
        const bytes = mask(
            this.#shared(table).length,
            columns.map(({ c }) => c),
        );
        for (const { field, i, picked } of columns) {
            const rows = picked.map((place) => this.tables[table].get(slots[place]));
            bytes.push(...rowSet(slots.length, picked, this.random), ...this.#absolute(field, i, rows));
        }
        return bytes;
    }

    /** A `private` with the owner-only values of these slots of a table. */
    private({ input, entity, reset = false, values = [] }) {
        const flags = (input !== undefined ? 1 : 0) | (entity ? 2 : 0) | (values.length > 0 ? 4 : 0) | (reset ? 8 : 0);
        const bytes = [0x44, flags];
        if (input !== undefined) bytes.push(...varint(input));
        if (entity) bytes.push(entity.table, ...varint(entity.id));
        for (const { table, slots } of values) {
            bytes.push(table, ...varint(slots.length));
            for (const slot of slots) {
                bytes.push(...varint(slot));
                this.columns[table].forEach((field, i) => {
                    const value = this.tables[table].get(slot).values[i];
                    if (!field.ownerOnly) return;
                    bytes.push(...(isNumber(field) ? varint(field.type === "sint" ? zigzag(value) : value) : item(field, value)));
                });
            }
        }
        return Uint8Array.from(bytes);
    }
}

function residual(field, value, prediction) {
    return asStep(field, BigInt(value) - BigInt(prediction));
}

function item(field, value) {
    return field.type === "text" ? text(value) : blob(value);
}

function isOther(rows, old, slot) {
    return rows.get(slot)?.generation !== old.get(slot)?.generation;
}

export function same(a, b) {
    return a instanceof Uint8Array ? a.length === b.length && a.every((byte, i) => byte === b[i]) : a === b;
}

function sorted(numbers) {
    return [...numbers].sort((a, b) => a - b);
}

/** The message of a kind below with a MessagePack body, which the caller has encoded. */
export function framed(kind, body, number) {
    return Uint8Array.from([kind, ...(number === undefined ? [] : varint(number)), ...body]);
}
