/** Schemas for the tests. */

export function field(name, type, options = {}) {
    const bits = { fixed: 15, angle: 8, uint: 16, sint: 16, bool: 1, enum: 2, ref: 32, text: 0, blob: 0 }[type];
    return { name, type, count: 0, predict: "hold", ownerOnly: false, bits, ...EXTRAS[type], ...options };
}

const EXTRAS = {
    fixed: { lo: 0, hi: 2048, step: 1 / 16 },
    enum: { values: ["idle", "run", "hide"] },
    text: { max: 24 },
    blob: { max: 64 },
    ref: { table: 0 },
};

export function table(name, fields, options = {}) {
    return { name, entity: name, capacity: 64, single: false, fields, ...options };
}

export function schema(tables, options = {}) {
    return { gameId: "room-1", game: "jungle", tickRate: 60, hash: 7, tables, input: null, ...options };
}

/** A schema with every type, both predictions, arrays, owner-only fields and a table of one row. */
export function everything() {
    return schema([
        table("monkeys", [
            field("x", "fixed", { predict: "linear" }),
            field("y", "fixed"),
            field("heading", "angle", { predict: "linear" }),
            field("aim", "angle", { bits: 32, predict: "linear" }),
            field("tilt", "angle", { bits: 5 }),
            field("score", "sint", { bits: 32, predict: "linear" }),
            field("bananas", "uint", { bits: 32 }),
            field("secret", "uint", { ownerOnly: true }),
            field("wound", "sint", { ownerOnly: true }),
            field("note", "text", { ownerOnly: true }),
            field("awake", "bool"),
            field("mood", "enum"),
            field("name", "text"),
            field("skin", "blob"),
            field("friend", "ref"),
            field("slots", "uint", { bits: 8, count: 3 }),
            field("tail", "fixed", { predict: "linear", count: 2 }),
        ]),
        table("rocks", [field("x", "fixed"), field("y", "fixed")], { capacity: 1000 }),
        table("board", [field("cells", "enum", { count: 9 }), field("turn", "uint", { bits: 1 })], { capacity: 1, single: true }),
    ]);
}
