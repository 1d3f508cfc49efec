/**
 * Tables: rows in slots, and what the last state did to them.
 *
 * A table holds the columns that the decoder (state.js, sections.js) writes, keeps the order of its rows, and tells listeners, once per state, who came,
 * changed and left. Knows nothing of bytes.
 */

import { ArrayColumn, Column } from "./columns.js";
import { guarded, listen } from "./emitter.js";
import { History } from "./history.js";

/** `id = generation · 2²⁰ + slot` */
const SLOT_BITS = 20;
const SLOT_MASK = 2 ** SLOT_BITS - 1;
const SMALLEST = 16;

/** A view of one entity. Each table derives a class of its own with a property for each field. */
class RowView {
    #table;
    #slot;
    #id;

    constructor(table, slot, id) {
        this.#table = table;
        this.#slot = slot;
        this.#id = id;
    }

    get table() {
        return this.#table;
    }

    get slot() {
        return this.#slot;
    }

    get id() {
        return this.#id;
    }

    get alive() {
        return this.#table.ids[this.#slot] === this.#id;
    }

    toJSON() {
        const copy = { id: this.#id };
        for (const [name, column] of Object.entries(this.#table.columns)) copy[name] = plain(column.get(this.#slot));
        return copy;
    }
}

function plain(value) {
    if (Array.isArray(value)) return value.map(plain);
    return value instanceof RowView ? value.id : value;
}

function rowClass(columns) {
    const Row = class extends RowView {};
    for (const [name, column] of Object.entries(columns)) {
        if (name in RowView.prototype) continue;
        Object.defineProperty(Row.prototype, name, {
            get() {
                return column.get(this.slot);
            },
            enumerable: true,
        });
    }
    return Row;
}

export class Table {
    #Row;
    #views = [];
    #changed = null;
    /** Slots that a row entered or left with this state, and who was there before, by slot; `#met` holds the frame of when that was noted. */
    #visited = [];
    #met = new Int32Array(0);
    #former = new Uint32Array(0);
    #listeners = { spawn: new Set(), change: new Set(), despawn: new Set() };

    /**
     * @param spec the table as the schema describes it
     * @param {Table[]} siblings all tables of the room, for fields that refer to one
     * @param {number} tickRate
     */
    constructor(spec, siblings, tickRate) {
        this.name = spec.name;
        this.entity = spec.entity;
        this.capacity = spec.capacity;
        this.single = spec.single;
        this.fields = spec.fields;
        this.siblings = siblings;
        this.columns = Object.create(null);
        /** The columns of the wire, in its order: those that everyone reads, and those that only a row's owner does. */
        this.shared = [];
        this.owned = [];
        this.ids = new Uint32Array(0);
        this.slots = new Int32Array(0);
        this.size = 0;
        /** Counts the states; `touched` and `born` hold its value of when a row last changed and entered. */
        this.frame = 0;
        this.touched = new Int32Array(0);
        this.born = new Int32Array(0);
        /** Counts whatever changes a value, so that what is derived from values knows when it is old. */
        this.version = 0;
        this.enteredSlots = [];
        this.goneIds = [];
        /** Whether any row entered with this state, if only from elsewhere in the table. */
        this.hasEntries = false;
        /** Which rows are in which cell, if this is a table of the room's area. @type {import("./cells.js").Division | null} */
        this.division = null;
        /** States kept for `sample`, once it has been asked for. */
        this.history = null;
        this.tickRate = tickRate;
        this.jumps = {};
        for (const field of spec.fields) {
            const column = field.count > 0 ? new ArrayColumn(field, this) : new Column(field, this);
            this.columns[field.name] = column;
            (field.ownerOnly ? this.owned : this.shared).push(...(column.lanes ?? [column]));
            if (field.type === "fixed" && field.count === 0) this.jumps[field.name] = (field.hi - field.lo) / 16;
        }
        this.#Row = rowClass(this.columns);
    }

    get(id) {
        const slot = id & SLOT_MASK;
        return id !== 0 && this.ids[slot] === id ? this.#view(slot, id) : null;
    }

    has(id) {
        return id !== 0 && this.ids[id & SLOT_MASK] === id;
    }

    at(slot) {
        const id = this.ids[slot];
        return id ? this.#view(slot, id) : null;
    }

    get row() {
        return this.single ? this.at(0) : null;
    }

    *[Symbol.iterator]() {
        for (const slot of this.slots) yield this.#view(slot, this.ids[slot]);
    }

    get changed() {
        if (this.#changed === null) {
            const frame = this.frame;
            this.#changed = this.slots.filter((slot) => this.touched[slot] === frame && this.born[slot] !== frame);
        }
        return this.#changed;
    }

    get entered() {
        return Int32Array.from(this.enteredSlots);
    }

    get gone() {
        return Uint32Array.from(this.goneIds);
    }

    get goneSlots() {
        return this.goneIds.map((id) => id & SLOT_MASK);
    }

    sample(tick) {
        this.history ??= new History(this);
        return this.history.sample(tick);
    }

    onSpawn(listener) {
        if (this.size > 0) listener([...this], this);
        return listen(this.#listeners.spawn, listener);
    }

    onChange(listener) {
        return listen(this.#listeners.change, listener);
    }

    onDespawn(listener) {
        return listen(this.#listeners.despawn, listener);
    }

    // Below: for the decoder and the room.

    /** Begins a state: nothing has entered, changed or gone yet. */
    begin() {
        this.frame++;
        this.version++;
        this.#changed = null;
        this.#visited.length = 0;
        this.hasEntries = false;
        if (this.enteredSlots.length > 0) this.enteredSlots = [];
        if (this.goneIds.length > 0) this.goneIds = [];
    }

    /** Values changed outside a state (owner-only ones). */
    amend() {
        this.version++;
        this.#changed = null;
    }

    reserve(slots) {
        if (slots <= this.ids.length) return;
        const room = Math.min(this.capacity, Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(slots))));
        const grow = (array) => {
            const larger = new array.constructor(room);
            larger.set(array);
            return larger;
        };
        this.ids = grow(this.ids);
        this.touched = grow(this.touched);
        this.born = grow(this.born);
        this.#met = grow(this.#met);
        this.#former = grow(this.#former);
        for (const column of this.shared) column.reserve(room);
        for (const column of this.owned) column.reserve(room);
    }

    /** Puts an entity into a slot (which has room); owner-only values begin as zero, as the owner's own message follows. */
    enter(slot, generation) {
        this.#visit(slot);
        this.ids[slot] = generation * 2 ** SLOT_BITS + slot;
        this.born[slot] = this.frame;
        this.touched[slot] = this.frame;
        this.hasEntries = true;
        for (const column of this.owned) column.clear(slot);
    }

    leave(slot) {
        this.#visit(slot);
        this.ids[slot] = 0;
    }

    #visit(slot) {
        if (this.#met[slot] === this.frame) return;
        this.#met[slot] = this.frame;
        this.#former[slot] = this.ids[slot];
        this.#visited.push(slot);
    }

    /** Brings the order of the rows up to date after rows entered or left. */
    order() {
        const slots = new Int32Array(this.size + this.#visited.length);
        let size = 0;
        for (let slot = 0; slot < this.ids.length; slot++) if (this.ids[slot] !== 0) slots[size++] = slot;
        this.slots = slots.subarray(0, size);
        this.size = size;
    }

    /** A snapshot empties the table. */
    empty() {
        for (const slot of this.slots) this.leave(slot);
        this.slots = new Int32Array(0);
        this.size = 0;
    }

    /**
     * Ends a state: who was there before and still is has neither entered nor gone, wherever it has been meanwhile. In another room everybody
     * is someone else.
     */
    settle(isElsewhere) {
        if (this.#visited.length === 0) return;
        this.#visited.sort((a, b) => a - b);
        for (const slot of this.#visited) {
            const former = this.#former[slot];
            const id = this.ids[slot];
            if (former === id && !isElsewhere) {
                this.born[slot] = 0;
                continue;
            }
            if (former !== 0) this.goneIds.push(former);
            if (id !== 0) this.enteredSlots.push(slot);
        }
        if (this.division !== null) this.#merge();
    }

    /** The order of the rows after a state, from that before it: what is seen of a large table is no reason to look at all its slots. */
    #merge() {
        const former = this.slots;
        const visited = this.#visited;
        const slots = new Int32Array(former.length + visited.length);
        let size = 0;
        let next = 0;
        for (const slot of visited) {
            while (next < former.length && former[next] < slot) slots[size++] = former[next++];
            if (former[next] === slot) next++;
            if (this.ids[slot] !== 0) slots[size++] = slot;
        }
        while (next < former.length) slots[size++] = former[next++];
        this.slots = slots.subarray(0, size);
        this.size = size;
    }

    /** Tells the listeners what the last state did. */
    notify() {
        const { spawn, change, despawn } = this.#listeners;
        if (despawn.size > 0 && this.goneIds.length > 0)
            this.#tell(
                despawn,
                this.goneIds.map((id) => this.#viewOf(id)),
            );
        if (spawn.size > 0 && this.enteredSlots.length > 0)
            this.#tell(
                spawn,
                this.enteredSlots.map((slot) => this.at(slot)),
            );
        if (change.size > 0 && this.changed.length > 0)
            this.#tell(
                change,
                Array.from(this.changed, (slot) => this.at(slot)),
            );
    }

    /** Tells the listeners of values that changed outside a state. */
    notifyChange(slots) {
        if (this.#listeners.change.size > 0 && slots.length > 0)
            this.#tell(
                this.#listeners.change,
                slots.map((slot) => this.at(slot)),
            );
    }

    /** Takes the listeners of the table that this one replaces; to them its rows have gone, and these have come. */
    succeed(former) {
        this.#listeners = former.#listeners;
        const { spawn, despawn } = this.#listeners;
        if (despawn.size > 0 && former.size > 0) this.#tell(despawn, [...former], former);
        if (spawn.size > 0 && this.size > 0) this.#tell(spawn, [...this]);
    }

    #tell(listeners, rows, table = this) {
        for (const listener of [...listeners]) guarded(listener, rows, table);
    }

    #view(slot, id) {
        const view = this.#views[slot];
        if (view !== undefined && view.id === id) return view;
        return (this.#views[slot] = new this.#Row(this, slot, id));
    }

    #viewOf(id) {
        const slot = id & SLOT_MASK;
        const view = this.#views[slot];
        return view?.id === id ? view : new this.#Row(this, slot, id);
    }
}
