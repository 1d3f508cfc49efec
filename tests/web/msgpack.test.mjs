import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Reader, WireError, Writer, decode, encode } from "../../src/monkeytown/web/client/wire.js";
import { packed, seeded } from "./encoder.mjs";

function hex(bytes) {
    return Buffer.from(bytes).toString("hex");
}

function unhex(text) {
    return Uint8Array.from(Buffer.from(text, "hex"));
}

describe("MessagePack", () => {
    const smallest = [
        [null, "c0"],
        [false, "c2"],
        [true, "c3"],
        [0, "00"],
        [127, "7f"],
        [128, "cc80"],
        [255, "ccff"],
        [256, "cd0100"],
        [65535, "cdffff"],
        [65536, "ce00010000"],
        [2 ** 32 - 1, "ceffffffff"],
        [2 ** 32, "cf0000000100000000"],
        [2 ** 53 - 1, "cf001fffffffffffff"],
        [-1, "ff"],
        [-32, "e0"],
        [-33, "d0df"],
        [-128, "d080"],
        [-129, "d1ff7f"],
        [-32768, "d18000"],
        [-32769, "d2ffff7fff"],
        [-(2 ** 31), "d280000000"],
        [-(2 ** 31) - 1, "d3ffffffff7fffffff"],
        [-(2 ** 53) + 1, "d3ffe0000000000001"],
        [0.5, "cb3fe0000000000000"],
        [2 ** 60, "cb43b0000000000000"],
        [Infinity, "cb7ff0000000000000"],
        ["", "a0"],
        ["Ää", "a4c384c3a4"],
        [Uint8Array.of(1, 2), "c4020102"],
        [[], "90"],
        [[1, [2]], "92019102"],
        [{}, "80"],
        [{ a: 1, b: null }, "82a16101a162c0"],
    ];
    for (const [value, bytes] of smallest) {
        test(`${JSON.stringify(value)} is ${bytes}`, () => {
            assert.equal(hex(encode(value)), bytes);
            assert.deepEqual(decode(unhex(bytes)), value);
        });
    }

    test("lengths at every boundary come back", () => {
        for (const length of [15, 16, 31, 32, 255, 256, 65535, 65536]) {
            const values = [
                "x".repeat(length),
                new Uint8Array(length).fill(7),
                new Array(length).fill(1),
                Object.fromEntries(Array.from({ length: Math.min(length, 300) }, (_, i) => [`k${i}`, i])),
            ];
            for (const value of values) assert.deepEqual(decode(encode(value)), value);
        }
    });

    test("random values come back", () => {
        const random = seeded(11);
        const value = (depth) => {
            const kind = random.below(depth > 3 ? 6 : 8);
            if (kind === 0) return null;
            if (kind === 1) return random.chance(0.5);
            if (kind === 2) return Math.floor((random.next() - 0.5) * 2 ** random.below(54));
            if (kind === 3) return random.next() * 1e9;
            if (kind === 4) return "é🐒a".repeat(random.below(20));
            if (kind === 5) return Uint8Array.from({ length: random.below(40) }, () => random.below(256));
            if (kind === 6) return Array.from({ length: random.below(20) }, () => value(depth + 1));
            return Object.fromEntries(Array.from({ length: random.below(20) }, (_, i) => [`${i}é`, value(depth + 1)]));
        };
        for (let i = 0; i < 500; i++) {
            const each = value(0);
            assert.deepEqual(decode(encode(each)), each);
        }
    });

    test("forms that this encoder does not choose are read", () => {
        for (const [bytes, value] of [
            ["ca3fc00000", 1.5],
            ["d9016e", "n"],
            ["da00016e", "n"],
            ["db000000016e", "n"],
            ["c500010a", Uint8Array.of(10)],
            ["c6000000010a", Uint8Array.of(10)],
            ["dc000101", [1]],
            ["dd0000000101", [1]],
            ["de0001a16101", { a: 1 }],
            ["df00000001a16101", { a: 1 }],
            ["d3ffffffffffffffff", -1],
            ["8101c3", { 1: true }],
        ]) {
            assert.deepEqual(decode(unhex(bytes)), value, bytes);
        }
    });

    const refused = {
        nothing: "",
        "an extension": "c70100ff",
        "a fixed extension": "d40000",
        "a reserved byte": "c1",
        "a timestamp": "d6ff00000000",
        "an array longer than the message": "ddffffffff",
        "a map longer than the message": "dfffffffff00",
        "a string longer than the message": "dbffffffff61",
        "binary longer than the message": "c6ffffffff61",
        "broken UTF-8": "a2c328",
        "a key that is a list": "819000",
        "a key that is nil": "81c000",
        "bytes left over": "0000",
        "nesting without end": "91".repeat(40) + "00",
        "a float that ends early": "cb0000",
    };
    for (const [name, bytes] of Object.entries(refused))
        test(`refuses ${name}`, () => assert.throws(() => decode(unhex(bytes)), WireError));

    test("a key cannot reach an object's prototype", () => {
        const map = decode(unhex("81a95f5f70726f746f5f5f81a16101"));
        assert.equal(Object.getPrototypeOf(map), Object.prototype);
        assert.equal(map.a, undefined);
        assert.deepEqual(Object.keys(map), ["__proto__"]);
    });

    test("what cannot be sent is said so", () => {
        const circle = [];
        circle.push(circle);
        for (const value of [() => 1, Symbol("s"), 10n, new Map(), new Date(), circle])
            assert.throws(() => encode(value), TypeError);
    });
});

describe("packing", () => {
    for (let width = 0; width <= 32; width++) {
        test(`${width} bits a value, at any count and place`, () => {
            const random = seeded(width + 1);
            for (let count = 1; count < 40; count++) {
                const values = Array.from({ length: count }, () => random.below(2 ** width));
                values[0] = 2 ** width - 1;
                const bytes = Uint8Array.from([9, ...packed(values), ...new Array(random.below(6)).fill(0xff)]);
                const reader = new Reader(bytes);
                reader.u8();
                const out = new Int32Array(count);
                reader.packed(count, out);
                assert.deepEqual(
                    Array.from(out, (value) => value >>> 0),
                    values,
                );
                assert.equal(reader.at, 1 + 1 + Math.ceil((width * count) / 8));
            }
        });
    }

    test("varints", () => {
        for (const value of [0, 1, 127, 128, 16383, 16384, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32 - 1]) {
            const writer = new Writer(1);
            writer.varint(value);
            assert.equal(new Reader(writer.finish()).varint(), value);
            assert.equal(new Reader(writer.finish()).varint64(), value);
        }
        const writer = new Writer();
        writer.varint(Number.MAX_SAFE_INTEGER);
        assert.equal(new Reader(writer.finish()).varint64(), Number.MAX_SAFE_INTEGER);
        assert.throws(() => new Reader(unhex("ffffffff1f")).varint(), WireError);
        assert.throws(() => new Reader(unhex("ffffffffff01")).varint(), WireError);
        assert.throws(() => new Reader(unhex("80")).varint(), WireError);
    });
});
