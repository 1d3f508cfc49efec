import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { InputLayout, decode } from "../../src/monkeytown/web/client/wire.js";
import { packedBits, seeded, varint } from "./encoder.mjs";
import { field } from "./schemas.mjs";

const STEER = {
    name: "Steer",
    hash: 0xabcd,
    fields: [
        field("turn", "fixed", { lo: -1, hi: 1, step: 1 / 127, bits: 8 }),
        field("run", "bool"),
        field("aim", "angle", { bits: 11 }),
        field("lean", "sint", { bits: 5 }),
        field("tool", "enum"),
        field("target", "uint", { bits: 32 }),
    ],
};

/** The bits of the fields alone, as one number, and the head before them. */
function packed(fields, number = 1, acknowledged = 0) {
    const bytes = new InputLayout(STEER).pack(fields, number, acknowledged);
    const head = [0x04, 0xcd, 0xab, ...varint(number), ...varint(acknowledged)];
    assert.deepEqual([...bytes.subarray(0, head.length)], head);
    let bits = 0n;
    [...bytes.subarray(head.length)].forEach((byte, i) => (bits |= BigInt(byte) << BigInt(8 * i)));
    const values = {};
    for (const { name, bits: width } of STEER.fields) {
        values[name] = Number(bits & (2n ** BigInt(width) - 1n));
        bits >>= BigInt(width);
    }
    assert.equal(bits, 0n, "unused bits are zero");
    return values;
}

describe("an input", () => {
    test("is packed as the layout says", () => {
        const values = packed(
            { turn: 1, run: true, aim: -Math.PI / 2, lean: -3, tool: "hide", target: 2 ** 32 - 1 },
            300,
            2 ** 40,
        );
        assert.deepEqual(values, { turn: 254, run: 1, aim: 1536, lean: 29, tool: 2, target: 2 ** 32 - 1 });
    });

    test("says nothing for what is missing", () => {
        assert.deepEqual(packed({}), { turn: 127, run: 0, aim: 0, lean: 0, tool: 0, target: 0 });
    });

    test("clamps what is out of range", () => {
        assert.deepEqual(packed({ turn: 7, lean: 99, tool: 50, target: 1e12 }), {
            turn: 254,
            run: 0,
            aim: 0,
            lean: 15,
            tool: 2,
            target: 2 ** 32 - 1,
        });
        assert.deepEqual(packed({ turn: -Infinity, lean: -99, target: -1 }), {
            turn: 0,
            run: 0,
            aim: 0,
            lean: 16,
            tool: 0,
            target: 0,
        });
        assert.equal(packed({ aim: 2 * Math.PI * 3 + 0.0001 }).aim, 0);
        assert.equal(packed({ turn: null }).turn, 127);
    });

    test("refuses what is no value of a field, and fields that there are not", () => {
        const layout = new InputLayout(STEER);
        for (const fields of [{ turn: NaN }, { turn: "left" }, { aim: Infinity }, { tool: "axe" }])
            assert.throws(() => layout.pack(fields, 1, 0), RangeError);
        assert.throws(() => layout.pack({ jump: true }, 1, 0), TypeError);
    });

    test("is read by the rules as the wire has it", () => {
        const read = new InputLayout(STEER).asRead({ turn: 0.3, run: 1, aim: -Math.PI / 2, lean: -3.2, tool: "hide", target: 1e12 });
        assert.deepEqual(read, {
            turn: -1 + 165 * (1 / 127),
            run: true,
            aim: 1536 * ((2 * Math.PI) / 2048),
            lean: -3,
            tool: "hide",
            target: 2 ** 32 - 1,
        });
        assert.deepEqual(new InputLayout(STEER).asRead({}), { turn: 0, run: false, aim: 0, lean: 0, tool: "idle", target: 0 });
        assert.deepEqual(new InputLayout(null).asRead({ place: 4 }), { place: 4 });
    });

    test("of any layout has its bits side by side", () => {
        const random = seeded(21);
        for (let i = 0; i < 200; i++) {
            const fields = Array.from({ length: 1 + random.below(8) }, (_, place) =>
                field(`f${place}`, "uint", { bits: 1 + random.below(32) }),
            );
            const values = fields.map(({ bits }) => random.below(2 ** bits));
            const bytes = new InputLayout({ name: "I", hash: 1, fields }).pack(
                Object.fromEntries(values.map((value, place) => [`f${place}`, value])),
                1,
                0,
            );
            let at = 0;
            let all = 0n;
            fields.forEach(({ bits }, place) => {
                all |= BigInt(values[place]) << BigInt(at);
                at += bits;
            });
            assert.deepEqual([...bytes.subarray(5)], packedBits([all], at));
        }
    });

    test("of a game without a layout is a map", () => {
        const bytes = new InputLayout(null).pack({ place: 4 }, 1, 0);
        assert.equal(bytes[0], 0x04);
        assert.deepEqual(decode(bytes.subarray(1)), { place: 4 });
    });
});
