/**
 * The state of a room, kept up to date from `game_state` and `private` messages: sections 4 and 5 of docs/reference/wire.md.
 *
 * After every message the integers in the tables equal the server's. A message that breaks a rule throws a WireError and leaves the
 * state unfit for use: the reader must come back for a snapshot. Knows the order of a message's parts; what stands in a section is for
 * sections.js, and who is in which cell for cells.js. Knows nothing of connections and clocks.
 */

import { Reader, WireError, unzigzag } from "./bytes.js";
import { View } from "./cells.js";
import { checkStrayed, checked, extrapolate } from "./prediction.js";
import { SectionReader, readItem } from "./sections.js";
import { Table } from "./table.js";

const SNAPSHOT = 1;
const CORRECTIONS = 2;
const VIEW = 4;
const FAR = 8;
const GONE = 1;
const ENTERED = 2;
const CHANGED = 4;
/** Of a cell only, which says for itself what the message's flags say for tables. */
const CORRECTED = 8;
const INPUT = 1;
const ENTITY = 2;
const VALUES = 4;
const RESET = 8;
const NO_TABLE = 255;

export class State {
    #sectionReader = new SectionReader();
    #isElsewhere = false;

    /** @param schema a checked one: see schema.js */
    constructor(schema) {
        this.schema = schema;
        /** @type {Table[]} by their number */
        this.tables = [];
        for (const spec of schema.tables) this.tables.push(new Table(spec, this.tables, schema.tickRate));
        /** What is seen of a room with an area. @type {View | null} */
        this.view = schema.area ? new View(schema.area, this.tables) : null;
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
        const known = SNAPSHOT | CORRECTIONS | (this.view === null ? 0 : VIEW | FAR);
        if (flags & ~known || (flags & (SNAPSHOT | CORRECTIONS)) === (SNAPSHOT | CORRECTIONS))
            throw new WireError(`flags 0x${flags.toString(16)}`);
        const epoch = reader.varint();
        const tick = reader.varint64();
        const isSnapshot = (flags & SNAPSHOT) !== 0;
        const bringsFar = isSnapshot || (flags & FAR) !== 0;
        if (isSnapshot) this.#snapshot(reader, flags);
        else this.#delta(reader, epoch, tick, flags);
        reader.finish();
        this.view?.settle();
        for (const table of this.tables) table.settle(isSnapshot && this.#isElsewhere);
        if (isSnapshot) {
            const isNewHistory = !this.ready || epoch !== this.epoch || tick < this.tick;
            if (isNewHistory) for (const table of this.tables) table.history?.clear();
            this.#isElsewhere = false;
        }
        this.epoch = epoch;
        this.tick = tick;
        if (this.view !== null && bringsFar) this.view.farTick = tick;
        this.ready = true;
        for (const table of this.tables) table.history?.record(tick, bringsFar);
        return isSnapshot;
    }

    #snapshot(reader, flags) {
        for (const table of this.tables) {
            table.begin();
            table.empty();
        }
        this.view?.empty();
        if (flags & VIEW) this.view.change(reader, { hasFar: true, isSnapshot: true });
        this.#sections(
            reader,
            (table, parts) => {
                if (parts === undefined) return;
                onlyEntered(parts);
                this.#sectionReader.enter(reader, table);
                table.order();
            },
            (division, parts, cell) => {
                onlyEntered(parts);
                this.view.demand(cell, null);
                division.enter(division.of(cell), this.#sectionReader.enter(reader, division.table));
            },
        );
    }

    #delta(reader, epoch, tick, flags) {
        const gap = reader.varint();
        if (gap === 0) throw new WireError("a delta from its own tick");
        if (!this.ready || epoch !== this.epoch || tick - gap !== this.tick) {
            throw new WireError(`a delta from ${epoch}:${tick - gap}, but this reader is at ${this.epoch}:${this.tick}`);
        }
        const gaps = { near: gap, far: flags & FAR ? this.#farGap(reader, tick) : 0 };
        for (const table of this.tables) table.begin();
        if (flags & VIEW) this.view.change(reader, { hasFar: gaps.far > 0, isSnapshot: false });
        this.#sections(
            reader,
            (table, parts) => this.#advance(reader, table, parts, gap, (flags & CORRECTIONS) !== 0),
            (division, parts, cell) => this.#advanceCell(reader, division, parts, cell, gaps),
        );
        if (this.view !== null) this.#advanceOthers(gaps);
    }

    #farGap(reader, tick) {
        const gap = reader.varint();
        if (gap === 0 || tick - gap !== this.view.farTick)
            throw new WireError(`far cells from ${tick - gap}, but those of this reader are at ${this.view.farTick}`);
        return gap;
    }

    #advance(reader, table, parts, gap, hasCorrections) {
        if (parts & GONE) {
            for (const slot of this.#sectionReader.gone(reader, table.size, table.ids.length)) {
                if (table.ids[slot] === 0) throw new WireError(`slot ${slot} of ${table.name} holds no row to remove`);
                table.leave(slot);
            }
            table.order();
        }
        extrapolate(table, table.slots, gap);
        if (parts & ENTERED) {
            this.#sectionReader.enter(reader, table);
            table.order();
        }
        if (parts & CHANGED) this.#sectionReader.change(reader, table, table.slots, hasCorrections);
        checkStrayed(table, table.slots);
    }

    #advanceCell(reader, division, parts, cell, gaps) {
        const { table } = division;
        this.view.demand(cell, gaps);
        const members = division.of(cell);
        if (parts & GONE) division.strike(members, this.#sectionReader.gone(reader, members.size, table.ids.length));
        extrapolate(table, division.rows(members), this.view.gapOf(cell, gaps));
        if (parts & ENTERED) division.enter(members, this.#sectionReader.enter(reader, table));
        const rows = division.rows(members);
        if (parts & (CHANGED | CORRECTED)) this.#sectionReader.change(reader, table, rows, (parts & CORRECTED) !== 0);
        checkStrayed(table, rows);
        members.frame = table.frame;
        division.tidy(members);
    }

    /** Moves on the rows of all cells without a section. */
    #advanceOthers(gaps) {
        for (const division of this.view.divisions.values()) {
            const { table } = division;
            for (const members of division) {
                const gap = members.frame === table.frame ? 0 : this.view.gapOf(members.cell, gaps);
                if (gap === 0) continue;
                const rows = division.rows(members);
                extrapolate(table, rows, gap);
                checkStrayed(table, rows);
            }
        }
    }

    /**
     * Visits every table that is not divided, in order: with the parts of its section, or with undefined if it has none; and then the sections
     * of cells with the table's division, their parts and the cell.
     */
    #sections(reader, visit, visitCell) {
        let next = 0;
        const visitUpTo = (number) => {
            for (; next < number; next++) if (this.tables[next].division === null) visit(this.tables[next], undefined);
        };
        let cell = -1;
        let former = -1;
        while (reader.left > 0) {
            const number = reader.u8();
            const table = this.tables[number];
            if (table === undefined) throw new WireError(`a section of table ${number}`);
            const parts = reader.u8();
            const { division } = table;
            if (parts === 0 || parts & ~(GONE | ENTERED | CHANGED | (division === null ? 0 : CORRECTED)))
                throw new WireError(`parts 0x${parts.toString(16)}`);
            if (division === null) {
                if (number < next) throw new WireError(`a section of table ${number} comes too late`);
                visitUpTo(number);
                next = number + 1;
                visit(table, parts);
                continue;
            }
            visitUpTo(this.tables.length);
            if ((parts & CHANGED) !== 0 && (parts & CORRECTED) !== 0)
                throw new WireError("residuals and corrections of one cell");
            const before = cell;
            cell = reader.varint();
            if (cell < before || (cell === before && number <= former))
                throw new WireError(`a section of cell ${cell} and table ${number} comes too late`);
            former = number;
            visitCell(division, parts, cell);
        }
        visitUpTo(this.tables.length);
        for (const { single, size, ids, name } of this.tables)
            if (single && (size !== 1 || ids[0] === 0)) throw new WireError(`${name} is without its one row`);
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

function onlyEntered(parts) {
    if (parts !== ENTERED) throw new WireError("a snapshot has rows that enter and nothing else");
}
