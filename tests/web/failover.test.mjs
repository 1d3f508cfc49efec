/** A room that goes on elsewhere while the connection stays: a snapshot of another epoch, a little earlier, in the middle of play. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { Kind, Reader } from "../../src/monkeytown/web/client/wire.js";
import { World, wireHeading, wireX } from "./farserver.mjs";
import * as polling from "./polls.mjs";
import { answer, said } from "./polls.mjs";
import { fakeNetwork, joined, stopClock, watch } from "./server.mjs";

const EVENTS = ["reconnecting", "reconnected", "entity", "playerJoined", "playerLeft", "error", "close"];

/** The model goes on from its checkpoint: so many ticks back, in the next epoch, of which no tick is known to anybody. */
function takeOver(model, back) {
    model.epoch++;
    model.tick -= back;
    model.past.clear();
    model.commit();
}

function acksOf(socket) {
    return socket.take(Kind.ACK).map((body) => {
        const reader = new Reader(body);
        return [reader.varint(), reader.varint64()];
    });
}

describe("a room that goes on in another epoch", () => {
    let clock;
    let network;
    beforeEach(() => {
        clock = stopClock();
        network = fakeNetwork();
    });
    afterEach(() => clock.release());

    test("is the same room: rows, players and numbers go on, and what is acknowledged is of the new epoch", async () => {
        const { client, socket, room, server } = await joined(network);
        for (let i = 0; i < 90; i++) {
            await clock.pass(1000 / 60);
            server.tick(socket, (rows) => (rows.get(0).values[0] = 160 + 16 * i));
            room.interpolated(room.tables.monkeys);
        }
        assert.deepEqual([room.input({}), room.input({})], [1, 2]);
        const seen = watch(room, ...EVENTS, "state");
        const { tables } = room;
        const row = tables.monkeys.at(0);
        await clock.pass(2000);
        assert.equal(room.input({}), 3, "while nothing comes");
        const { tick } = server.model;
        takeOver(server.model, 50);
        socket.sent.length = 0;
        socket.deliver(server.model.snapshot());
        assert.deepEqual([room.epoch, room.tick], [4, tick - 49]);
        assert.deepEqual(acksOf(socket), [[4, tick - 49]]);
        for (let i = 1; i <= 60; i++) {
            await clock.pass(1000 / 60);
            server.tick(socket, (rows) => (rows.get(0).values[0] = 160 + 16 * i));
        }
        assert.ok(acksOf(socket).every(([epoch]) => epoch === 4));
        const { tick: drawn, columns } = room.interpolated(tables.monkeys);
        assert.ok(drawn < room.tick && drawn > room.tick - 5, `${drawn} of ${room.tick}`);
        assert.ok(Math.abs(columns.x[0] - (10 + 60 - (room.tick - drawn))) < 1e-9, `${columns.x[0]}`);
        assert.equal(room.input({}), 4);
        assert.deepEqual([room.tables, room.tables.monkeys.at(0), [...room.players.keys()]], [tables, row, ["p1"]]);
        assert.deepEqual([client.state, network.sockets.length], ["open", 1]);
        assert.deepEqual(seen.filter(([event]) => event !== "state"), []);
        assert.equal(seen.length, 61);
    });

    test("is so by polls as well", async () => {
        const { client, room, server, post } = await polling.polled(network, clock);
        const { model } = server;
        const seen = watch(room, ...EVENTS);
        const { tables } = room;
        assert.equal(room.input({}), 1);
        let before = model.tick;
        for (let i = 0; i < 30; i++) model.commit();
        await answer(post, model.delta(before));
        takeOver(model, 20);
        await answer(await polling.posted(network, clock, 5), model.snapshot());
        assert.deepEqual([room.epoch, room.tick], [4, model.tick]);
        before = model.tick;
        model.commit();
        const next = await polling.posted(network, clock, 6);
        assert.equal(room.input({}), 2);
        await answer(next, model.delta(before));
        assert.deepEqual([room.tick, room.tables, client.state], [model.tick, tables, "open"]);
        assert.ok(said(await polling.posted(network, clock, 7)).input.length > 0);
        assert.deepEqual(seen, []);
        client.close();
    });
});

describe("a prediction in a room that goes on in another epoch", () => {
    let world;
    beforeEach(async () => (world = await new World(() => 40).join()));
    afterEach(() => world.release());

    /** Its owner dies and is missed for a while; what was sent meanwhile is kept for the next one, which knows inputs up to `seen`. */
    async function failOver(seconds, back, seen) {
        world.isSending = () => false;
        const { x, heading } = world.ball;
        await world.pass(seconds * 1000);
        Object.assign(world.ball, { x, heading, speed: 0 });
        world.seen = seen;
        takeOver(world.model, back + Math.round(seconds * 60));
        Object.assign(world.model.tables[0].get(0).values, [wireX(x), wireHeading(heading), 0]);
        world.model.commit();
        world.base = world.model.tick;
        world.socket.deliver(world.model.snapshot());
        world.socket.deliver(world.model.private({ input: seen }));
        world.isSending = () => true;
    }

    test("begins anew, goes on with the input in force, and is right again at once", async () => {
        for (let i = 0; i < 10; i++) {
            world.send({ push: 0.3 });
            await world.pass(100);
        }
        const { epoch } = world.room;
        await failOver(2, 50, 4);
        assert.deepEqual([world.room.epoch, world.prediction.stats.pending], [epoch + 1, 0]);
        await world.pass(200);
        const before = world.prediction.stats.corrections;
        await world.pass(1000);
        assert.equal(world.prediction.stats.corrections, before, "what is held goes on being held");
        world.send({ push: 0, brake: true });
        assert.equal(world.prediction.stats.pending, 1);
        await world.pass(1500);
        assert.deepEqual([world.room.inputSeen, world.prediction.stats.pending], [11, 0]);
        assert.equal(wireX(world.prediction.sample(world.now).x), wireX(world.ball.x));
    });
});
