import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Playback } from "../../src/monkeytown/web/client/playback.js";
import { Reader, State } from "../../src/monkeytown/web/client/wire.js";
import { AREA_SPEC, DOTS, delta, section, snapshot } from "./cells.mjs";
import { Model, seeded } from "./encoder.mjs";
import { feed } from "./life.mjs";
import { field, schema, table } from "./schemas.mjs";

const SPEC = schema([table("m", [field("x", "fixed", { predict: "linear" }), field("h", "angle"), field("n", "uint")])]);
const RATE = 60;
const TICK = 1000 / RATE;

/** A server and a client of one table, at tick 1 with a row in slot 0. */
function pair() {
    const model = new Model(SPEC, seeded(1));
    const state = new State(SPEC);
    const deliver = (bytes) => {
        const reader = new Reader(bytes);
        reader.u8();
        state.apply(reader);
    };
    const [rows] = state.tables;
    model.spawn(0, 0, [0, 0, 0]);
    model.commit();
    deliver(model.snapshot());
    rows.sample(1);
    /** Commits with row 0 at (x, h), and delivers unless told otherwise. */
    const tick = (x, h, { skip = false } = {}) => {
        Object.assign(model.tables[0].get(0).values, [Math.round(x * 16), h]);
        model.commit();
        if (!skip) deliver(model.delta(state.tick));
    };
    return { model, state, rows, tick, deliver };
}

function close(actual, expected) {
    assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

describe("a sample", () => {
    test("lies between two states", () => {
        const { rows, tick } = pair();
        tick(10, 0);
        tick(20, 64);
        close(rows.sample(2).columns.x[0], 10);
        close(rows.sample(2.25).columns.x[0], 12.5);
        close(rows.sample(2.5).columns.h[0], Math.PI / 4);
        close(rows.sample(99).columns.x[0], 20);
        assert.equal("n" in rows.sample(3).columns, false);
    });

    test("turns the short way round", () => {
        const { rows, tick } = pair();
        tick(0, 250);
        tick(0, 6);
        const turn = ({ columns }) => ((columns.h[0] / (2 * Math.PI)) * 256 + 256) % 256;
        close(turn(rows.sample(2.25)), 253);
        close(turn(rows.sample(2.75)), 3);
        tick(0, 250);
        close(turn(rows.sample(3.25)), 3);
    });

    test("does not smear a jump", () => {
        const { rows, tick } = pair();
        tick(10, 0);
        tick(1010, 128);
        close(rows.sample(2.9).columns.x[0], 10);
        close(rows.sample(2.9).columns.h[0], 0);
        close(rows.sample(3).columns.x[0], 1010);
        rows.jumps.x = Infinity;
        close(rows.sample(2.5).columns.x[0], 510);
    });

    test("shows a row at once when it enters, and the new one when a slot changes hands", () => {
        const { model, state, rows, tick, deliver } = pair();
        tick(10, 0);
        model.spawn(0, 3, [1600, 0, 0]);
        tick(20, 0);
        close(rows.sample(2.5).columns.x[3], 100);
        close(rows.sample(1.5).columns.x[3], 100);
        model.tables[0].delete(3);
        model.commit();
        deliver(model.delta(state.tick));
        model.spawn(0, 3, [3200, 0, 0]);
        model.commit();
        deliver(model.delta(state.tick));
        close(rows.sample(3.5).columns.x[3], 200);
        assert.deepEqual([...rows.sample(3.5).slots], [0, 3]);
    });

    test("spans states that were skipped, but not a rest", () => {
        const { rows, tick } = pair();
        tick(10, 0);
        tick(15, 0, { skip: true });
        tick(20, 0, { skip: true });
        tick(40, 0);
        close(rows.sample(3).columns.x[0], 20);
        for (let i = 0; i < 200; i++) tick(40, 0, { skip: true });
        tick(46, 0);
        close(rows.sample(100).columns.x[0], 40);
        close(rows.sample(206 - 3).columns.x[0], 43);
        close(rows.sample(206).columns.x[0], 46);
    });

    test("keeps enough states for the longest delay, and grows with its table", () => {
        const { model, rows, tick } = pair();
        for (let i = 0; i < 100; i++) {
            if (i === 50) for (let slot = 1; slot < 60; slot++) model.spawn(0, slot, [slot * 16, 0, 0]);
            tick(i, 0);
        }
        close(rows.sample(101 - 0.4 * RATE - 0.5).columns.x[0], 99 - 0.4 * RATE - 0.5);
        close(rows.sample(101).columns.x[59], 59);
    });

    test("forgets another history", () => {
        const { model, rows, tick, deliver } = pair();
        for (let i = 0; i < 10; i++) tick(i, 0);
        model.epoch++;
        Object.assign(model.tables[0].get(0).values, [1600, 0]);
        model.commit();
        deliver(model.snapshot());
        close(rows.sample(5).columns.x[0], 100);
    });
});

describe("a sample of what is seen by area", () => {
    const fields = [field("x", "fixed", { predict: "linear" }), field("n", "text")];
    const spec = {
        ...AREA_SPEC,
        tables: AREA_SPEC.tables.map((each, number) => (number === DOTS ? table("dots", fields, { capacity: 2 ** 20 }) : each)),
    };

    /** A reader at tick 10, of cells 0 (near) and 5 (far); dots 0 and 5, one in each, move by 16 sixteenths a tick. */
    function areaReader() {
        const state = new State(spec);
        const say = (bytes) => feed(state, Uint8Array.from(bytes));
        const dots = state.tables[DOTS];
        dots.sample(0);
        const row = (slot) => ({ slot, x: 160, step: 16 });
        say(
            snapshot(10, { near: [0], far: [5] }, [
                section(DOTS, 0, { entered: [row(0)] }),
                section(DOTS, 5, { entered: [row(5)] }),
            ]),
        );
        return { state, say, dots, x: (tick, slot) => dots.sample(tick).columns.x[slot] };
    }

    /** To `tick`, one state a tick, the far ring with every third. */
    function run({ state, say }, tick) {
        while (state.tick < tick)
            say(delta(state.tick, state.tick + 1, state.tick + 1 - state.view.farTick === 3 ? { far: state.view.farTick } : {}));
    }

    test("lets far rows glide over their own interval, one interval late", () => {
        const reader = areaReader();
        run(reader, 20);
        assert.equal(reader.state.view.farTick, 19);
        for (let tick = 14; tick <= 18; tick += 0.25) {
            close(reader.x(tick, 0), tick);
            close(reader.x(tick, 5), tick - 3);
        }
    });

    test("waits where it is for a far state that is late, and goes on from there", () => {
        const reader = areaReader();
        run(reader, 19);
        for (let tick = 20; tick < 29; tick++) reader.say(delta(tick - 1, tick));
        close(reader.x(23, 5), 19);
        close(reader.x(28, 5), 19);
        reader.say(delta(28, 29, { far: 19 }));
        close(reader.x(29, 5), 19);
        close(reader.x(30.5, 5), 24);
    });

    test("shows a row that comes near as near, and one that goes far where it was until it moves there", () => {
        const reader = areaReader();
        run(reader, 15);
        reader.say(delta(15, 16, { far: 13, seen: { near: [5], far: [0] } }));
        run(reader, 20);
        assert.equal(reader.dots.division.isFar(0), true);
        close(reader.x(14.5, 5), 11.5);
        close(reader.x(17.5, 5), 17.5);
        close(reader.x(14.5, 0), 14.5);
        for (const tick of [16, 17, 18.5]) close(reader.x(tick, 0), 16);
        close(reader.x(20, 0), 17);
    });

    test("shows who comes into sight at once, and forgets who goes", () => {
        const reader = areaReader();
        run(reader, 14);
        reader.say(
            delta(14, 15, {
                seen: { lost: [0], near: [1] },
                sections: [
                    section(DOTS, 1, {
                        entered: [
                            { slot: 3, x: 800, step: 16 },
                            { slot: 900, x: 16, step: 0 },
                        ],
                    }),
                ],
            }),
        );
        assert.deepEqual([...reader.dots.sample(13.5).slots], [3, 5, 900]);
        close(reader.x(13.5, 3), 50);
        close(reader.x(13.5, 900), 1);
        run(reader, 16);
        close(reader.x(15.5, 3), 50.5);
    });
});

describe("playback", () => {
    /** Plays `seconds` of states that arrive `late(tick)` milliseconds late, drawn at 144 Hz; returns what each drawing saw. */
    function play(playback, { from = 0, seconds, late = () => 0, every = 1, firstTick = 1000 }) {
        const drawings = [];
        const arrivals = [];
        for (let tick = 0; tick < seconds * RATE; tick += every)
            arrivals.push({ tick: firstTick + tick, at: from + tick * TICK + late(tick) });
        let newest = -1;
        for (let now = from; now < from + seconds * 1000; now += 1000 / 144) {
            while (arrivals.length > 0 && arrivals[0].at <= now) {
                newest = arrivals[0].tick;
                playback.heard(newest, arrivals.shift().at);
            }
            if (newest >= 0) drawings.push({ now, tick: playback.tickAt(now), newest });
        }
        return drawings;
    }

    function late(drawings) {
        return drawings.filter(({ tick, newest }) => tick > newest).length / drawings.length;
    }

    test("runs two to three ticks behind on a good connection, evenly", () => {
        const drawings = play(new Playback(RATE), { seconds: 5 }).slice(100);
        for (const { tick, newest } of drawings) assert.ok(newest - tick > 0.9 && newest - tick <= 3, `${newest - tick} behind`);
        for (let i = 1; i < drawings.length; i++)
            close((drawings[i].tick - drawings[i - 1].tick).toFixed(6), (RATE / 144).toFixed(6));
    });

    test("stays further behind on a rough one, and never runs backwards or fast", () => {
        const random = seeded(5);
        const playback = new Playback(RATE);
        const drawings = play(playback, { seconds: 20, late: () => random.next() * 50 });
        assert.ok(playback.delay > 3 && playback.delay < 8, `${playback.delay}`);
        assert.ok(late(drawings.slice(500)) < 0.05);
        for (let i = 1; i < drawings.length; i++) {
            const speed = ((drawings[i].tick - drawings[i - 1].tick) * 144) / RATE;
            assert.ok(speed > 0.89 && speed < 1.11, `${speed} times the speed`);
        }
    });

    test("follows states that come every third tick", () => {
        const drawings = play(new Playback(RATE), { seconds: 5, every: 3 });
        assert.equal(late(drawings.slice(100)), 0);
    });

    test("comes back near when the connection calms down", () => {
        const random = seeded(6);
        const playback = new Playback(RATE);
        play(playback, { seconds: 5, late: () => random.next() * 80 });
        const drawings = play(playback, { from: 5000, seconds: 10, firstTick: 1000 + 5 * RATE });
        assert.ok(drawings.at(-1).newest - drawings.at(-1).tick <= 3);
    });

    test("takes a rest for a rest", () => {
        const playback = new Playback(RATE);
        play(playback, { seconds: 2 });
        play(playback, { from: 60_000, seconds: 1, firstTick: 1000 + 60 * RATE });
        assert.ok(playback.delay <= 3, `${playback.delay}`);
        for (let i = 1; i < 100; i++) playback.heard(5000 + i * RATE, 70_000 + i * 1000);
        assert.ok(playback.delay <= 3, `${playback.delay}`);
    });

    test("jumps when it is far off, and begins anew after a reset", () => {
        const playback = new Playback(RATE);
        play(playback, { seconds: 1 });
        playback.reset();
        playback.heard(7, 5000);
        close(playback.tickAt(5000), 5);
    });

    test("of a game without ticks is the newest state", () => {
        const playback = new Playback(0);
        playback.heard(41, 100);
        assert.equal(playback.tickAt(5000), 41);
    });
});
