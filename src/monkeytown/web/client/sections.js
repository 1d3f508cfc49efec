/**
 * Sections of a state: who is gone, who enters, what changes, in a table or in one cell of it. Section 4 of docs/reference/wire.md.
 *
 * Knows the forms, and which rows they speak of only as the slots that it is given. Knows nothing of the order of sections.
 */

import { WireError, unzigzag } from "./bytes.js";
import { bend, checked, demandNone, move, tooFar } from "./prediction.js";

const WIDTH = 0x3f;
const OUTLIERS = 0x40;
const QUOTIENTS = 0x80;
const GENERATIONS = 4095;

export class SectionReader {
    /** Scratch: values of one column, the slots of the rows they belong to, and places among those. */
    #values = new Int32Array(64);
    #picked = new Int32Array(64);
    #places = new Int32Array(64);

    /** The slots of those who are gone, of `most` at most and all below `limit`; good until the next call of anything here. */
    gone(reader, most, limit) {
        const count = counted(reader, most);
        this.#makeRoom(count);
        reader.places(count, limit, this.#picked);
        return this.#picked.subarray(0, count);
    }

    /** Puts the rows that enter into the table, and returns their slots; good until the next call of anything here. */
    enter(reader, table) {
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
        return slots.subarray(0, count);
    }

    /** Changes rows among those in `slots`: by absolute values, or else by residuals. */
    change(reader, table, slots, hasCorrections) {
        if (hasCorrections) this.#correct(reader, table, slots);
        else this.#adjust(reader, table, slots);
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
    #adjust(reader, table, slots) {
        const picked = this.#pick(reader, slots);
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
            if (table.hasEntries) demandNone(table, picked, this.#values);
            if (column.isLinear) bend(column, picked, this.#values, table);
            else move(column, picked, this.#values, table);
        }
    }

    /** The residuals of one column for `count` rows, as zigzags, into the scratch values. */
    #residuals(reader, count) {
        const values = this.#values;
        const head = reader.u8();
        reader.unpack(count, head & WIDTH, values);
        if (head & QUOTIENTS) reader.addQuotients(count, head & WIDTH, values);
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
    #correct(reader, table, slots) {
        const columns = table.shared;
        const mask = reader.mask(columns.length);
        for (let i = 0; i < columns.length; i++) {
            if (!((reader.bytes[mask + (i >> 3)] >> (i & 7)) & 1)) continue;
            const column = columns[i];
            const picked = this.#pick(reader, slots);
            if (column.isNumber) this.#replace(column, reader, picked.length, picked);
            else for (const slot of picked) column.items[slot] = readItem(column, reader);
            for (const slot of picked) table.touched[slot] = table.frame;
        }
    }

    /** Of `slots`, those that a row set selects. */
    #pick(reader, slots) {
        this.#makeRoom(slots.length);
        const picked = this.#picked;
        const count = reader.rowSet(slots.length, picked);
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
}

function counted(reader, most) {
    const count = reader.varint();
    if (count === 0 || count > most) throw new WireError(`a count of ${count} where 1 to ${most} may be`);
    return count;
}

/** A text or a blob of a column. */
export function readItem(column, reader) {
    const { type, max, name } = column.field;
    const item = type === "text" ? reader.text() : reader.blob();
    // A text's length counts characters, of which some take two places in a JavaScript string.
    if (item.length > max && (type === "blob" || [...item].length > max)) throw new WireError(`${name} is too long`);
    return item;
}
