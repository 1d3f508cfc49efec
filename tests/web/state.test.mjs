import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Reader, State, WireError, checkSchema } from "../../src/monkeytown/web/client/wire.js";
import { Model, asValue, isNumber, predicted, same, seeded, varint } from "./encoder.mjs";
import { everything, field, schema, table } from "./schemas.mjs";

/** Applies a whole message. */
function feed(state, bytes) {
    const reader = new Reader(bytes);
    return reader.u8() === 0x43 ? state.apply(reader) : state.applyPrivate(reader);
}

function lanesOf(target) {
    return Object.values(target.columns).flatMap((column) => column.lanes ?? [column]);
}

/** Every integer, step, text and blob, as plain data; owner-only columns apart. */
function contents(state) {
    return state.tables.map((table) =>
        [...table.slots].map((slot) => ({
            id: table.ids[slot],
            values: lanesOf(table).map((lane) => (lane.field.ownerOnly ? null : lane.isNumber ? [lane.wire[slot], lane.steps?.[slot] ?? 0] : lane.items[slot])),
        })),
    );
}

function expected(model) {
    return model.tables.map((rows, number) =>
        [...rows.keys()]
            .sort((a, b) => a - b)
            .map((slot) => {
                const row = rows.get(slot);
                const values = model.columns[number].map((field, i) => {
                    if (field.ownerOnly) return null;
                    return isNumber(field) ? [row.values[i], row.steps[i]] : row.values[i];
                });
                return { id: row.generation * 2 ** 20 + slot, values };
            }),
    );
}

function randomValue(field, random, before) {
    if (field.type === "text") return "🐒é\u0000x".slice(0, random.below(5) & ~1) + random.below(100);
    if (field.type === "blob") return Uint8Array.from({ length: random.below(5) }, () => random.below(256));
    if (before !== undefined && random.chance(0.7)) return asValue(field, BigInt(before) + BigInt(random.below(40) - 20));
    return asValue(field, random.below(2 ** 32));
}

/** One tick's worth of whatever a game may do. */
function live(model, random) {
    model.tables.forEach((rows, number) => {
        const spec = model.schema.tables[number];
        const columns = model.columns[number];
        if (spec.single && rows.size === 0) model.spawn(number, 0, columns.map((field) => randomValue(field, random)));
        for (const [slot, row] of [...rows]) {
            if (!spec.single && random.chance(0.05)) rows.delete(slot);
            columns.forEach((field, i) => {
                const old = model.past.get(model.tick)?.[number].get(slot);
                if (random.chance(0.3)) row.values[i] = randomValue(field, random, row.values[i]);
                else if (isNumber(field) && old?.generation === row.generation) row.values[i] = asValue(field, predicted(field, old.values[i], old.steps[i], 1));
            });
        }
        for (let i = random.below(4); i > 0 && !spec.single; i--) {
            const slot = random.below(random.chance(0.9) ? 20 : spec.capacity);
            if (!rows.has(slot)) model.spawn(number, slot, columns.map((field) => randomValue(field, random)));
        }
    });
    model.commit();
}

describe("the state decoder", () => {
    for (let seed = 1; seed <= 40; seed++) {
        test(`equals the writer at every tick that reaches it, seed ${seed}`, () => {
            const random = seeded(seed);
            const model = new Model(everything(), random);
            const state = new State(checkSchema(everything()));
            live(model, random);
            feed(state, model.snapshot());
            assert.deepEqual(contents(state), expected(model));
            for (let i = 0; i < 60; i++) {
                const skipped = random.chance(0.7) ? 0 : random.below(10);
                for (let skip = 0; skip <= skipped; skip++) live(model, random);
                const before = new Set(state.tables.flatMap((table, number) => [...table].map((row) => `${number}:${row.id}`)));
                if (random.chance(0.1)) assert.equal(feed(state, model.snapshot()), true);
                else assert.equal(feed(state, model.delta(state.tick, random.chance(0.2) ? { corrections: true } : {})), false);
                assert.deepEqual(contents(state), expected(model));
                assert.equal(state.tick, model.tick);
                const now = new Set(state.tables.flatMap((table, number) => [...table].map((row) => `${number}:${row.id}`)));
                const entered = state.tables.flatMap((table, number) => [...table.entered].map((slot) => `${number}:${table.ids[slot]}`));
                const gone = state.tables.flatMap((table, number) => [...table.gone].map((id) => `${number}:${id}`));
                assert.deepEqual(new Set(entered), new Set([...now].filter((id) => !before.has(id))));
                assert.deepEqual(new Set(gone), new Set([...before].filter((id) => !now.has(id))));
            }
        });
    }

    test("names the rows that changed, and only those that may have", () => {
        const random = seeded(99);
        const model = new Model(everything(), random);
        const state = new State(everything());
        live(model, random);
        feed(state, model.snapshot());
        for (let i = 0; i < 100; i++) {
            const before = model.past.get(model.tick);
            live(model, random);
            feed(state, model.delta(state.tick));
            state.tables.forEach((target, number) => {
                const changed = new Set(target.changed);
                for (const [slot, row] of model.tables[number]) {
                    const old = before[number].get(slot);
                    if (old?.generation !== row.generation) assert.ok(!changed.has(slot), "a row that entered has not changed");
                    else if (model.columns[number].some((spec, c) => !spec.ownerOnly && !same(old.values[c], row.values[c]))) assert.ok(changed.has(slot));
                }
            });
        }
    });

    test("extrapolates tables without a section, however large the gap", () => {
        const spec = schema([table("a", [field("x", "sint", { bits: 32, predict: "linear" })]), table("b", [field("h", "angle", { predict: "linear" })])]);
        const model = new Model(spec, seeded(1));
        const state = new State(spec);
        model.spawn(0, 5, [100]);
        model.spawn(1, 2, [250]);
        model.tables[0].get(5).steps[0] = -(2 ** 30) - 7;
        model.tables[1].get(2).steps[0] = 3;
        model.commit();
        feed(state, model.snapshot());
        feed(state, Uint8Array.from([0x43, 0, ...varint(3), ...varint(2 ** 31), ...varint(2 ** 31 - 1)]));
        assert.equal(state.tables[0].columns.x.wire[5], Number(BigInt.asIntN(32, 100n - (2n ** 30n + 7n) * (2n ** 31n - 1n))));
        assert.equal(state.tables[1].columns.h.wire[2], Number((250n + 3n * (2n ** 31n - 1n)) & 255n));
    });

    test("tells a row that stayed through a snapshot from one that entered", () => {
        const spec = schema([table("a", [field("x", "uint")])]);
        const model = new Model(spec, seeded(1));
        const state = new State(spec);
        model.spawn(0, 1, [5]);
        model.spawn(0, 2, [5]);
        model.commit();
        feed(state, model.snapshot());
        model.tables[0].delete(1);
        model.tables[0].get(2).values[0] = 6;
        model.spawn(0, 3, [7]);
        model.commit();
        feed(state, model.snapshot());
        const [rows] = state.tables;
        assert.deepEqual([[...rows.entered], [...rows.changed], [...rows.gone]], [[3], [2], [2 ** 20 + 1]]);
    });

    test("gives values as the game means them", () => {
        const model = new Model(everything(), seeded(5));
        const state = new State(everything());
        const monkey = [16 * 100, 32768, 64, 2 ** 31, 8, -5, 4e9, 0, 0, "", 1, 2, "Ada", Uint8Array.of(1, 2), 2 ** 20 + 4, 1, 2, 3, 16, 32];
        model.spawn(0, 4, monkey);
        model.spawn(2, 0, [0, 1, 2, 0, 1, 2, 0, 1, 2, 1]);
        model.commit();
        feed(state, model.snapshot());
        const [monkeys, , board] = state.tables;
        const row = monkeys.get(2 ** 20 + 4);
        assert.deepEqual(
            { ...row.toJSON(), skin: [...row.skin] },
            {
                id: 2 ** 20 + 4, x: 100, y: 2048, heading: Math.PI / 2, aim: Math.PI, tilt: Math.PI / 2, score: -5, bananas: 4e9, secret: 0, wound: 0, note: "",
                awake: true, mood: "hide", name: "Ada", skin: [1, 2], friend: 2 ** 20 + 4, slots: [1, 2, 3], tail: [1, 2],
            },
        );
        assert.equal(row.friend, row, "a reference is the row itself, and there is one view of a row");
        assert.equal(monkeys.columns.y.values[4], 2048);
        assert.equal(monkeys.columns.bananas.wire[4], 4e9);
        assert.equal(monkeys.columns.slots.lane(2).values[4], 3);
        assert.deepEqual(board.row.cells, ["idle", "run", "hide", "idle", "run", "hide", "idle", "run", "hide"]);
        assert.equal(monkeys.row, null);
        assert.equal(monkeys.get(2 ** 21 + 4), null, "another generation is another entity");
        assert.equal(monkeys.get(0), null);
        assert.equal(monkeys.has(2 ** 20 + 4), true);
        assert.equal(JSON.parse(JSON.stringify(row)).friend, row.id);
    });

    test("keeps owner-only values through states, and clears them on reset, on entering and in snapshots", () => {
        const random = seeded(8);
        const model = new Model(everything(), random);
        const state = new State(everything());
        const values = (secret) => model.columns[0].map((spec) => (spec.name === "secret" ? secret : spec.name === "wound" ? -9 : spec.name === "note" ? "mine" : randomValue(spec, random)));
        model.spawn(0, 1, values(11));
        model.spawn(0, 2, values(22));
        model.commit();
        feed(state, model.snapshot());
        const given = feed(state, model.private({ input: 300, entity: { table: 0, id: 2 ** 20 + 1 }, reset: true, values: [{ table: 0, slots: [1] }] }));
        const { secret, note, wound } = state.tables[0].columns;
        assert.deepEqual([...given.values()], [[1]]);
        assert.deepEqual([secret.get(1), wound.get(1), note.get(1), secret.get(2)], [11, -9, "mine", 0]);
        assert.equal(state.inputSeen, 300);
        assert.equal(state.entity.slot, 1);
        assert.ok(!state.tables[0].changed.includes(1), "a row that has just entered has not changed");
        model.commit();
        feed(state, model.delta(state.tick));
        feed(state, model.private({ values: [{ table: 0, slots: [2] }] }));
        assert.deepEqual([secret.get(1), secret.get(2)], [11, 22]);
        assert.ok(state.tables[0].changed.includes(2));
        feed(state, model.private({ reset: true, values: [{ table: 0, slots: [2] }] }));
        assert.deepEqual([secret.get(1), note.get(1), secret.get(2)], [0, "", 22]);
        feed(state, model.private({ entity: { table: 255, id: 0 } }));
        assert.equal(state.entity, null);
        feed(state, model.snapshot());
        assert.equal(secret.get(2), 0);
        assert.throws(() => feed(state, Uint8Array.from([0x44, 4, 0, 1, 9, 0, 0, 0])), WireError, "slot 9 holds no row");
        assert.throws(() => feed(state, Uint8Array.from([0x44, 4, 7, 0])), WireError);
        assert.throws(() => feed(state, Uint8Array.from([0x44, 16])), WireError);
        assert.throws(() => feed(state, Uint8Array.from([0x44, 2, 9, 0])), WireError);
    });
});

describe("a broken message", () => {
    const spec = schema([table("m", [field("x", "fixed", { predict: "linear" }), field("n", "text")]), table("s", [field("v", "uint")], { capacity: 1, single: true })]);
    const start = () => {
        const model = new Model(spec, seeded(3));
        const state = new State(spec);
        for (const slot of [0, 1, 3]) model.spawn(0, slot, [slot * 10, "n"]);
        model.commit();
        feed(state, model.snapshot());
        return { model, state };
    };
    const head = [0x43, 0, 3, 2, 1];
    const rules = {
        "unknown flags": [0x43, 4, 3, 2, 1],
        "a gap of zero": [0x43, 0, 3, 1, 0],
        "another base": [0x43, 0, 3, 3, 1],
        "another epoch": [0x43, 0, 4, 2, 1],
        "a tick of more than ten bytes": [0x43, 0, 3, ...new Array(10).fill(0x81), 1],
        "a tick beyond 2^53": [0x43, 0, 3, ...varint(2n ** 63n), 1],
        "an epoch of 2^32": [0x43, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 2, 1],
        "a table that does not exist": [...head, 2, 1, 1, 0],
        "a section without parts": [...head, 0, 0],
        "a section with unknown parts": [...head, 0, 8],
        "sections out of order": [...head, 1, 2, 1, 0, 0, 0, 0, 1, 1, 0],
        "two sections of a table": [...head, 0, 1, 1, 0, 0, 1, 1, 0],
        "a removal of none": [...head, 0, 1, 0, 0],
        "a removal from an empty slot": [...head, 0, 1, 1, 2, 2],
        "a removal of too many": [...head, 0, 1, 4, 0],
        "a removal beyond the slots": [...head, 0, 1, 1, 32, 255, 255, 255, 255],
        "an entry beyond the capacity": [...head, 0, 2, 1, 7, 64, 0, 0, 0, 0],
        "entries beyond the capacity": [...head, 0, 2, 65, 0, 0, 0, 0],
        "a second row of a single table": [...head, 1, 2, 1, 1, 1, 0, 0],
        "a generation beyond 4095": [...head, 0, 2, 1, 0, 12, 0xff, 0x0f, 0, 0, 0],
        "a width of 33": [...head, 0, 4, 0, 1, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "an unknown row set": [...head, 0, 4, 3, 1, 0],
        "a row set of too many": [...head, 0, 4, 2, 4, 0, 1, 0],
        "a row set beyond the rows": [...head, 0, 4, 2, 1, 2, 3, 1, 0],
        "a bitmap with unused bits": [...head, 0, 4, 1, 0x09, 1, 0],
        "a column mask with unused bits": [...head, 0, 4, 0, 4, 0],
        "a head with bit 7": [...head, 0, 4, 0, 1, 0x80],
        "packed values with unused bits": [...head, 0, 4, 0, 1, 1, 0x08],
        "no outliers where there should be some": [...head, 0, 4, 0, 1, 0x40, 0],
        "more outliers than rows": [...head, 0, 4, 0, 1, 0x40, 4, 0, 0],
        "an outlier beyond the rows": [...head, 0, 4, 0, 1, 0x40, 1, 2, 3, 0],
        "an outlier that has a residual already": [...head, 0, 4, 0, 1, 0x42, 0x01, 1, 0, 2, 2],
        "a residual for a row that has just entered": [...head, 0, 6, 1, 2, 2, 0, 0, 0, 1, 97, 2, 1, 2, 2, 1, 1, 1],
        "text that is not UTF-8": [...head, 0, 4, 0, 2, 2, 1, 0, 2, 0xc3, 0x28],
        "text longer than the message": [...head, 0, 4, 0, 2, 2, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1],
        "bytes left over": [...head, 0, 1, 1, 0, 9],
        "a snapshot with corrections": [0x43, 3, 3, 2],
        "a fixed value beyond its range": [...head, 0, 4, 2, 1, 0, 1, 16, 0xff, 0xff],
        "a fixed value that enters beyond its range": [...head, 0, 2, 1, 0, 0, 16, 0x01, 0x80, 0, 1, 97],
        "a text that is too long": [...head, 0, 4, 0, 2, 2, 1, 0, 25, ...new Array(25).fill(97)],
        "a whole number of more bits than its field": [...head, 1, 2, 1, 0, 0, 17, 0, 0, 1],
        "a snapshot with changes": [0x43, 1, 3, 2, 0, 4, 0, 1, 0],
    };
    for (const [name, bytes] of Object.entries(rules)) {
        test(`is refused: ${name}`, () => assert.throws(() => feed(start().state, Uint8Array.from(bytes)), WireError));
    }

    test("is one whose values run out of their range between corrections", () => {
        const { model, state } = start();
        model.tables[0].get(3).values[0] = 32760;
        model.commit();
        feed(state, model.delta(state.tick));
        assert.throws(() => feed(state, Uint8Array.from([0x43, 0, 3, 3, 1])), /no wire value/);
    });

    test("is one that turns an angle further than its bits", () => {
        const turning = schema([table("m", [field("h", "angle", { bits: 4, predict: "linear" }), field("a", "angle", { bits: 4 })])]);
        for (const bytes of [[5, 17, 0, 0], [0, 5, 17, 0], [0, 0, 5, 17]]) {
            assert.throws(() => feed(new State(turning), Uint8Array.from([0x43, 1, 3, 1, 0, 2, 1, 0, 0, ...bytes])), /no wire value|cannot turn/);
        }
        const good = () => {
            const state = new State(turning);
            feed(state, Uint8Array.from([0x43, 1, 3, 1, 0, 2, 1, 0, 0, 0, 0, 0]));
            return state;
        };
        feed(good(), Uint8Array.from([0x43, 0, 3, 2, 1, 0, 4, 0, 3, 4, 15, 4, 15]));
        for (const mask of [1, 2]) assert.throws(() => feed(good(), Uint8Array.from([0x43, 0, 3, 2, 1, 0, 4, 0, mask, 5, 16])), /cannot turn/);
    });

    test("is a private out of order", () => {
        const owned = schema([0, 1].map((n) => table(`t${n}`, [field("v", "uint", { ownerOnly: true, bits: 4 })])));
        const state = () => {
            const fresh = new State(owned);
            feed(fresh, Uint8Array.from([0x43, 1, 3, 1, 0, 2, 2, 0, 0, 1, 2, 1, 0, 0]));
            return fresh;
        };
        const given = state();
        feed(given, Uint8Array.from([0x44, 4, 0, 2, 0, 15, 1, 3, 1, 1, 0, 2]));
        assert.deepEqual([0, 1].map((slot) => given.tables[0].columns.v.get(slot)), [15, 3]);
        const broken = { rows: [0, 2, 1, 5, 0, 5], "a row twice": [0, 2, 1, 5, 1, 5], tables: [1, 1, 0, 5, 0, 1, 0, 5], "a table twice": [0, 1, 0, 5, 0, 1, 1, 5], "too large": [0, 1, 0, 16] };
        for (const [name, bytes] of Object.entries(broken)) assert.throws(() => feed(state(), Uint8Array.from([0x44, 4, ...bytes])), WireError, name);
    });

    test("is not confused with a good one", () => {
        const { state } = start();
        feed(state, Uint8Array.from([...head, 0, 6, 1, 2, 2, 0, 0, 0, 1, 97, 2, 1, 2, 2, 1, 0]));
        assert.equal(state.tables[0].size, 4);
        feed(state, Uint8Array.from([0x43, 0, 3, 3, 1, 0, 4, 0, 1, 0x40, 1, 0, 2, 2]));
        assert.equal(state.tables[0].columns.x.wire[0], 1);
    });

    test("before the first snapshot a delta is refused", () => {
        assert.throws(() => feed(new State(spec), Uint8Array.from([0x43, 0, 0, 1, 1])), WireError);
    });

    test("cut off anywhere or with any byte changed, it throws a WireError or is another good message", () => {
        const random = seeded(4);
        const model = new Model(everything(), random);
        for (let i = 0; i < 3; i++) live(model, random);
        const first = model.snapshot();
        for (let i = 0; i < 2; i++) live(model, random);
        const messages = [first, model.delta(3), model.delta(4), model.private({ input: 3, values: [{ table: 0, slots: [...model.tables[0].keys()] }] })];
        let refused = 0;
        const attempt = (before, bytes) => {
            const state = new State(everything());
            if (before !== null) feed(state, before);
            try {
                feed(state, bytes);
            } catch (error) {
                assert.ok(error instanceof WireError, `${error.stack}`);
                refused++;
            }
        };
        const bases = new Map([[messages[0], null], [messages[1], first], [messages[3], model.snapshot()]]);
        model.tick = 4;
        model.tables = model.past.get(4);
        bases.set(messages[2], model.snapshot());
        let attempts = 0;
        for (const message of messages) {
            for (let at = 1; at < message.length; at++, attempts += 5) {
                attempt(bases.get(message), message.subarray(0, at));
                for (const flip of [0x01, 0x80, 0xff, 1 + random.below(255)]) attempt(bases.get(message), message.with(at, message[at] ^ flip));
            }
        }
        assert.ok(refused > attempts / 4, `${refused} of ${attempts} were refused`);
    });

    test("a schema that breaks a rule is refused", () => {
        const broken = [
            {}, { ...spec, tables: [{}] }, schema([table("m", [field("x", "float")])]), schema([table("m", [field("x", "uint", { bits: 33 })])]),
            schema([table("m", [field("x", "uint", { count: 2 ** 31 })])]), schema([table("m", [], { capacity: 2 ** 21 })]),
            schema([table("m", [field("x", "ref", { table: 1 })])]), schema([table("m", [field("x", "fixed", { step: 0 })])]),
            schema([], { input: {} }), schema([table("m", [field("x", "bool", { predict: "linear" })])]),
            schema([table("m", [field("x", "uint", { predict: "linear", ownerOnly: true })])]), schema([table("m", [field("x", "text", { count: 2 })])]),
            schema(Array.from({ length: 201 }, (_, n) => table(`t${n}`, []))), schema([], { input: { name: "I", hash: 1, fields: [field("t", "text")] } }), { ...spec, tickRate: NaN },
        ];
        for (const each of broken) assert.throws(() => checkSchema(each), WireError, JSON.stringify(each));
        assert.equal(checkSchema(spec), spec);
    });
});
