/**
 * The integers of columns from one tick to a later one: extrapolation, residuals, and the bounds that both must keep.
 *
 * The arithmetic of docs/reference/wire.md, section 4, on whole columns; knows nothing of bytes. These loops are what a state costs.
 */

import { WireError } from "./bytes.js";

/** The value, if the field can have it. */
export function checked(column, value) {
    if ((value - column.least) >>> 0 > column.span) throw noValue(column, value);
    return value;
}

function noValue(column, value) {
    return new WireError(`${column.field.name} has no wire value ${column.isSigned ? value : value >>> 0}`);
}

export function tooFar(column) {
    return new WireError(`${column.field.name} cannot turn so far`);
}

/** Moves the values of rows on by `gap` of their steps. One that leaves its field's range must be brought back by a residual: see `checkStrayed`. */
export function extrapolate(table, slots, gap) {
    for (const column of table.shared) if (column.isLinear) column.strayed = advance(column, slots, table, gap);
}

function advance({ raw, steps, mask, least, span }, slots, { touched, frame }, gap) {
    let strayed = false;
    for (let i = 0; i < slots.length; i++) {
        const slot = slots[i];
        const step = steps[slot];
        if (step === 0) continue;
        const value = (raw[slot] + Math.imul(step, gap)) & mask;
        if ((value - least) >>> 0 > span) strayed = true;
        raw[slot] = value;
        touched[slot] = frame;
    }
    return strayed;
}

export function checkStrayed(table, slots) {
    for (const column of table.shared) {
        if (!column.isLinear || !column.strayed) continue;
        for (const slot of slots) checked(column, column.raw[slot]);
    }
}

/** Adds residuals to the values of a column that holds. */
export function move(column, slots, residuals, { touched, frame }) {
    const { raw, mask, least, span } = column;
    const most = mask >>> 0;
    for (let i = 0; i < slots.length; i++) {
        const zigzag = residuals[i];
        if (zigzag === 0) continue;
        if (zigzag >>> 0 > most) throw tooFar(column);
        const slot = slots[i];
        const value = (raw[slot] + ((zigzag >>> 1) ^ -(zigzag & 1))) & mask;
        if ((value - least) >>> 0 > span) throw noValue(column, value);
        raw[slot] = value;
        touched[slot] = frame;
    }
}

/** Adds residuals to the values and the steps of a column that goes on as it went. */
export function bend(column, slots, residuals, { touched, frame }) {
    const { raw, steps, mask, shift, least, span } = column;
    const most = mask >>> 0;
    for (let i = 0; i < slots.length; i++) {
        const zigzag = residuals[i];
        if (zigzag === 0) continue;
        if (zigzag >>> 0 > most) throw tooFar(column);
        const residual = (zigzag >>> 1) ^ -(zigzag & 1);
        const slot = slots[i];
        const value = (raw[slot] + residual) & mask;
        if ((value - least) >>> 0 > span) throw noValue(column, value);
        raw[slot] = value;
        steps[slot] = ((steps[slot] + residual) << shift) >> shift;
        touched[slot] = frame;
    }
}

/** Rows that entered in this very message have their values already. */
export function demandNone(table, slots, residuals) {
    for (let i = 0; i < slots.length; i++) {
        if (residuals[i] !== 0 && table.born[slots[i]] === table.frame)
            throw new WireError("a row changes in the message that it enters in");
    }
}
