/**
 * The state of a room, kept up to date from `game_state` and `private` messages: sections 4 and 5 of docs/reference/wire.md.
 *
 * After every message the integers in the tables equal the server's. A message that breaks a rule throws a WireError and leaves the
 * state unfit for use: the reader must come back for a snapshot. Knows nothing of connections and clocks.
 */

import { Reader, WireError, unzigzag } from "./bytes.js";
import { bend, checkStrayed, checked, demandNone, extrapolate, move, tooFar } from "./prediction.js";
import { Table } from "./table.js";

const SNAPSHOT = 1;
const CORRECTIONS = 2;
const GONE = 1;
const ENTERED = 2;
const CHANGED = 4;
const WIDTH = 0x3f;
const OUTLIERS = 0x40;
const INPUT = 1;
const ENTITY = 2;
const VALUES = 4;
const RESET = 8;
const NO_TABLE = 255;
const GENERATIONS = 4095;

export class State {
    /** Scratch: values of one column, the slots of the rows they belong to, and places among those. */
    #values = new Int32Array(64);
    #picked = new Int32Array(64);
    #places = new Int32Array(64);
    #isElsewhere = false;

    /** @param schema a checked one: see schema.js */
    constructor(schema) {
        this.schema = schema;
        /** @type {Table[]} by their number */
        this.tables = [];
        for (const spec of schema.tables) this.tables.push(new Table(spec, this.tables, schema.tickRate));
        this.epoch = 0;
        this.tick = 0;
        /** False before the first snapshot. */
        this.ready = false;
        this.inputSeen = 0;
        /** The player's own entity: a table's number and an id. */
        this.ownTable = NO_TABLE;
        this.ownId = 0;
    }

    /** Joined again under the same schema: the rows stay until the snapshot says what has become of them; in another room they are others. */
    restart(schema) {
        this.#isElsewhere = schema.gameId !== this.schema.gameId;
        this.schema = schema;
        this.ready = false;
        this.inputSeen = 0;
        this.ownTable = NO_TABLE;
        this.ownId = 0;
    }

    /** The row of the player's own entity, or null. */
    get entity() {
        return this.tables[this.ownTable]?.get(this.ownId) ?? null;
    }

    /**
     * Applies the body of a `game_state`. Returns whether it was a snapshot.
     * @param {Reader} reader behind the byte of kind
     */
    apply(reader) {
        const flags = reader.u8();
        if (flags & ~(SNAPSHOT | CORRECTIONS) || flags === (SNAPSHOT | CORRECTIONS))
            throw new WireError(`flags 0x${flags.toString(16)}`);
        const epoch = reader.varint();
        const tick = reader.varint64();
        const isSnapshot = (flags & SNAPSHOT) !== 0;
        if (isSnapshot) this.#snapshot(reader, !this.ready || epoch !== this.epoch || tick < this.tick);
        else this.#delta(reader, epoch, tick, (flags & CORRECTIONS) !== 0);
        reader.finish();
        this.epoch = epoch;
        this.tick = tick;
        this.ready = true;
        for (const table of this.tables) table.history?.record(tick);
        return isSnapshot;
    }

    #snapshot(reader, isNewHistory) {
        const formers = this.tables.map((table) => {
            table.begin();
            return table.empty();
        });
        this.#sections(reader, (table, parts) => {
            if (parts === undefined) return;
            if (parts !== ENTERED) throw new WireError("a snapshot has rows that enter and nothing else");
            this.#enter(table, reader);
            table.order();
        });
        this.tables.forEach((table, number) => {
            table.reconcile(formers[number], this.#isElsewhere);
            if (isNewHistory) table.history?.clear();
        });
        this.#isElsewhere = false;
    }

    #delta(reader, epoch, tick, hasCorrections) {
        const gap = reader.varint();
        if (gap === 0) throw new WireError("a delta from its own tick");
        if (!this.ready || epoch !== this.epoch || tick - gap !== this.tick) {
            throw new WireError(`a delta from ${epoch}:${tick - gap}, but this reader is at ${this.epoch}:${this.tick}`);
        }
        for (const table of this.tables) table.begin();
        this.#sections(reader, (table, parts) => {
            if (parts & GONE) this.#gone(table, reader);
            extrapolate(table, gap);
            if (parts & ENTERED) this.#enter(table, reader);
            if (parts & ENTERED) table.order();
            if (parts & CHANGED) {
                if (hasCorrections) this.#correct(table, reader);
                else this.#adjust(table, reader);
            }
            checkStrayed(table);
        });
    }

    /** Visits every table in order: with the parts of its section, or with undefined if it has none. */
    #sections(reader, visit) {
        let next = 0;
        const visitUpTo = (number) => {
            while (next < number) visit(this.tables[next++], undefined);
        };
        while (reader.left > 0) {
            const number = reader.u8();
            if (number >= this.tables.length || number < next)
                throw new WireError(`a section of table ${number} after ${next} tables`);
            const parts = reader.u8();
            if (parts === 0 || parts & ~(GONE | ENTERED | CHANGED)) throw new WireError(`parts 0x${parts.toString(16)}`);
            visitUpTo(number);
            visit(this.tables[next++], parts);
        }
        visitUpTo(this.tables.length);
        for (const { single, size, ids, name } of this.tables)
            if (single && (size !== 1 || ids[0] === 0)) throw new WireError(`${name} is without its one row`);
    }

    #gone(table, reader) {
        const count = counted(reader, table.size);
        this.#makeRoom(count);
        reader.places(count, table.ids.length, this.#picked);
        for (let i = 0; i < count; i++) {
            if (table.ids[this.#picked[i]] === 0)
                throw new WireError(`slot ${this.#picked[i]} of ${table.name} holds no row to remove`);
            table.leave(this.#picked[i]);
        }
        table.order();
    }

    #enter(table, reader) {
        const count = counted(reader, table.capacity);
        this.#makeRoom(count);
        const slots = this.#picked;
        const values = this.#values;
        reader.places(count, table.capacity, slots);
        reader.packed(count, values);
        for (let i = 0; i < count; i++) if (values[i] >>> 0 >= GENERATIONS) throw new WireError(`generation ${values[i] >>> 0}`);
        table.reserve(slots[count - 1] + 1);
        for (let i = 0; i < count; i++) table.enter(slots[i], values[i] + 1);
        for (const column of table.shared) {
            if (column.isNumber) this.#replace(column, reader, count, slots);
            else for (let i = 0; i < count; i++) column.items[slots[i]] = readItem(column, reader);
        }
    }

    /** Absolute values, and steps if the column has them, for the rows in the first `count` of `slots`. */
    #replace(column, reader, count, slots) {
        const { raw, steps, isSigned } = column;
        const values = this.#values;
        reader.packed(count, values);
        for (let i = 0; i < count; i++) raw[slots[i]] = checked(column, isSigned ? unzigzag(values[i]) : values[i]);
        if (!column.isLinear) return;
        reader.packed(count, values);
        const most = column.mask >>> 0;
        for (let i = 0; i < count; i++) {
            if (values[i] >>> 0 > most) throw tooFar(column);
            steps[slots[i]] = unzigzag(values[i]);
        }
    }

    /** Residuals: what differs from the prediction, which the values are by now. */
    #adjust(table, reader) {
        const picked = this.#pick(table, reader);
        const columns = table.shared;
        const mask = reader.mask(columns.length);
        for (let i = 0; i < columns.length; i++) {
            if (!((reader.bytes[mask + (i >> 3)] >> (i & 7)) & 1)) continue;
            const column = columns[i];
            if (!column.isNumber) {
                this.#replaceItems(table, column, reader, picked);
                continue;
            }
            this.#residuals(reader, picked.length);
            if (table.enteredSlots.length > 0) demandNone(table, picked, this.#values);
            if (column.isLinear) bend(column, picked, this.#values, table);
            else move(column, picked, this.#values, table);
        }
    }

    /** The residuals of one column for `count` rows, as zigzags, into the scratch values. */
    #residuals(reader, count) {
        const values = this.#values;
        const head = reader.u8();
        if (head & ~(WIDTH | OUTLIERS)) throw new WireError(`a column's head 0x${head.toString(16)}`);
        reader.unpack(count, head & WIDTH, values);
        if (!(head & OUTLIERS)) return;
        const outliers = counted(reader, count);
        const places = this.#places;
        reader.places(outliers, count, places);
        const far = new Int32Array(outliers);
        reader.packed(outliers, far);
        for (let i = 0; i < outliers; i++) {
            if (values[places[i]] !== 0) throw new WireError("an outlier with a residual of its own");
            values[places[i]] = far[i];
        }
    }

    #replaceItems(table, column, reader, picked) {
        const places = this.#places;
        const some = reader.rowSet(picked.length, places);
        const count = some < 0 ? picked.length : some;
        for (let i = 0; i < count; i++) {
            const slot = picked[some < 0 ? i : places[i]];
            if (table.born[slot] === table.frame) throw new WireError("a row changes in the message that it enters in");
            column.items[slot] = readItem(column, reader);
            table.touched[slot] = table.frame;
        }
    }

    /** Absolute values of what was corrected since the base. */
    #correct(table, reader) {
        const columns = table.shared;
        const mask = reader.mask(columns.length);
        for (let i = 0; i < columns.length; i++) {
            if (!((reader.bytes[mask + (i >> 3)] >> (i & 7)) & 1)) continue;
            const column = columns[i];
            const picked = this.#pick(table, reader);
            if (column.isNumber) this.#replace(column, reader, picked.length, picked);
            else for (const slot of picked) column.items[slot] = readItem(column, reader);
            for (const slot of picked) table.touched[slot] = table.frame;
        }
    }

    /** The slots of the rows that a row set selects. */
    #pick(table, reader) {
        const { slots, size } = table;
        this.#makeRoom(size);
        const picked = this.#picked;
        const count = reader.rowSet(size, picked);
        if (count < 0) return slots;
        for (let i = 0; i < count; i++) picked[i] = slots[picked[i]];
        return picked.subarray(0, count);
    }

    #makeRoom(count) {
        if (count <= this.#values.length) return;
        const room = 2 ** Math.ceil(Math.log2(count));
        this.#values = new Int32Array(room);
        this.#picked = new Int32Array(room);
        this.#places = new Int32Array(room);
    }

    /**
     * Applies the body of a `private`. Returns the slots whose values it gave, by table: a map, or null if it gave none.
     * @param {Reader} reader behind the byte of kind
     */
    applyPrivate(reader) {
        const flags = reader.u8();
        if (flags & ~(INPUT | ENTITY | VALUES | RESET)) throw new WireError(`flags 0x${flags.toString(16)}`);
        if (flags & INPUT) this.inputSeen = reader.varint();
        if (flags & ENTITY) this.#own(reader.u8(), reader.varint());
        if (flags & RESET) this.#reset();
        const given = flags & VALUES ? this.#ownedValues(reader) : null;
        reader.finish();
        return given;
    }

    #own(number, id) {
        if ((number === NO_TABLE) !== (id === 0)) throw new WireError(`an entity ${id} in table ${number}`);
        if (number !== NO_TABLE && number >= this.tables.length) throw new WireError(`an entity in table ${number}`);
        this.ownTable = number;
        this.ownId = id;
    }

    #reset() {
        for (const table of this.tables) {
            if (table.owned.length === 0) continue;
            table.amend();
            for (const column of table.owned) for (const slot of table.slots) column.clear(slot);
        }
    }

    #ownedValues(reader) {
        const given = new Map();
        let next = 0;
        while (reader.left > 0) {
            const number = reader.u8();
            const table = this.tables[number];
            if (table === undefined || number < next) throw new WireError(`values of table ${number}`);
            next = number + 1;
            const count = reader.varint();
            if (count > table.size) throw new WireError(`values of ${count} rows of ${table.size}`);
            table.amend();
            const slots = [];
            for (let i = 0; i < count; i++) slots.push(this.#ownedRow(table, reader, slots.at(-1) ?? -1));
            given.set(table, slots);
        }
        return given;
    }

    #ownedRow(table, reader, former) {
        const slot = reader.varint();
        if (slot <= former || !table.ids[slot])
            throw new WireError(`slot ${slot} of ${table.name} holds no row, or comes too late`);
        for (const column of table.owned) {
            if (!column.isNumber) column.items[slot] = readItem(column, reader);
            else {
                const value = reader.varint() | 0;
                column.raw[slot] = checked(column, column.isSigned ? unzigzag(value) : value);
            }
        }
        table.touched[slot] = table.frame;
        return slot;
    }
}

function counted(reader, most) {
    const count = reader.varint();
    if (count === 0 || count > most) throw new WireError(`a count of ${count} where 1 to ${most} may be`);
    return count;
}

function readItem(column, reader) {
    const { type, max, name } = column.field;
    const item = type === "text" ? reader.text() : reader.blob();
    // A text's length counts characters, of which some take two places in a JavaScript string.
    if (item.length > max && (type === "blob" || [...item].length > max)) throw new WireError(`${name} is too long`);
    return item;
}
