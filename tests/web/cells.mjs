/** Hand-made states of a room with an area, from docs/reference/wire.md alone; see encoder.mjs for the numbers. */

import { gaps, packed, text, varint, zigzag } from "./encoder.mjs";
import { field, schema, table } from "./schemas.mjs";

const ROW = [field("x", "uint", { predict: "linear" }), field("n", "text"), field("gold", "uint", { ownerOnly: true })];
export const BOARD = 0;
export const DOTS = 1;
export const ROCKS = 3;

/** Two tables that everybody sees, and two in 4 × 3 cells. */
export const AREA_SPEC = schema(
    [
        table("board", [field("turn", "uint", { predict: "linear" })], { capacity: 1, single: true }),
        table("dots", ROW, { capacity: 2 ** 20 }),
        table("log", [field("v", "uint")]),
        table("rocks", ROW),
    ],
    { area: { tables: [DOTS, ROCKS], columns: 4, rows: 3, x: 0, y: 0, size: 100 } },
);

const BOARD_ROW = [BOARD, 2, 1, 0, 0, 0, 0];

function list(cells) {
    return [...varint(cells.length), ...(cells.length > 0 ? packed(gaps(cells)) : [])];
}

/** The three lists of a view part. */
export function view({ lost = [], near = [], far = [] }) {
    return [...list(lost), ...list(near), ...list(far)];
}

/** `{ slot, x, step, n, generation }`, of which only the slot must be given. */
export function entering(rows) {
    return [
        ...varint(rows.length),
        ...packed(gaps(rows.map(({ slot }) => slot))),
        ...packed(rows.map(({ generation = 1 }) => generation - 1)),
        ...packed(rows.map(({ x = 0 }) => x)),
        ...packed(rows.map(({ step = 0 }) => zigzag(step))),
        ...rows.flatMap(({ n = "" }) => text(n)),
    ];
}

/** A section of a cell. `residuals` of x are by place in the cell, 0 for those that are not selected; `corrections` are bytes. */
export function section(number, cell, { gone, entered, residuals, corrections }) {
    const parts = (gone ? 1 : 0) | (entered ? 2 : 0) | (residuals ? 4 : 0) | (corrections ? 8 : 0);
    const bytes = [number, parts, ...varint(cell)];
    if (gone) bytes.push(...varint(gone.length), ...packed(gaps(gone)));
    if (entered) bytes.push(...entering(entered));
    if (residuals) bytes.push(0, 1, ...packed(residuals.map(zigzag)));
    if (corrections) bytes.push(...corrections);
    return bytes;
}

export function snapshot(tick, seen, sections = []) {
    const flags = seen ? 5 : 1;
    return [0x43, flags, 3, ...varint(tick), ...(seen ? view(seen) : []), ...BOARD_ROW, ...sections.flat()];
}

/** From `base` to `tick`; with the far ring if it is at `far`. */
export function delta(base, tick, { far, seen, sections = [], flags = 0 } = {}) {
    return [
        0x43,
        flags | (seen ? 4 : 0) | (far === undefined ? 0 : 8),
        3,
        ...varint(tick),
        ...varint(tick - base),
        ...(far === undefined ? [] : varint(tick - far)),
        ...(seen ? view(seen) : []),
        ...sections.flat(),
    ];
}
