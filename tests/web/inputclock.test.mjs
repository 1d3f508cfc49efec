import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { InputClock } from "../../src/monkeytown/web/client/inputclock.js";
import { PendingInputs } from "../../src/monkeytown/web/client/pending.js";
import { seeded } from "./encoder.mjs";
import { RATE } from "./farserver.mjs";

describe("the clock of inputs", () => {
    test("knows the tick of every input on a steady connection", () => {
        const clock = new InputClock(RATE);
        const random = seeded(3);
        const ahead = 431.7;
        const tickOf = (sentAt) => Math.floor((sentAt * RATE) / 1000 + ahead) + 1;
        let wrong = 0;
        for (let i = 0, now = 0; i < 400; i++, now += 20 + random.next() * 60) {
            if (i > 30 && clock.tickOf(now) !== tickOf(now)) wrong++;
            clock.learn(now, tickOf(now) - 1, tickOf(now));
        }
        assert.ok(wrong < 400 * 0.08, `${wrong} of 400`);
    });

    test("goes by the median when inputs take their time, and soon forgets another connection", () => {
        const clock = new InputClock(RATE);
        const random = seeded(4);
        const learn = (now, delay) => {
            const tick = Math.floor(((now + delay) * RATE) / 1000) + 1;
            clock.learn(now, tick - 1, tick);
        };
        for (let now = 0; now < 2000; now += 50) learn(now, 100 + random.next() * 50);
        assert.ok(Math.abs(clock.position(2000) - (2125 * RATE) / 1000) < 1);
        for (let now = 2000; now < 3000; now += 50) learn(now, 300);
        assert.ok(Math.abs(clock.position(3000) - (3300 * RATE) / 1000) <= 0.5);
    });

    test("believes heartbeats until inputs tell, and no input that was seen some time or other", () => {
        const clock = new InputClock(RATE);
        clock.heard(60, 5000, 100);
        clock.learn(4000, 1, 40);
        assert.ok(Math.abs(clock.position(5000) - 66) < 1e-9);
    });
});

describe("pending inputs", () => {
    const add = (pending, number, tick) => pending.add(number, `#${number}`, 0, tick);

    test("are each in force until the next", () => {
        const pending = new PendingInputs(60, "rest");
        add(pending, 1, 5);
        add(pending, 2, 8);
        assert.deepEqual(
            [4, 5, 7, 8, 99].map((tick) => pending.at(tick)),
            ["rest", "#1", "#1", "#2", "#2"],
        );
    });

    test("do not overtake each other", () => {
        const pending = new PendingInputs(60, "rest");
        add(pending, 1, 9);
        assert.equal(add(pending, 2, 7), 9);
        assert.equal(pending.at(9), "#2");
    });

    test("come later than any state that had not seen them, and when the server says", () => {
        const pending = new PendingInputs(60, "rest");
        add(pending, 1, 5);
        pending.defer(6);
        assert.equal(pending.at(6), "rest");
        assert.equal(pending.at(7), "#1");
        assert.equal(pending.see(1, 8, 9).length, 1);
        assert.equal(pending.at(8), "rest");
        assert.equal(pending.at(9), "#1");
        assert.equal(pending.unseen, 0);
        assert.equal(pending.see(1, 9, 10).length, 0);
    });

    test("are lost after a while, unless they were only late", () => {
        const pending = new PendingInputs(60, "rest");
        add(pending, 1, 5);
        pending.defer(64);
        assert.deepEqual([pending.at(65), pending.unseen], ["#1", 1]);
        pending.defer(65);
        assert.deepEqual([pending.at(66), pending.unseen], ["rest", 0]);
        pending.see(1, 69, 70);
        assert.equal(pending.at(70), "#1");
    });

    test("are few", () => {
        const pending = new PendingInputs(60, "rest");
        for (let number = 1; number <= 10_000; number++) add(pending, number, number);
        assert.equal(pending.unseen, 128);
        pending.see(10_000, 10_000, 10_001);
        pending.settle(10_001);
        assert.equal(pending.at(10_001), "#10000");
        assert.equal(pending.at(9000), "rest");
    });

    test("are counted anew after another join", () => {
        const pending = new PendingInputs(60, "rest");
        add(pending, 7, 5);
        add(pending, 1, 3);
        assert.equal(pending.at(6), "#1");
        pending.see(1, 2, 3);
        pending.see(0, null, 3);
        assert.equal(pending.at(6), "rest");
    });
});
