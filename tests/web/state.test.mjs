import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { State, WireError, checkSchema } from "../../src/monkeytown/web/client/wire.js";
import { Model, isNumber, same, seeded, varint } from "./encoder.mjs";
import { feed, live, randomValue } from "./life.mjs";
import { everything, field, schema, table } from "./schemas.mjs";

function lanesOf(target) {
    return Object.values(target.columns).flatMap((column) => column.lanes ?? [column]);
}

/** Every integer, step, text and blob, as plain data; owner-only columns apart. */
function contents(state) {
    return state.tables.map((table) =>
        [...table.slots].map((slot) => ({
            id: table.ids[slot],
            values: lanesOf(table).map((lane) =>
                lane.field.ownerOnly ? null : lane.isNumber ? [lane.wire[slot], lane.steps?.[slot] ?? 0] : lane.items[slot],
            ),
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
                const entered = state.tables.flatMap((table, number) =>
                    [...table.entered].map((slot) => `${number}:${table.ids[slot]}`),
                );
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
                    else if (model.columns[number].some((spec, c) => !spec.ownerOnly && !same(old.values[c], row.values[c])))
                        assert.ok(changed.has(slot));
                }
            });
        }
    });

    test("extrapolates tables without a section, however large the gap", () => {
        const spec = schema([
            table("a", [field("x", "sint", { bits: 32, predict: "linear" })]),
            table("b", [field("h", "angle", { predict: "linear" })]),
        ]);
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
        const monkey = [
            16 * 100,
            32768,
            64,
            2 ** 31,
            8,
            -5,
            4e9,
            0,
            0,
            "",
            1,
            2,
            "Ada",
            Uint8Array.of(1, 2),
            2 ** 20 + 4,
            1,
            2,
            3,
            16,
            32,
        ];
        model.spawn(0, 4, monkey);
        model.spawn(2, 0, [0, 1, 2, 0, 1, 2, 0, 1, 2, 1]);
        model.commit();
        feed(state, model.snapshot());
        const [monkeys, , board] = state.tables;
        const row = monkeys.get(2 ** 20 + 4);
        assert.deepEqual(
            { ...row.toJSON(), skin: [...row.skin] },
            {
                id: 2 ** 20 + 4,
                x: 100,
                y: 2048,
                heading: Math.PI / 2,
                aim: Math.PI,
                tilt: Math.PI / 2,
                score: -5,
                bananas: 4e9,
                secret: 0,
                wound: 0,
                note: "",
                awake: true,
                mood: "hide",
                name: "Ada",
                skin: [1, 2],
                friend: 2 ** 20 + 4,
                slots: [1, 2, 3],
                tail: [1, 2],
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
        const values = (secret) =>
            model.columns[0].map((spec) =>
                spec.name === "secret"
                    ? secret
                    : spec.name === "wound"
                      ? -9
                      : spec.name === "note"
                        ? "mine"
                        : randomValue(spec, random),
            );
        model.spawn(0, 1, values(11));
        model.spawn(0, 2, values(22));
        model.spawn(2, 0, new Array(10).fill(0));
        model.commit();
        feed(state, model.snapshot());
        const given = feed(
            state,
            model.private({ input: 300, entity: { table: 0, id: 2 ** 20 + 1 }, reset: true, values: [{ table: 0, slots: [1] }] }),
        );
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
