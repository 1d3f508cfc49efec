import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { InputClock } from "../../src/monkeytown/web/client/inputclock.js";
import { PendingInputs } from "../../src/monkeytown/web/client/pending.js";
import { varint, seeded } from "./encoder.mjs";
import { FakeRoom, fakeNetwork, joined, settle } from "./server.mjs";
import { field, schema, table } from "./schemas.mjs";

const RATE = 60;
const TICK = 1000 / RATE;
const STEP = 1 / 16;
const OWN = 2 ** 20; // generation 1, slot 0
const INPUT = {
    name: "Push",
    hash: 0x1234,
    fields: [field("push", "fixed", { lo: -1, hi: 1, step: 1 / 127, bits: 8 }), field("brake", "bool")],
};
const SPEC = schema(
    [table("balls", [field("x", "fixed", { predict: "linear" }), field("heading", "angle"), field("stuck", "bool")])],
    { input: INPUT },
);

/** The rules of these tests: a ball that is pushed. `speed` is not on the wire. */
function roll(ball, { push, brake }, dt, tick) {
    ball.heading += push * 0.2;
    ball.speed = ball.stuck ? 0 : Math.max(-6, Math.min(6, ball.speed * (brake ? 0.5 : 0.98) + push * (tick % 3 === 0 ? 1.5 : 0)));
    ball.x = Math.max(0, Math.min(2048, ball.x + ball.speed));
}

const PREDICT = { fields: ["x", "heading", "stuck"], hidden: { speed: 0 } };
const wireX = (x) => Math.round(x / STEP);
const wireHeading = (heading) => ((Math.round((heading * 256) / (2 * Math.PI)) % 256) + 256) % 256;

/**
 * A server that makes ticks by the same rules, as far away as `delay()` milliseconds each way, its messages in order; and time, which passes only here.
 */
class World {
    now = 1000;
    #due = [];
    #order = 0;
    #last = { up: 0, down: 0 };
    arrived = [];
    seen = 0;
    wish = { push: 0, brake: false };
    ball = { x: 1000, heading: 1, stuck: false, speed: 0 };
    isSending = () => true;
    isLost = () => false;

    constructor(delay, { phase = 0.3 } = {}) {
        this.delay = delay;
        this.phase = phase;
        mock.method(performance, "now", () => this.now);
        mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    }

    async join() {
        this.server = new FakeRoom({ ...SPEC });
        this.model = this.server.model;
        this.model.spawn(0, 0, [wireX(this.ball.x), wireHeading(this.ball.heading), 0]);
        this.model.commit();
        this.base = this.model.tick;
        const { client, socket, room } = await joined(fakeNetwork(), this.server);
        Object.assign(this, { client, socket, room });
        socket.deliver(this.model.private({ entity: { table: 0, id: OWN } }));
        socket.sent.length = 0;
        client.ping = 2 * this.delay();
        this.prediction = room.predict(roll, PREDICT);
        this.at(this.now + TICK * this.phase, () => this.#tick());
        return this;
    }

    at(time, what) {
        this.#due.push({ time, order: this.#order++, what });
        this.#due.sort((a, b) => a.time - b.time || a.order - b.order);
    }

    /** Something is on its way, behind whatever is already. */
    #carry(way, what) {
        const time = Math.max(this.#last[way], this.now + this.delay());
        this.#last[way] = time;
        this.at(time, what);
    }

    #tick() {
        this.at(this.now + TICK, () => this.#tick());
        for (const { number, fields } of this.arrived.splice(0)) {
            this.seen = number;
            this.wish = fields;
        }
        roll(this.ball, this.wish, 1 / RATE, this.model.tick + 1);
        Object.assign(this.model.tables[0].get(0).values, [wireX(this.ball.x), wireHeading(this.ball.heading), Number(this.ball.stuck)]);
        this.model.commit();
        this.model.past.delete(this.model.tick - 400);
        if (!this.isSending(this.model.tick)) return;
        const state = this.model.delta(this.base);
        this.base = this.model.tick;
        const told = this.model.private({ input: this.seen });
        this.#carry("down", () => (this.socket.deliver(state), this.socket.deliver(told)));
    }

    /** The player does something. */
    send(fields) {
        const number = this.room.input(fields);
        const sent = this.socket.take(0x04);
        if (number === 0 || this.isLost(number)) return;
        const [body] = sent;
        const at = 2 + varint(number).length + varint(this.room.tick).length;
        const push = -1 + body[at] * (1 / 127);
        const brake = (body[at + 1] & 1) === 1;
        this.#carry("up", () => this.arrived.push({ number, fields: { push, brake } }));
    }

    /** Lets time pass; every `each` milliseconds a frame is drawn. */
    async pass(milliseconds, frame = () => {}, each = TICK) {
        const until = this.now + milliseconds;
        for (let next = this.now + each; next <= until; next += each) {
            while (this.#due[0]?.time <= next) {
                const { time, what } = this.#due.shift();
                this.now = Math.max(this.now, time);
                what();
            }
            this.now = next;
            frame(this.prediction.sample(next));
        }
        await settle();
    }

    release() {
        mock.timers.reset();
        mock.restoreAll();
    }
}

/** What a player does: something else every now and then, by a seeded hand. */
function hand(world, random, part = 0.1) {
    return () => {
        if (random.chance(part)) world.send({ push: random.next() * 2 - 1, brake: random.chance(0.2) });
    };
}

describe("a predicted entity", () => {
    let world = null;
    const begin = async (...options) => (world = await new World(...options).join());
    afterEach(() => world.release());

    for (const [name, delay, each] of [
        ["close by", 2, TICK],
        ["far away", 100, TICK],
        ["very far away, on a fast screen", 190, 1000 / 144],
        ["far away, on a slow screen", 100, 1000 / 24],
    ]) {
        test(`on a steady connection is never corrected: ${name}`, async () => {
            await begin(() => delay);
            const random = seeded(7);
            await world.pass(3000, hand(world, random), each); // until it is known how far
            const before = world.prediction.stats.corrections;
            await world.pass(8000, hand(world, random), TICK);
            assert.equal(world.prediction.stats.corrections - before, 0);
            assert.ok(world.prediction.stats.ahead >= (2 * delay) / TICK - 1);
        });
    }

    test("shows at once what the player does", async () => {
        await begin(() => 120);
        await world.pass(1000, () => world.now % 200 < TICK && world.send({ push: 0 }));
        const { heading } = { ...world.prediction.sample(world.now) };
        world.send({ push: 1 });
        await world.pass(2.1 * TICK);
        assert.ok(world.prediction.sample(world.now).heading > heading + 0.1);
        assert.equal(world.room.entity.heading, ((wireHeading(heading) * 2 * Math.PI) / 256));
    });

    for (const seed of [1, 2, 3])
        test(`is what the server has once nothing is on its way, whatever the connection was: ${seed}`, async () => {
            const random = seeded(seed);
            await begin(() => 60 + random.next() * 60 + (random.chance(0.02) ? 200 : 0));
            await world.pass(6000, hand(world, random, 0.3));
            world.send({ push: 0, brake: true });
            await world.pass(2500, () => {});
            const shown = world.prediction.sample(world.now);
            assert.equal(world.prediction.stats.pending, 0);
            assert.equal(wireX(shown.x), wireX(world.ball.x));
            assert.equal(wireHeading(shown.heading), wireHeading(world.ball.heading));
            assert.ok(Math.abs(shown.x - world.room.entity.x) <= STEP / 2);
        });

    test("moves without leaps on a rough connection", async () => {
        const random = seeded(5);
        await begin(() => 50 + random.next() * 40);
        await world.pass(2000, hand(world, random, 0.2));
        let before = world.prediction.sample(world.now).x;
        let furthest = 0;
        await world.pass(6000, ({ x }) => {
            furthest = Math.max(furthest, Math.abs(x - before));
            before = x;
            hand(world, random, 0.2)();
        });
        assert.ok(world.prediction.stats.corrections > 0, "there was something to correct");
        assert.ok(furthest < 6 * 1.5, `it leapt by ${furthest}`); // at full speed it rolls six a tick
    });

    test("gives way to what the server says, smoothly if it is near, at once if it is far", async () => {
        await begin(() => 50);
        await world.pass(1000, () => world.now % 200 < TICK && world.send({ push: 0 }));
        const shown = () => world.prediction.sample(world.now).x;
        const before = shown();
        world.ball.x += 40; // somebody else's doing
        const errors = [];
        await world.pass(500, ({ x }) => errors.push(world.ball.x - x));
        assert.ok(Math.abs(errors[0] - 40) < 1, "nothing is known yet");
        const from = errors.findIndex((error) => error < 39.5);
        assert.ok(errors.slice(from).every((error, i, all) => i === 0 || error <= all[i - 1]), "it only gets nearer");
        assert.ok(errors[from] > 25, "the first frame does not leap");
        assert.ok(errors[from + 6] / errors[from] < 0.5, "a tenth of a second leaves about a third");
        await world.pass(1500);
        assert.equal(shown(), world.ball.x);
        assert.equal(world.prediction.stats.corrections, 1);
        world.ball.x -= 500;
        const places = [];
        await world.pass(500, ({ x }) => places.push(x));
        assert.ok(places.every((x) => Math.abs(x - before - 40) < 1 || Math.abs(x - world.ball.x) < 1));
    });

    test("heeds what only the server decides", async () => {
        await begin(() => 80);
        world.send({ push: 1 });
        await world.pass(1500);
        assert.ok(world.ball.speed > 3);
        world.ball.stuck = true;
        await world.pass(1500);
        assert.equal(world.prediction.sample(world.now).stuck, true);
        assert.equal(wireX(world.prediction.sample(world.now).x), wireX(world.ball.x));
        const { x } = world.ball;
        await world.pass(500, (shown) => assert.equal(wireX(shown.x), wireX(x)));
    });

    test("stands states that are skipped", async () => {
        await begin(() => 70);
        world.isSending = (tick) => tick % 3 === 0;
        const random = seeded(11);
        await world.pass(4000, hand(world, random));
        const before = world.prediction.stats.corrections;
        await world.pass(6000, hand(world, random));
        const made = world.prediction.stats.corrections - before;
        assert.ok(made <= 3, `${made} corrections`);
        world.send({ push: 0, brake: true });
        await world.pass(2000);
        assert.equal(wireX(world.prediction.sample(world.now).x), wireX(world.ball.x));
    });

    test("forgets inputs that never arrive", async () => {
        await begin(() => 70);
        world.send({ push: 0 });
        await world.pass(1000);
        world.isLost = () => true;
        world.send({ push: 1 });
        await world.pass(500);
        assert.equal(world.prediction.stats.pending, 1);
        await world.pass(3000);
        assert.equal(world.prediction.stats.pending, 0);
        assert.equal(wireX(world.prediction.sample(world.now).x), wireX(world.ball.x));
        world.isLost = (number) => number % 2 === 0;
        for (let i = 0; i < 6; i++) {
            world.send({ push: i / 6 });
            await world.pass(100);
        }
        await world.pass(500);
        assert.equal(world.prediction.stats.pending, world.room.inputSeen % 2 === 0 ? 0 : 1);
    });

    test("does not go on blindly when the server falls silent, and comes back when it speaks", async () => {
        await begin(() => 40);
        world.send({ push: 1 });
        await world.pass(1000);
        world.isSending = () => false;
        const repeat = () => world.now % 400 < TICK && world.send({ push: -1 });
        await world.pass(1900, repeat);
        const { x } = { ...world.prediction.sample(world.now) };
        await world.pass(2000, (shown) => assert.ok(Math.abs(shown.x - x) < 6), TICK);
        world.isSending = () => true;
        await world.pass(2500, repeat);
        assert.equal(wireX(world.prediction.sample(world.now).x), wireX(world.ball.x));
    });

    test("is none without an entity, and another one begins anew", async () => {
        await begin(() => 40);
        world.send({ push: 1 });
        await world.pass(1000);
        world.socket.deliver(world.model.private({ entity: { table: 255, id: 0 } }));
        assert.equal(world.prediction.sample(world.now), null);
        world.send({ push: 0 });
        world.socket.deliver(world.model.private({ entity: { table: 0, id: OWN } }));
        const shown = world.prediction.sample(world.now);
        assert.ok(Math.abs(shown.x - world.room.entity.x) < 6 * 12);
    });

    test("stands still while the connection is away, and begins anew after it", async () => {
        await begin(() => 40);
        world.send({ push: 1 });
        await world.pass(1000);
        const { x } = { ...world.prediction.sample(world.now) };
        world.socket.drop();
        world.now += 500;
        assert.equal(world.prediction.sample(world.now).x, x);
        assert.equal(world.room.input({ push: 1 }), 0);
        world.room.leave();
        assert.equal(world.prediction.sample(world.now), null);
    });

    test("keeps to its step for rows of another history", async () => {
        await begin(() => 40);
        world.send({ push: 1 });
        await world.pass(1000);
        world.model.epoch++;
        world.model.tick = 5000;
        world.model.commit();
        world.model.tables[0].get(0).values[0] = wireX(77);
        world.model.commit();
        world.base = world.model.tick;
        world.ball.x = 77;
        world.socket.deliver(world.model.snapshot());
        assert.ok(Math.abs(world.prediction.sample(world.now).x - 77) < 6 * 8);
    });
});

describe("what the game must tell", () => {
    let world = null;
    beforeEach(async () => (world = await new World(() => 10).join()));
    afterEach(() => world.release());

    test("are fields that there are", () => {
        const prediction = world.room.predict(roll, { fields: ["x", "weight"] });
        assert.throws(() => prediction.sample(world.now), /balls has no single field weight/);
    });

    test("may be how to put right what is hidden", async () => {
        const told = [];
        world.prediction = world.room.predict(roll, { ...PREDICT, correct: (ball, row, tick) => told.push([ball.x === row.x, tick]) });
        await world.pass(200);
        assert.ok(told.length > 3);
        assert.ok(told.every(([isRow]) => isRow));
        assert.equal(told.at(-1)[1], world.room.tick);
    });

    test("may be that nothing is smoothed", async () => {
        world.prediction = world.room.predict(roll, { ...PREDICT, smooth: 0 });
        await world.pass(300);
        world.ball.x += 40;
        await world.pass(300, ({ x }) => assert.ok([1000, 1040].includes(x)));
    });
});

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
