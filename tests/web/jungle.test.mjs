import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { PREDICTED, step } from "../../src/monkeytown/web/jungle/step.js";

const WALKING = { x: 1000, y: 1000, heading: 0, running: false, stunned: false, breath: 15 };

/** A monkey as a state shows it, which steps by so many sixteenths. */
function row(values = {}, steps = [40, 0]) {
    const column = (each) => ({ steps: Int32Array.of(each) });
    return { ...WALKING, ...values, slot: 0, table: { columns: { x: column(steps[0]), y: column(steps[1]) } } };
}

/** A predicted monkey, once the server's word has taken the place of its fields. */
function told(monkey, shown, tick) {
    for (const name of PREDICTED.fields) monkey[name] = shown[name];
    PREDICTED.correct(monkey, shown, tick);
    return monkey;
}

const fresh = () => ({ ...PREDICTED.hidden });

describe("what is hidden of a predicted monkey", () => {
    test("is how it steps, which states show", () => {
        const monkey = told(fresh(), row({}, [-40, 16]), 100);
        step(monkey, { turn: 0, run: false }, 1 / 60, 101);
        assert.deepEqual([monkey.x, monkey.y], [997.5, 1001]);
    });

    test("is when one who fell gets up: sixty ticks after the look at which it fell", () => {
        const monkey = told(fresh(), row({ stunned: true }, [0, 0]), 122);
        for (let tick = 123; tick <= 179; tick++) {
            step(monkey, { turn: 0, run: true }, 1 / 60, tick);
            assert.equal(monkey.stunned, true);
            if (tick % 7 === 0) told(monkey, row({ stunned: true }, [0, 0]), tick);
        }
        assert.equal(monkey.x, 1000);
        step(monkey, { turn: 0, run: true }, 1 / 60, 180);
        assert.deepEqual([monkey.stunned, monkey.running, monkey.x], [false, true, 1004.5]);
        told(monkey, row(), 181);
        told(monkey, row({ stunned: true }, [0, 0]), 200);
        assert.equal(monkey.downUntil, 258);
    });

    test("is its breath, finer than what is shown", () => {
        const monkey = told(fresh(), row(), 6);
        for (let tick = 7; tick <= 36; tick++) step(monkey, { turn: 0, run: true }, 1 / 60, tick);
        const { wind, breath } = monkey;
        told(monkey, row({ breath, running: true }), 36);
        assert.equal(monkey.wind, wind, "it is right, and stays");
        for (const shown of [breath - 2, breath + 2]) {
            told(monkey, row({ breath: shown, running: true }), 36);
            assert.equal(Math.trunc(monkey.wind * 6 + 1e-9), shown);
            assert.ok(Math.abs(monkey.wind - wind) <= 0.5);
            monkey.wind = wind;
        }
        told(monkey, row({ breath: 15 }), 36);
        assert.ok(monkey.wind <= 2.5);
    });

    test("is that it is winded, until it is seen to run or has its breath back", () => {
        const winded = () => Object.assign(fresh(), { wind: 0.2, winded: true });
        assert.equal(told(winded(), row({ breath: 1 }), 6).winded, true);
        assert.equal(told(winded(), row({ breath: 1, running: true }), 6).winded, false);
        assert.equal(told(winded(), row({ breath: 7 }), 6).winded, false);
    });
});
