import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { seeded } from "./encoder.mjs";
import { OWN, PREDICT, STEP, TICK, World, roll, wireHeading, wireX } from "./farserver.mjs";

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

    test("stands still while the connection is away, and goes on after it", async () => {
        await begin(() => 40);
        world.send({ push: 1 });
        await world.pass(1000);
        const { x } = { ...world.prediction.sample(world.now) };
        world.send({ push: -1 });
        await world.pass(10);
        const losing = world.loseConnection(600);
        assert.ok(Math.abs(world.prediction.sample(world.now).x - x) < 12);
        assert.equal(world.room.input({ push: 1 }), 0);
        await losing;
        await world.pass(500);
        assert.equal(world.prediction.stats.pending, 0, "what was on its way is not waited for");
        world.send({ push: 0, brake: true });
        await world.pass(1500);
        assert.equal(world.room.inputSeen, 1);
        assert.equal(wireX(world.prediction.sample(world.now).x), wireX(world.ball.x));
        world.room.leave();
        assert.equal(world.prediction.sample(world.now), null);
    });

    test("goes on from where it was if the seat was kept", async () => {
        await begin(() => 40);
        world.send({ push: 0.3 });
        await world.pass(1000);
        world.send({ push: -1 }); // which is lost
        await world.pass(10);
        await world.loseConnection(600, { isKept: true });
        await world.pass(1500);
        assert.deepEqual([world.room.inputSeen, world.prediction.stats.pending], [1, 0]);
        world.send({ push: 0, brake: true });
        await world.pass(1500);
        assert.equal(world.room.inputSeen, 3);
        assert.equal(wireX(world.prediction.sample(world.now).x), wireX(world.ball.x));
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

    test("need not be right: what is no number, or beyond what the field can have, lasts until the next state", async () => {
        for (const wrong of [NaN, 5000, undefined]) {
            world.prediction = world.room.predict((ball) => (ball.x = wrong), PREDICT);
            await world.pass(300);
            world.prediction.sample(world.now);
            world.room.predict(() => {}, PREDICT);
        }
        let isWrong = true;
        const step = (ball) => (ball.x += isWrong ? NaN : 0);
        world.prediction = world.room.predict(step, PREDICT);
        await world.pass(300);
        isWrong = false;
        await world.pass(300);
        assert.equal(world.prediction.sample(world.now).x, world.room.entity.x);
    });

    test("may be that nothing is smoothed", async () => {
        world.prediction = world.room.predict(roll, { ...PREDICT, smooth: 0 });
        await world.pass(300);
        world.ball.x += 40;
        await world.pass(300, ({ x }) => assert.ok([1000, 1040].includes(x)));
    });
});
