import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { State, WireError, checkSchema } from "../../src/monkeytown/web/client/wire.js";
import { AREA_SPEC, BOARD, DOTS, ROCKS, delta, entering, section, snapshot } from "./cells.mjs";
import { feed } from "./life.mjs";

const ID = 2 ** 20;

/**
 * A reader at tick 10: cells 0 and 1 near, 5 far; dots 2 and 4 in cell 0, 3 in cell 1, 7 in cell 5, all moving by 1.
 */
function start() {
    const state = new State(checkSchema(AREA_SPEC));
    const say = (bytes) => feed(state, Uint8Array.from(bytes));
    const [, dots, , rocks] = state.tables;
    say(
        snapshot(10, { near: [0, 1], far: [5] }, [
            section(DOTS, 0, {
                entered: [
                    { slot: 2, x: 20, step: 1, n: "b" },
                    { slot: 4, x: 40, step: 1, n: "d" },
                ],
            }),
            section(DOTS, 1, { entered: [{ slot: 3, x: 30, step: 1, n: "c" }] }),
            section(DOTS, 5, { entered: [{ slot: 7, x: 70, step: 1, n: "g" }] }),
        ]),
    );
    return { state, say, dots, rocks };
}

function xs({ slots, columns }) {
    return Object.fromEntries([...slots].map((slot) => [slot, columns.x.wire[slot]]));
}

function news({ entered, changed, gone, ids }) {
    return { entered: [...entered].map((slot) => ids[slot]), changed: [...changed], gone: [...gone] };
}

/** What the listeners of a table hear. */
function listen(table) {
    const heard = [];
    const ids = (rows) => rows.map(({ id }) => id);
    table.onSpawn((rows) => heard.push(["spawn", ...ids(rows)]));
    table.onDespawn((rows) => heard.push(["despawn", ...ids(rows)]));
    heard.length = 0;
    return heard;
}

describe("a reader of an area", () => {
    test("has the rows and the cells of its view", () => {
        const { state, dots, rocks } = start();
        assert.deepEqual(xs(dots), { 2: 20, 3: 30, 4: 40, 7: 70 });
        assert.deepEqual([dots.size, rocks.size, state.view.farTick], [4, 0, 10]);
        assert.deepEqual(state.view.byRing, { near: Int32Array.of(0, 1), far: Int32Array.of(5) });
        assert.equal(state.view.byRing, state.view.byRing, "the same until it changes");
        assert.deepEqual(
            [...dots].map(({ n }) => n),
            ["b", "c", "d", "g"],
        );
        assert.deepEqual(
            [2, 3, 7].map((slot) => [dots.division.cellOf(slot), dots.division.isFar(slot)]),
            [
                [0, false],
                [1, false],
                [5, true],
            ],
        );
    });

    test("moves near cells on with every state, far ones with those that bring the far ring", () => {
        const { state, say, dots } = start();
        say(delta(10, 12));
        assert.deepEqual(xs(dots), { 2: 22, 3: 32, 4: 42, 7: 70 });
        assert.deepEqual([...dots.changed], [2, 3, 4]);
        say(delta(12, 15, { far: 10 }));
        assert.deepEqual(xs(dots), { 2: 25, 3: 35, 4: 45, 7: 75 });
        assert.equal(state.view.farTick, 15);
        assert.deepEqual([...dots.changed], [2, 3, 4, 7]);
        assert.deepEqual([...dots.columns.x.values.subarray(2, 5)], [25, 35, 45]);
    });

    test("takes residuals and corrections for the rows of their cell", () => {
        const { say, dots } = start();
        say(
            delta(10, 11, {
                far: 10,
                sections: [section(DOTS, 0, { residuals: [0, 5] }), section(DOTS, 5, { corrections: [1, 0, 7, 90, 4, 0] })],
            }),
        );
        assert.deepEqual(xs(dots), { 2: 21, 3: 31, 4: 46, 7: 90 });
        say(delta(11, 12, { far: 11 }));
        assert.deepEqual(xs(dots), { 2: 22, 3: 32, 4: 52, 7: 90 });
    });

    test("loses the rows of cells that are lost, and gets those of cells that are new", () => {
        const { state, say, dots } = start();
        const heard = listen(dots);
        say(delta(10, 11, { seen: { lost: [0], near: [2] }, sections: [section(DOTS, 2, { entered: [{ slot: 9, x: 5 }] })] }));
        assert.deepEqual(xs(dots), { 3: 31, 7: 70, 9: 5 });
        assert.deepEqual(news(dots), { entered: [ID + 9], changed: [3], gone: [ID + 2, ID + 4] });
        assert.deepEqual([...state.view.byRing.near], [1, 2]);
        dots.notify();
        assert.deepEqual(heard, [
            ["despawn", ID + 2, ID + 4],
            ["spawn", ID + 9],
        ]);
        assert.equal(dots.get(ID + 2), null);
    });

    test("moves a cell that changes its ring by the gap of the ring it was in", () => {
        const { state, say, dots } = start();
        say(delta(10, 12));
        say(delta(12, 13, { far: 10, seen: { near: [5], far: [1] } }));
        assert.deepEqual(xs(dots), { 2: 23, 3: 33, 4: 43, 7: 73 });
        assert.deepEqual(state.view.byRing, { near: Int32Array.of(0, 5), far: Int32Array.of(1) });
        say(delta(13, 14));
        assert.deepEqual(xs(dots), { 2: 24, 3: 33, 4: 44, 7: 74 });
    });

    for (const [name, [from, to]] of Object.entries({ "a higher": [0, 1], "a lower": [1, 0] })) {
        test(`does not take a row for another that goes to ${name} cell`, () => {
            const { say, dots } = start();
            const slot = from === 0 ? 4 : 3;
            const before = dots.at(slot);
            const heard = listen(dots);
            dots.columns.gold.raw[slot] = 6;
            const sections = [
                [from, section(DOTS, from, { gone: [slot] })],
                [to, section(DOTS, to, { entered: [{ slot, x: 99, step: 2, n: "moved" }] })],
            ].sort(([one], [other]) => one - other);
            say(delta(10, 11, { sections: sections.map(([, bytes]) => bytes) }));
            assert.deepEqual([dots.at(slot), before.alive, before.x, before.n, before.gold], [before, true, 99, "moved", 0]);
            assert.deepEqual(news(dots), { entered: [], changed: [2, 3, 4], gone: [] });
            dots.notify();
            assert.deepEqual(heard, []);
            assert.equal(dots.division.cellOf(slot), to);
            say(delta(11, 12));
            assert.equal(dots.columns.x.wire[slot], 101);
        });
    }

    test("keeps what has entered another cell when its former cell tells that it is gone, later", () => {
        const { say, dots } = start();
        say(delta(10, 11, { sections: [section(DOTS, 1, { entered: [{ slot: 7, x: 50, step: 1 }] })] }));
        assert.deepEqual(xs(dots), { 2: 21, 3: 31, 4: 41, 7: 50 });
        assert.deepEqual(news(dots), { entered: [], changed: [2, 3, 4, 7], gone: [] });
        say(delta(11, 13, { far: 10 }));
        assert.equal(dots.columns.x.wire[7], 52, "it moves with the cell that it is in, and once");
        say(delta(13, 14, { far: 13, sections: [section(DOTS, 5, { gone: [7] })] }));
        assert.deepEqual(xs(dots), { 2: 24, 3: 34, 4: 44, 7: 53 });
        assert.throws(() => say(delta(14, 15, { far: 14, sections: [section(DOTS, 5, { gone: [7] })] })), WireError);
    });

    test("keeps it when that cell is lost, and counts in it only who is there", () => {
        const { say, dots } = start();
        say(delta(10, 11, { sections: [section(DOTS, 1, { entered: [{ slot: 2, x: 50, step: 1 }] })] }));
        say(delta(11, 12, { sections: [section(DOTS, 0, { residuals: [8] }), section(DOTS, 1, { residuals: [0, 3] })] }));
        assert.deepEqual(xs(dots), { 2: 51, 3: 35, 4: 50, 7: 70 });
        say(delta(12, 13, { seen: { lost: [0] } }));
        assert.deepEqual(Object.keys(xs(dots)), ["2", "3", "7"]);
        assert.deepEqual(news(dots).gone, [ID + 4]);
    });

    test("takes a row back into a cell that has not told that it was gone", () => {
        const { say, dots } = start();
        say(delta(10, 11, { sections: [section(DOTS, 1, { entered: [{ slot: 2, x: 50 }] })] }));
        say(delta(11, 12, { sections: [section(DOTS, 0, { entered: [{ slot: 2, x: 60 }] }), section(DOTS, 1, { gone: [2] })] }));
        assert.deepEqual([xs(dots)[2], dots.division.cellOf(2), [...dots.gone]], [60, 0, []]);
        say(delta(12, 13, { sections: [section(DOTS, 0, { gone: [2, 4] })] }));
        assert.deepEqual(news(dots).gone, [ID + 2, ID + 4]);
    });

    test("sees one entity replaced by another that takes its slot in another cell", () => {
        const { say, dots } = start();
        const heard = listen(dots);
        say(delta(10, 11, { sections: [section(DOTS, 1, { entered: [{ slot: 7, x: 1, generation: 2 }] })] }));
        dots.notify();
        assert.deepEqual(heard, [
            ["despawn", ID + 7],
            ["spawn", 2 * ID + 7],
        ]);
        say(delta(11, 12, { far: 10, sections: [section(DOTS, 5, { gone: [7] })] }));
        assert.deepEqual([dots.size, dots.ids[7], [...dots.gone]], [4, 2 * ID + 7, []]);
    });

    test("loses a row that is gone from its cell, though a former one has yet to tell", () => {
        const { say, dots } = start();
        say(delta(10, 11, { sections: [section(DOTS, 1, { entered: [{ slot: 7, x: 1 }] })] }));
        say(delta(11, 12, { sections: [section(DOTS, 1, { gone: [7] })] }));
        assert.deepEqual([dots.size, [...dots.gone]], [3, [ID + 7]]);
        say(delta(12, 13, { far: 10, sections: [section(DOTS, 5, { gone: [7] })] }));
        assert.deepEqual([dots.size, [...dots.gone]], [3, []]);
    });

    test("empties a cell that is lost and seen again, and knows who was there", () => {
        const { say, dots } = start();
        say(
            delta(10, 11, {
                seen: { lost: [0, 5], near: [0, 5] },
                sections: [
                    section(DOTS, 0, { entered: [{ slot: 2, x: 21, step: 1 }] }),
                    section(DOTS, 5, { entered: [{ slot: 7, x: 71, step: 1 }] }),
                ],
            }),
        );
        assert.deepEqual(xs(dots), { 2: 21, 3: 31, 7: 71 });
        assert.deepEqual(news(dots), { entered: [], changed: [2, 3, 7], gone: [ID + 4] });
    });

    test("begins again with a snapshot, and knows who was there", () => {
        const { state, say, dots } = start();
        say(
            snapshot(20, { near: [7] }, [
                section(DOTS, 7, {
                    entered: [
                        { slot: 3, x: 1 },
                        { slot: 8, x: 2 },
                    ],
                }),
            ]),
        );
        assert.deepEqual(news(dots), { entered: [ID + 8], changed: [3], gone: [ID + 2, ID + 4, ID + 7] });
        assert.deepEqual(
            [state.view.byRing.near, state.view.byRing.far].map((cells) => [...cells]),
            [[7], []],
        );
        say(snapshot(21));
        assert.deepEqual([dots.size, state.view.byRing.near.length, state.view.farTick], [0, 0, 21]);
    });

    test("takes the tables that everybody sees as always, and both tables of a cell", () => {
        const { state, say, dots, rocks } = start();
        say(
            delta(10, 11, {
                sections: [
                    [BOARD, 4, 0, 1, 4, 10],
                    section(DOTS, 0, { gone: [2] }),
                    section(ROCKS, 0, { entered: [{ slot: 0, x: 8, step: 1 }] }),
                    section(DOTS, 1, { gone: [3] }),
                ],
            }),
        );
        assert.equal(state.tables[BOARD].row.turn, 5);
        assert.deepEqual([xs(dots), xs(rocks)], [{ 4: 41, 7: 70 }, { 0: 8 }]);
        say(delta(11, 12));
        assert.deepEqual([state.tables[BOARD].row.turn, xs(rocks)], [10, { 0: 9 }]);
    });

    test("does not look at the slots of a large table that are out of sight", () => {
        const { say, dots } = start();
        const far = { slot: 2 ** 20 - 1, x: 3, step: 1 };
        say(delta(10, 11, { sections: [section(DOTS, 0, { entered: [{ slot: 0, x: 1 }, far] })] }));
        assert.deepEqual([...dots.slots], [0, 2, 3, 4, 7, 2 ** 20 - 1]);
        assert.equal(dots.columns.x.values[far.slot], 3);
        assert.equal(dots.at(far.slot).id, ID + far.slot);
        say(delta(11, 12, { sections: [section(DOTS, 0, { gone: [0, far.slot] })] }));
        assert.deepEqual([...dots.slots], [2, 3, 4, 7]);
        assert.equal(dots.columns.x.values[far.slot], 3, "one that has just left keeps its values");
    });
});

describe("a broken state of cells", () => {
    const one = [{ slot: 9 }];
    const rules = {
        "unknown flags": [0x43, 16, 3, 11, 1],
        "a far gap of zero": [0x43, 8, 3, 11, 1, 0],
        "another far tick": delta(10, 12, { far: 11 }),
        "a snapshot that loses a cell": snapshot(11, { lost: [0], near: [1] }),
        "a snapshot with what has gone": snapshot(11, { near: [1] }, [section(DOTS, 1, { gone: [3] })]),
        "a snapshot with a cell that is not in view": snapshot(11, { near: [1] }, [section(DOTS, 0, { entered: one })]),
        "a cell that is near and far": delta(10, 11, { far: 10, seen: { near: [2, 6], far: [3, 6] } }),
        "a cell beyond the last": delta(10, 11, { seen: { near: [12] } }),
        "more cells than there are": [0x43, 4, 3, 11, 1, 0, 13, 0, 0],
        "a lost cell that was not in view": delta(10, 11, { seen: { lost: [2] } }),
        "a cell that turns far without the far ring": delta(10, 11, { seen: { far: [1] } }),
        "a cell that turns near without the far ring": delta(10, 11, { seen: { near: [5] } }),
        "a section of a cell that is not in view": delta(10, 11, { sections: [section(DOTS, 2, { entered: one })] }),
        "a section of a cell that does not exist": delta(10, 11, { sections: [section(DOTS, 12, { entered: one })] }),
        "a section of a cell that is lost": delta(10, 11, {
            seen: { lost: [0] },
            sections: [section(DOTS, 0, { entered: one })],
        }),
        "a section of a far cell without the far ring": delta(10, 11, { sections: [section(DOTS, 5, { residuals: [1] })] }),
        "cells out of order": delta(10, 11, { sections: [section(DOTS, 1, { gone: [3] }), section(DOTS, 0, { gone: [2] })] }),
        "tables of a cell out of order": delta(10, 11, {
            sections: [section(ROCKS, 0, { entered: one }), section(DOTS, 0, { gone: [2] })],
        }),
        "a section twice": delta(10, 11, { sections: [section(DOTS, 0, { gone: [2] }), section(DOTS, 0, { gone: [4] })] }),
        "a table that everybody sees after cells": delta(10, 11, {
            sections: [section(DOTS, 0, { gone: [2] }), [2, 2, 1, 0, 0, 0]],
        }),
        "a table that does not exist": delta(10, 11, { sections: [section(4, 0, { gone: [2] })] }),
        "no parts": delta(10, 11, { sections: [[DOTS, 0, 0]] }),
        "unknown parts": delta(10, 11, { sections: [[DOTS, 16, 0]] }),
        "residuals and corrections": delta(10, 11, { sections: [[DOTS, 12, 0, 0, 0, 0]] }),
        "corrections of a table that everybody sees": delta(10, 11, { sections: [[BOARD, 8, 0]] }),
        "a row gone that is elsewhere": delta(10, 11, { sections: [section(DOTS, 0, { gone: [3] })] }),
        "a row gone twice": delta(10, 11, { seen: { lost: [0], near: [0] }, sections: [section(DOTS, 0, { gone: [2] })] }),
        "more gone than the cell has": delta(10, 11, { sections: [section(DOTS, 1, { gone: [3, 4] })] }),
        "residuals of more rows than the cell has": delta(10, 11, { sections: [[DOTS, 4, 1, 2, 2, 0, 1, 0]] }),
        "a residual of a row that has just entered": delta(10, 11, {
            sections: [section(DOTS, 1, { entered: one, residuals: [0, 1] })],
        }),
        "a residual beyond the field": delta(10, 11, { sections: [section(DOTS, 1, { residuals: [-40] })] }),
        "an entry beyond the capacity": delta(10, 11, { sections: [[ROCKS, 2, 0, ...entering([{ slot: 64 }])]] }),
        "a view without a list": [0x43, 4, 3, 11, 1, 0, 0],
        "bytes left over": [...delta(10, 11, { seen: { lost: [0] } }), 9],
    };
    for (const [name, bytes] of Object.entries(rules))
        test(`is refused: ${name}`, () => {
            const { say } = start();
            assert.throws(() => say(bytes), WireError);
        });

    test("cut off anywhere or with any byte changed, throws a WireError or is another good message", () => {
        const bytes = delta(10, 12, {
            far: 10,
            seen: { lost: [0], near: [0, 5], far: [1, 2] },
            sections: [
                section(DOTS, 0, {
                    entered: [
                        { slot: 2, x: 9, n: "b" },
                        { slot: 3, x: 9, n: "c" },
                    ],
                }),
                section(ROCKS, 0, { entered: [{ slot: 3, x: 9, step: -1 }] }),
                section(DOTS, 1, { gone: [3], entered: [{ slot: 4, x: 8, step: 2 }], residuals: [0] }),
                section(DOTS, 2, {
                    entered: [
                        { slot: 9, x: 9 },
                        { slot: 12, generation: 3 },
                    ],
                }),
                section(DOTS, 5, { gone: [7], entered: [{ slot: 8 }] }),
            ],
        });
        start().say(bytes);
        let refused = 0;
        const attempt = (broken) => {
            const { say } = start();
            try {
                say(broken);
                say(delta(12, 13, { far: 12 }));
            } catch (error) {
                assert.ok(error instanceof WireError, error.stack);
                refused++;
            }
        };
        let attempts = 0;
        for (let at = 1; at < bytes.length; at++) {
            attempt(bytes.slice(0, at));
            for (let flip = 1; flip < 256; flip += 2, attempts++) attempt(bytes.with(at, bytes[at] ^ flip));
        }
        assert.ok(refused > attempts / 4, `${refused} of ${attempts}`);
    });

    test("is one in which a row runs out of its range where there is no section", () => {
        const { say } = start();
        say(delta(10, 11, { sections: [section(DOTS, 1, { residuals: [-35 + 4] })] }));
        assert.throws(() => say(delta(11, 12)), /no wire value/);
    });

    test("is any of cells for a reader of everything", () => {
        const state = new State({ ...AREA_SPEC, area: null });
        assert.equal(state.view, null);
        for (const flags of [5, 9]) assert.throws(() => feed(state, Uint8Array.from([0x43, flags, 3, 1, 0, 0, 0])), WireError);
    });

    test("is a schema whose area breaks a rule", () => {
        const { area } = AREA_SPEC;
        assert.equal(checkSchema({ ...AREA_SPEC, area: undefined }).area, undefined);
        const broken = [
            7,
            {},
            { ...area, tables: [] },
            { ...area, tables: [DOTS, DOTS] },
            { ...area, tables: [ROCKS, DOTS] },
            { ...area, tables: [4] },
            { ...area, tables: [BOARD] },
            { ...area, columns: 0 },
            { ...area, columns: 2 ** 16 },
            { ...area, rows: 1.5 },
            { ...area, x: NaN },
            { ...area, y: "0" },
            { ...area, size: 0 },
        ];
        for (const each of broken)
            assert.throws(() => checkSchema({ ...AREA_SPEC, area: each }), WireError, JSON.stringify(each));
    });
});
