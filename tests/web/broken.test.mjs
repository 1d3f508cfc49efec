import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { State, WireError, checkSchema } from "../../src/monkeytown/web/client/wire.js";
import { Model, seeded, varint } from "./encoder.mjs";
import { feed, live } from "./life.mjs";
import { everything, field, schema, table } from "./schemas.mjs";

describe("a broken message", () => {
    const spec = schema([
        table("m", [field("x", "fixed", { predict: "linear" }), field("n", "text")]),
        table("s", [field("v", "uint")], { capacity: 1, single: true }),
    ]);
    const start = () => {
        const model = new Model(spec, seeded(3));
        const state = new State(spec);
        for (const slot of [0, 1, 3]) model.spawn(0, slot, [slot * 10, "n"]);
        model.spawn(1, 0, [1]);
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
        "quotients that end early": [...head, 0, 4, 0, 1, 0x80, 0x01],
        "a quotient of 16": [...head, 0, 4, 0, 1, 0x80, 0, 0, 0x07],
        "quotients with unused bits": [...head, 0, 4, 0, 1, 0x80, 0x0f],
        "a width of 29 beside quotients": [...head, 0, 4, 0, 1, 0x9d, ...new Array(11).fill(0), 0x07],
        "an outlier that has a quotient": [...head, 0, 4, 0, 1, 0xc0, 0x0d, 1, 0, 0, 1, 1],
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
        const turning = schema([
            table("m", [field("h", "angle", { bits: 4, predict: "linear" }), field("a", "angle", { bits: 4 })]),
        ]);
        for (const bytes of [
            [5, 17, 0, 0],
            [0, 5, 17, 0],
            [0, 0, 5, 17],
        ]) {
            assert.throws(
                () => feed(new State(turning), Uint8Array.from([0x43, 1, 3, 1, 0, 2, 1, 0, 0, ...bytes])),
                /no wire value|cannot turn/,
            );
        }
        const good = () => {
            const state = new State(turning);
            feed(state, Uint8Array.from([0x43, 1, 3, 1, 0, 2, 1, 0, 0, 0, 0, 0]));
            return state;
        };
        feed(good(), Uint8Array.from([0x43, 0, 3, 2, 1, 0, 4, 0, 3, 4, 15, 4, 15]));
        for (const mask of [1, 2])
            assert.throws(() => feed(good(), Uint8Array.from([0x43, 0, 3, 2, 1, 0, 4, 0, mask, 5, 16])), /cannot turn/);
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
        assert.deepEqual(
            [0, 1].map((slot) => given.tables[0].columns.v.get(slot)),
            [15, 3],
        );
        const broken = {
            rows: [0, 2, 1, 5, 0, 5],
            "a row twice": [0, 2, 1, 5, 1, 5],
            tables: [1, 1, 0, 5, 0, 1, 0, 5],
            "a table twice": [0, 1, 0, 5, 0, 1, 1, 5],
            "too large": [0, 1, 0, 16],
        };
        for (const [name, bytes] of Object.entries(broken))
            assert.throws(() => feed(state(), Uint8Array.from([0x44, 4, ...bytes])), WireError, name);
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
        const messages = [
            first,
            model.delta(3),
            model.delta(4),
            model.private({ input: 3, values: [{ table: 0, slots: [...model.tables[0].keys()] }] }),
        ];
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
        const bases = new Map([
            [messages[0], null],
            [messages[1], first],
            [messages[3], model.snapshot()],
        ]);
        model.tick = 4;
        model.tables = model.past.get(4);
        bases.set(messages[2], model.snapshot());
        let attempts = 0;
        for (const message of messages) {
            for (let at = 1; at < message.length; at++, attempts += 5) {
                attempt(bases.get(message), message.subarray(0, at));
                for (const flip of [0x01, 0x80, 0xff, 1 + random.below(255)])
                    attempt(bases.get(message), message.with(at, message[at] ^ flip));
            }
        }
        assert.ok(refused > attempts / 4, `${refused} of ${attempts} were refused`);
    });

    test("a schema that breaks a rule is refused", () => {
        const broken = [
            {},
            { ...spec, tables: [{}] },
            schema([table("m", [field("x", "float")])]),
            schema([table("m", [field("x", "uint", { bits: 33 })])]),
            schema([table("m", [field("x", "uint", { count: 2 ** 31 })])]),
            schema([table("m", [], { capacity: 2 ** 21 })]),
            schema([table("m", [field("x", "ref", { table: 1 })])]),
            schema([table("m", [field("x", "fixed", { step: 0 })])]),
            schema([], { input: {} }),
            schema([table("m", [field("x", "bool", { predict: "linear" })])]),
            schema([table("m", [field("x", "uint", { predict: "linear", ownerOnly: true })])]),
            schema([table("m", [field("x", "text", { count: 2 })])]),
            schema(Array.from({ length: 201 }, (_, n) => table(`t${n}`, []))),
            schema([], { input: { name: "I", hash: 1, fields: [field("t", "text")] } }),
            { ...spec, tickRate: NaN },
        ];
        for (const each of broken) assert.throws(() => checkSchema(each), WireError, JSON.stringify(each));
        assert.equal(checkSchema(spec), spec);
    });
});
