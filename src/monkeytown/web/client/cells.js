/**
 * What a reader of an area sees: its cells, their rings, and which rows are in which. Sections 3 and 4 of docs/reference/wire.md, *Cells*.
 *
 * A cell counts slots. Nearly always those are its rows; but a row may have entered another cell, or another row its slot, before the cell has
 * told that it is gone. Knows nothing of columns, nor of how sections look inside.
 */

import { WireError } from "./bytes.js";

/** Rings; 0 for a cell that is not in the view. */
const NEAR = 1;
const FAR = 2;
const NOWHERE = -1;
const FEWEST = 8;

/** The slots that one cell counts in one table, in ascending order. */
class Members {
    slots = new Int32Array(FEWEST);
    size = 0;
    /** Some of the slots may hold rows of other cells, or none. */
    isMixed = false;
    /** The table's frame in which there was last a section of these. */
    frame = 0;

    constructor(cell) {
        this.cell = cell;
    }

    /** Counts ascending slots, of which some may be counted already. */
    add(entered) {
        const room = this.size + entered.length;
        const former = this.slots;
        // Into the same memory from its end, as long as what enters comes last; otherwise side by side.
        const isAppended = this.size === 0 || former[this.size - 1] < entered[0];
        const slots = room > former.length || !isAppended ? new Int32Array(2 ** Math.ceil(Math.log2(room))) : former;
        let size = 0;
        let next = 0;
        if (isAppended) {
            if (slots !== former) slots.set(former.subarray(0, this.size));
            size = this.size;
        } else {
            for (let i = 0; i < this.size; i++) {
                while (next < entered.length && entered[next] < former[i]) slots[size++] = entered[next++];
                if (entered[next] === former[i]) next++;
                slots[size++] = former[i];
            }
        }
        while (next < entered.length) slots[size++] = entered[next++];
        this.slots = slots;
        this.size = size;
    }

    /** Counts ascending slots no longer. Returns false if one of them was not counted. */
    strike(gone) {
        const { slots } = this;
        let size = 0;
        let next = 0;
        for (let i = 0; i < this.size; i++) {
            if (next < gone.length && slots[i] === gone[next]) next++;
            else slots[size++] = slots[i];
        }
        this.size = size;
        return next === gone.length;
    }
}

/** One table's rows by cell. */
export class Division {
    #rings;
    #members = new Map();
    /** The cell that the row in a slot is in. */
    #cellOf = new Int32Array(0);
    #picked = new Int32Array(FEWEST);

    constructor(table, rings) {
        this.table = table;
        this.#rings = rings;
    }

    /** The cell that the row in this slot is in. */
    cellOf(slot) {
        return this.#cellOf[slot];
    }

    /** Whether the row in this slot comes less often than with every state. */
    isFar(slot) {
        return this.#rings[this.#cellOf[slot]] === FAR;
    }

    /** What the cells with any slots count. */
    [Symbol.iterator]() {
        return this.#members.values();
    }

    of(cell) {
        let members = this.#members.get(cell);
        if (members === undefined) this.#members.set(cell, (members = new Members(cell)));
        return members;
    }

    /** The slots of the rows that are in the cell; good until the next call. */
    rows(members) {
        if (!members.isMixed) return members.slots.subarray(0, members.size);
        const { cell, slots, size } = members;
        if (this.#picked.length < size) this.#picked = new Int32Array(slots.length);
        let count = 0;
        for (let i = 0; i < size; i++) if (this.#cellOf[slots[i]] === cell) this.#picked[count++] = slots[i];
        members.isMixed = count < size;
        return this.#picked.subarray(0, count);
    }

    /** The rows in these slots have entered the table, in this cell. */
    enter(members, slots) {
        this.#reserve(this.table.ids.length);
        const cellOf = this.#cellOf;
        for (let i = 0; i < slots.length; i++) {
            const former = cellOf[slots[i]];
            if (former !== NOWHERE && former !== members.cell) this.#members.get(former).isMixed = true;
            cellOf[slots[i]] = members.cell;
        }
        members.add(slots);
    }

    /** These slots are gone from the cell, and their rows from the table unless they are in another cell. */
    strike(members, slots) {
        if (!members.strike(slots))
            throw new WireError(`a slot of ${this.table.name} is gone from cell ${members.cell}, which it was not in`);
        this.#leave(members.cell, slots);
    }

    /** The cell is out of the view. */
    lose(cell) {
        const members = this.#members.get(cell);
        if (members === undefined) return;
        this.#members.delete(cell);
        this.#leave(cell, members.slots.subarray(0, members.size));
    }

    /** A cell that counts nothing need not be looked at. */
    tidy(members) {
        if (members.size === 0) this.#members.delete(members.cell);
    }

    clear() {
        this.#members.clear();
        this.#cellOf.fill(NOWHERE);
    }

    #leave(cell, slots) {
        const cellOf = this.#cellOf;
        for (let i = 0; i < slots.length; i++) {
            if (cellOf[slots[i]] !== cell) continue;
            cellOf[slots[i]] = NOWHERE;
            this.table.leave(slots[i]);
        }
    }

    #reserve(slots) {
        const former = this.#cellOf;
        if (slots <= former.length) return;
        this.#cellOf = new Int32Array(slots).fill(NOWHERE, former.length);
        this.#cellOf.set(former);
    }
}

export class View {
    #rings;
    /** The rings as they were when the message began, for cells that were in the view then and have not been lost. */
    #formerRings;
    /** The cells of which the two may differ. */
    #listed = [];
    #byRing = null;

    /**
     * @param area as the schema describes it
     * @param {import("./table.js").Table[]} tables all tables of the room
     */
    constructor(area, tables) {
        this.cells = area.columns * area.rows;
        this.#rings = new Uint8Array(this.cells);
        this.#formerRings = new Uint8Array(this.cells);
        /** The tick that far cells are at. */
        this.farTick = 0;
        /** By the table's number. @type {Map<number, Division>} */
        this.divisions = new Map();
        for (const number of area.tables) {
            tables[number].division = new Division(tables[number], this.#rings);
            this.divisions.set(number, tables[number].division);
        }
    }

    /** The cells in view by ring, each in ascending order; the same arrays until the view changes, or a snapshot comes. */
    get byRing() {
        this.#byRing ??= { near: this.#cellsIn(NEAR), far: this.#cellsIn(FAR) };
        return this.#byRing;
    }

    #cellsIn(ring) {
        const found = [];
        for (let cell = 0; cell < this.cells; cell++) if (this.#rings[cell] === ring) found.push(cell);
        return Int32Array.from(found);
    }

    /** A snapshot begins with nothing in view. */
    empty() {
        this.#rings.fill(0);
        this.#formerRings.fill(0);
        this.#byRing = null;
        for (const division of this.divisions.values()) division.clear();
    }

    /** Reads the view part of a message. Cells come to the far ring, or leave it for the other, only with it; a snapshot has none to lose. */
    change(reader, { hasFar, isSnapshot }) {
        const [lost, near, far] = [this.#list(reader), this.#list(reader), this.#list(reader)];
        if (isSnapshot && lost.length > 0) throw new WireError("a snapshot loses cells");
        for (const cell of lost) this.#lose(cell);
        for (const cell of near) this.#turn(cell, NEAR, hasFar);
        for (const cell of far) this.#turn(cell, FAR, hasFar);
        for (let i = 0, j = 0; i < near.length && j < far.length;) {
            if (near[i] === far[j]) throw new WireError(`cell ${near[i]} is near and far`);
            if (near[i] < far[j]) i++;
            else j++;
        }
        this.#byRing = null;
    }

    #list(reader) {
        const count = reader.varint();
        if (count > this.cells) throw new WireError(`a list of ${count} cells, of which there are ${this.cells}`);
        const list = new Int32Array(count);
        if (count > 0) reader.places(count, this.cells, list);
        return list;
    }

    #lose(cell) {
        if (this.#rings[cell] === 0) throw new WireError(`cell ${cell} is lost, but was not in view`);
        this.#rings[cell] = 0;
        this.#formerRings[cell] = 0;
        for (const division of this.divisions.values()) division.lose(cell);
    }

    #turn(cell, ring, mayTurn) {
        const former = this.#rings[cell];
        if (former !== ring && (former === FAR || ring === FAR) && !mayTurn)
            throw new WireError(`cell ${cell} comes to the far ring, or from it, without the far ring`);
        this.#rings[cell] = ring;
        this.#listed.push(cell);
    }

    /** The cell of a section must be in view, and of one that stands still there is none. */
    demand(cell, gaps) {
        if (cell >= this.cells || this.#rings[cell] === 0) throw new WireError(`a section of cell ${cell}, which is not in view`);
        if (gaps !== null && this.gapOf(cell, gaps) === 0) throw new WireError(`a section of cell ${cell} without the far ring`);
    }

    /** By how many ticks a cell moves on; 0: not at all. @param gaps `near`, and `far` or 0 */
    gapOf(cell, gaps) {
        return this.#formerRings[cell] === FAR ? gaps.far : gaps.near;
    }

    /** Ends a message. */
    settle() {
        for (const cell of this.#listed) this.#formerRings[cell] = this.#rings[cell];
        this.#listed.length = 0;
    }
}
