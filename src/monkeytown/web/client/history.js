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
/** Far states by whose distance it is told how often they come: one after a rest, or after some were skipped, comes later than the next will. */
const RECENT = 8;

export class History {
    #table;
    #columns;
    #glide;
    /** Of rows that come with every state; and, in a table seen by area, of those that come less often. */
    #near;
    #far;
    #weights = new Float64Array(0);
    /** For each row of the later of two frames, its place in the earlier one. */
    #places = new Int32Array(0);
    #sample = { tick: 0, slots: null, columns: {} };

    constructor(table) {
        this.#table = table;
        this.#columns = Object.values(table.columns).filter(
            ({ field }) => field.count === 0 && (field.type === "fixed" || field.type === "angle"),
        );
        const capacity = Math.min(MOST, Math.max(FEWEST, Math.ceil(table.tickRate * SECONDS)));
        this.#glide = Math.max(3, Math.ceil(table.tickRate * LONGEST_GLIDE));
        this.#near = new Track(capacity);
        this.#far = new Track(capacity);
        for (const { field } of this.#columns) this.#sample.columns[field.name] = new Float64Array(0);
    }

    /** Keeps a copy of the rows as they are at `tick`; of those in far cells only if it brought them. */
    record(tick, bringsFar) {
        const { division } = this.#table;
        this.#near.record(tick, this.#table, this.#columns, division === null ? null : (slot) => !division.isFar(slot));
        if (division !== null && bringsFar) this.#far.record(tick, this.#table, this.#columns, (slot) => division.isFar(slot));
    }

    /** Forgets all: ticks count in another history now. */
    clear() {
        this.#near.clear();
        this.#far.clear();
    }

    sample(tick) {
        const table = this.#table;
        const sample = this.#sample;
        sample.tick = tick;
        sample.slots = table.slots;
        if (this.#weights.length < table.ids.length) this.#grow(table.ids.length);
        // As they are now, unless one of the tracks knows them at that moment. One that has come near is drawn as such.
        for (const column of this.#columns) copy(column, table.slots, sample.columns[column.field.name]);
        this.#overlayFar(tick);
        this.#overlayNear(tick);
        return sample;
    }

    #grow(slots) {
        this.#weights = new Float64Array(slots);
        this.#places = new Int32Array(slots);
        for (const name of Object.keys(this.#sample.columns)) this.#sample.columns[name] = new Float64Array(slots);
    }

    /** Rows on their way from the state before the moment to the one after. */
    #overlayNear(tick) {
        const { before, after } = this.#near.around(tick);
        if (after === null) return;
        const span = Math.min(after.tick - before.tick, this.#glide);
        this.#overlay(before, after, before === after ? 1 : Math.max(0, 1 - (after.tick - tick) / span));
    }

    /**
     * Far rows are drawn one of their intervals later, on their way to where they were at their last state before the moment: the next one
     * is mostly not here yet.
     */
    #overlayFar(tick) {
        const after = this.#far.upTo(tick, 0) ?? this.#far.oldest;
        if (after === null) return;
        const before = this.#far.upTo(tick, 1) ?? after;
        const weight = before === after ? 1 : Math.min(1, (tick - after.tick) / this.#far.interval);
        this.#overlay(before, after, weight);
    }

    /** Puts the rows of `after` into the sample, as far on their way from `before` as `weight` says. */
    #overlay(before, after, weight) {
        this.#weigh(before, after, weight);
        if (weight > 0 && weight < 1) this.#holdJumps(before, after);
        for (let c = 0; c < this.#columns.length; c++) {
            const column = this.#columns[c];
            const out = this.#sample.columns[column.field.name];
            blend(column, after, this.#places, this.#weights, before.lanes[c], after.lanes[c], out);
        }
    }

    /** Decides for every row of `after` how far it is on its way, and which need not be looked at (−1): they have left, or left their slot to another. */
    #weigh(before, after, weight) {
        const { ids } = this.#table;
        const weights = this.#weights;
        const places = this.#places;
        let place = 0;
        for (let i = 0; i < after.size; i++) {
            const slot = after.slots[i];
            while (place < before.size && before.slots[place] < slot) place++;
            places[i] = place;
            const wasThere = place < before.size && before.ids[place] === after.ids[i];
            weights[i] = ids[slot] !== after.ids[i] ? -1 : wasThere ? weight : 1;
        }
    }

    /** A row that jumped stays where it was until it is where it is. */
    #holdJumps(before, after) {
        const { jumps } = this.#table;
        const weights = this.#weights;
        const places = this.#places;
        for (let c = 0; c < this.#columns.length; c++) {
            const { field } = this.#columns[c];
            if (field.type !== "fixed" || jumps[field.name] === undefined) continue;
            const limit = (jumps[field.name] / field.step) * (after.tick - before.tick);
            const from = before.lanes[c];
            const to = after.lanes[c];
            for (let i = 0; i < after.size; i++) {
                if (weights[i] > 0 && weights[i] < 1 && Math.abs(to[i] - from[places[i]]) > limit) weights[i] = 0;
            }
        }
    }
}

/** The last states of some rows. */
class Track {
    #frames = [];
    #capacity;
    /** The ring's next place; the newest state is the one before. */
    #next = 0;
    #count = 0;

    constructor(capacity) {
        this.#capacity = capacity;
    }

    /** Keeps the rows that `isOurs` says (null: all). */
    record(tick, { slots, ids }, columns, isOurs) {
        const frame = (this.#frames[this.#next] ??= new Frame(columns));
        frame.tick = tick;
        frame.reserve(slots.length);
        frame.size = 0;
        for (let i = 0; i < slots.length; i++) {
            const slot = slots[i];
            if (isOurs !== null && !isOurs(slot)) continue;
            frame.slots[frame.size] = slot;
            frame.ids[frame.size++] = ids[slot];
        }
        for (let c = 0; c < columns.length; c++) {
            const { wire } = columns[c];
            const lane = frame.lanes[c];
            for (let i = 0; i < frame.size; i++) lane[i] = wire[frame.slots[i]];
        }
        this.#next = (this.#next + 1) % this.#capacity;
        this.#count = Math.min(this.#count + 1, this.#capacity);
    }

    clear() {
        this.#count = 0;
    }

    #back(count) {
        return count > this.#count ? null : this.#frames[(this.#next - count + this.#capacity) % this.#capacity];
    }

    get oldest() {
        return this.#count === 0 ? null : this.#back(this.#count);
    }

    /** The states on both sides of a tick; the same one twice beyond the ends; none if there are none. */
    around(tick) {
        let after = null;
        for (let back = 1; back <= this.#count; back++) {
            const frame = this.#back(back);
            if (frame.tick <= tick) return { before: frame, after: after ?? frame };
            after = frame;
        }
        return { before: after, after };
    }

    /** The newest state that is not after `tick`, or the one so many before it; null if that is not kept. */
    upTo(tick, before) {
        for (let back = 1; back <= this.#count; back++) if (this.#back(back).tick <= tick) return this.#back(back + before);
        return null;
    }

    /** The ticks from one state to the next, as a rule. */
    get interval() {
        let least = Infinity;
        for (let back = 1; back < Math.min(this.#count, RECENT); back++)
            least = Math.min(least, this.#back(back).tick - this.#back(back + 1).tick);
        return least;
    }
}

/** Rows as they were in one state, in order of their slots. */
class Frame {
    tick = 0;
    size = 0;
    slots = new Int32Array(0);
    ids = new Uint32Array(0);

    constructor(columns) {
        this.lanes = columns.map(() => new Uint32Array(0));
    }

    reserve(rows) {
        if (rows <= this.slots.length) return;
        const room = 2 ** Math.ceil(Math.log2(rows));
        this.slots = new Int32Array(room);
        this.ids = new Uint32Array(room);
        this.lanes = this.lanes.map(() => new Uint32Array(room));
    }
}

/** Fills `out` with one column's newest values. */
function copy({ field, wire }, slots, out) {
    const { offset, scale } = scaling(field);
    for (let i = 0; i < slots.length; i++) out[slots[i]] = offset + wire[slots[i]] * scale;
}

/** Fills `out` with one column's values of the rows of a frame, each at its own weight. */
function blend({ field, isAngle, shift }, { slots, size }, places, weights, from, to, out) {
    const { offset, scale } = scaling(field);
    for (let i = 0; i < size; i++) {
        const weight = weights[i];
        if (weight < 0) continue;
        let value = to[i];
        if (weight < 1) {
            const start = from[places[i]];
            // An angle's difference, read as a signed number of its bits, is the short way round.
            const way = isAngle ? ((to[i] - start) << shift) >> shift : to[i] - start;
            value = start + way * weight;
        }
        out[slots[i]] = offset + value * scale;
    }
}
