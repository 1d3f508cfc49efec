/**
 * The last states of one table, and its rows at any moment between them: what makes remote entities move smoothly.
 *
 * Knows tables and ticks. Does not know clocks: see playback.js for which moment to draw.
 */

import { scaling } from "./columns.js";

/** How much of the past is kept, in seconds and in states: enough for the largest delay that playback.js allows. */
const SECONDS = 0.5;
const FEWEST = 8;
const MOST = 64;
/**
 * A move is spread over at most this long, in seconds. A room at rest sends nothing, so the state before the first move may be minutes
 * old: the move then took one tick, not minutes.
 */
const LONGEST_GLIDE = 0.1;

/** How a row's values are made, in `#weights`: between two states if from 0 to 1, otherwise */
const NEWEST = 2;

export class History {
    #table;
    #columns;
    #frames = [];
    #capacity;
    #glide;
    /** The ring's next place; the newest state is the one before. */
    #next = 0;
    #count = 0;
    #weights = new Float64Array(0);
    #sample = { tick: 0, slots: null, columns: {} };

    constructor(table) {
        this.#table = table;
        this.#columns = Object.values(table.columns).filter(
            ({ field }) => field.count === 0 && (field.type === "fixed" || field.type === "angle"),
        );
        this.#capacity = Math.min(MOST, Math.max(FEWEST, Math.ceil(table.tickRate * SECONDS)));
        this.#glide = Math.max(3, Math.ceil(table.tickRate * LONGEST_GLIDE));
        for (const { field } of this.#columns) this.#sample.columns[field.name] = new Float64Array(0);
    }

    /** Keeps a copy of the table as it is at `tick`. */
    record(tick) {
        const table = this.#table;
        const frame = (this.#frames[this.#next] ??= {
            tick: 0,
            ids: new Uint32Array(0),
            lanes: this.#columns.map(() => new Uint32Array(0)),
        });
        frame.tick = tick;
        frame.ids = copied(table.ids, frame.ids);
        for (let i = 0; i < this.#columns.length; i++) frame.lanes[i] = copied(this.#columns[i].wire, frame.lanes[i]);
        this.#next = (this.#next + 1) % this.#capacity;
        this.#count = Math.min(this.#count + 1, this.#capacity);
    }

    /** Forgets all: ticks count in another history now. */
    clear() {
        this.#count = 0;
    }

    sample(tick) {
        const table = this.#table;
        const sample = this.#sample;
        sample.tick = tick;
        sample.slots = table.slots;
        if (this.#weights.length < table.ids.length) this.#grow(table.ids.length);
        const { before, after } = this.#around(tick);
        this.#weigh(before, after, tick);
        for (let i = 0; i < this.#columns.length; i++) {
            blend(
                this.#columns[i],
                table.slots,
                this.#weights,
                before?.lanes[i],
                after?.lanes[i],
                sample.columns[this.#columns[i].field.name],
            );
        }
        return sample;
    }

    #grow(slots) {
        this.#weights = new Float64Array(slots);
        for (const name of Object.keys(this.#sample.columns)) this.#sample.columns[name] = new Float64Array(slots);
    }

    /** The states on both sides of a tick; the same one twice beyond the ends; none if there are none. */
    #around(tick) {
        let after = null;
        for (let back = 1; back <= this.#count; back++) {
            const frame = this.#frames[(this.#next - back + this.#capacity) % this.#capacity];
            if (frame.tick <= tick) return { before: frame, after: after ?? frame };
            after = frame;
        }
        return { before: after, after };
    }

    /** Decides for every row how far it is on its way from `before` to `after`. */
    #weigh(before, after, tick) {
        const table = this.#table;
        const weights = this.#weights;
        if (after === null) {
            for (const slot of table.slots) weights[slot] = NEWEST;
            return;
        }
        const span = Math.min(after.tick - before.tick, this.#glide);
        const weight = before === after ? 1 : Math.max(0, 1 - (after.tick - tick) / span);
        for (let i = 0; i < table.slots.length; i++) {
            const slot = table.slots[i];
            const id = table.ids[slot];
            if (after.ids[slot] !== id) weights[slot] = NEWEST;
            else if (before.ids[slot] !== id) weights[slot] = 1;
            else weights[slot] = weight;
        }
        if (weight > 0 && weight < 1) this.#holdJumps(before, after);
    }

    /** A row that jumped stays where it was until it is where it is. */
    #holdJumps(before, after) {
        const { slots, jumps } = this.#table;
        const weights = this.#weights;
        for (let c = 0; c < this.#columns.length; c++) {
            const { field } = this.#columns[c];
            if (field.type !== "fixed" || jumps[field.name] === undefined) continue;
            const limit = (jumps[field.name] / field.step) * (after.tick - before.tick);
            const from = before.lanes[c];
            const to = after.lanes[c];
            for (let i = 0; i < slots.length; i++) {
                const slot = slots[i];
                if (weights[slot] < 1 && Math.abs(to[slot] - from[slot]) > limit) weights[slot] = 0;
            }
        }
    }
}

/** Fills `out` with one column's values, each row at its own weight. */
function blend(column, slots, weights, from, to, out) {
    const { offset, scale } = scaling(column.field);
    const { isAngle, shift, wire } = column;
    for (let i = 0; i < slots.length; i++) {
        const slot = slots[i];
        const weight = weights[slot];
        let value;
        if (weight === NEWEST) value = wire[slot];
        else if (weight === 1) value = to[slot];
        else {
            const start = from[slot];
            // An angle's difference, read as a signed number of its bits, is the short way round.
            const way = isAngle ? ((to[slot] - start) << shift) >> shift : to[slot] - start;
            value = start + way * weight;
        }
        out[slot] = offset + value * scale;
    }
}

function copied(source, target) {
    if (target.length !== source.length) return source.slice();
    target.set(source);
    return target;
}
