/** Polls, message by message: what each says, which answers count, and what is said again when one is lost. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { Kind } from "../../src/monkeytown/web/client/wire.js";
import * as polling from "./polls.mjs";
import { DELTA, answer, heartbeat, message, recount, refuse, said, welcome } from "./polls.mjs";
import { field, schema, table } from "./schemas.mjs";
import { FakeRoom, SPEC, fakeNetwork, settle, stopClock, watch } from "./server.mjs";

const BOARD = schema([table("board", [field("cells", "enum", { count: 9 })], { capacity: 1, single: true })], { tickRate: 0 });

let clock;
let network;

beforeEach(() => {
    clock = stopClock();
    network = fakeNetwork();
});

afterEach(() => clock.release());

const posted = (count) => polling.posted(network, clock, count);
const polled = (server) => polling.polled(network, clock, server);

describe("a poll", () => {
    test("begins with a hello of its own, and goes to where the socket would be", async () => {
        const { client } = await polled();
        const [hello, join] = network.posts;
        assert.deepEqual(
            [hello.url, hello.method, hello.headers, client.transport],
            ["http://town.example/game/poll?x=1", "POST", { "Content-Type": "application/octet-stream" }, "polling"],
        );
        assert.deepEqual(said(hello), { HELLO: { name: "Ada" } });
        const { POLL, JOIN_GAME } = said(join);
        assert.deepEqual([POLL, JOIN_GAME], [{ session: "secret", number: 1, heard: 0, wait: 0 }, { gameId: "jungle" }]);
        assert.equal(network.sockets.length, 0);
    });

    test("says where the client is, and waits", async () => {
        const { room, server, post } = await polled();
        assert.deepEqual(said(post), { POLL: { session: "secret", number: 3, heard: 2, wait: 10 } });
        server.model.commit();
        await answer(post, server.model.delta(1), message(Kind.GAME_EVENT, { event: "gong", data: 1 }));
        assert.equal(room.tick, 2);
        assert.equal(said(await posted(5)).POLL.heard, 3);
        await clock.pass(9000);
        assert.equal(network.posts.length, 5, "one at a time");
        await answer(network.posts[4]);
        assert.ok(said(await posted(6)).HEARTBEAT, "and a heartbeat now and then");
    });

    test("is overtaken by one that has something to say; what it brings then is not taken", async () => {
        const { room, server, post } = await polled();
        await clock.pass(300);
        assert.equal(room.input({ turn: 1 }), 1);
        assert.equal(network.posts.length, 5, "at once: the last one has waited for long");
        const second = network.posts[4];
        assert.deepEqual([said(second).POLL.number, said(second).POLL.heard, said(second).input], [4, 2, [0x34, 0x12, 1, 1, 254, 0]]);
        server.model.commit();
        await answer(post, server.model.delta(1), message(Kind.GAME_EVENT, { event: "gong", data: 1 }));
        assert.equal(room.tick, 1, "an older one");
        recount(1); // it comes again
        await answer(second, server.model.delta(1), message(Kind.GAME_EVENT, { event: "gong", data: 1 }));
        assert.equal(room.tick, 2);
        const third = said(await posted(6));
        assert.deepEqual([third.input, third.POLL.heard], [undefined, 4]);
    });

    test("has the newest input only, and they come no more often than answers can", async () => {
        const { room } = await polled();
        await clock.pass(20);
        for (let i = 0; i < 100; i++) {
            room.input({ turn: (i % 3) - 1 });
            await clock.pass(10);
        }
        const count = network.posts.length - 4;
        assert.ok(count >= 2 && count <= 5, `${count} in a second without any answer`);
        const last = said(network.posts.at(-1));
        assert.ok(last.input, "the newest is in every poll until it has arrived");
        assert.ok(last.HEARTBEAT, "it asks whether there is anybody");
        await answer(network.posts.at(-1), heartbeat());
        for (let i = 0; i < 100; i++) {
            room.input({ turn: (i % 3) - 1 });
            if (i % 5 === 4) await answer(network.posts.at(-1), heartbeat());
            await clock.pass(10);
        }
        const more = network.posts.length - 4 - count;
        assert.ok(more >= 15 && more <= 22, `${more} in a second with answers`);
    });

    test("says numbered messages at once and again until they have arrived", async () => {
        const { room } = await polled(new FakeRoom(BOARD));
        assert.deepEqual([room.chat("a"), network.posts.length], [true, 5]);
        assert.deepEqual([room.input({ place: 1 }), room.input({ place: 2 }), network.posts.length], [1, 2, 5]);
        const second = await posted(6);
        const all = [
            [1, { text: "a" }],
            [2, { place: 1 }],
            [3, { place: 2 }],
        ];
        assert.deepEqual([said(network.posts[4]).numbered, said(second).numbered], [all.slice(0, 1), all]);
        await answer(second, heartbeat(2));
        const third = await posted(7);
        assert.deepEqual([said(third).numbered, said(third).HEARTBEAT !== undefined], [all.slice(2), true]);
        await answer(third, heartbeat(3));
        assert.equal(said(await posted(8)).numbered, undefined);
    });

    test("has as many numbered messages as the server takes at once", async () => {
        const { room } = await polled(new FakeRoom(BOARD));
        for (let i = 0; i < 10; i++) assert.equal(room.chat("x".repeat(3000)), true);
        const second = await posted(6);
        assert.deepEqual([said(second).numbered.length, second.body.length < 16384], [4, true]);
        await answer(second, heartbeat(4));
        assert.equal(said(await posted(7)).numbered[0][0], 5);
    });

    test("may bring a room's first state before who is there", async () => {
        const { client, room, server } = await polled();
        const seen = watch(room, "playerJoined", "playerLeft", "reconnected");
        network.posts.at(-1).resolve({ status: 410, arrayBuffer: async () => new ArrayBuffer(0) });
        await settle();
        const how = { ...DELTA, resumed: "snapshot", recovered: false };
        const state = server.model.snapshot();
        await answer(await posted(5), welcome("other", how), message(Kind.SCHEMA, SPEC), state, message(Kind.PLAYER_JOINED, { id: "p1", name: "Ada" }));
        assert.deepEqual([seen.length, client.state, [...room.players.keys()]], [1, "open", ["p1"]]);
    });

    test("with an order is not overtaken", async () => {
        const { client, room } = await polled();
        room.leave();
        const leaving = network.posts.at(-1);
        assert.deepEqual([said(leaving).POLL.wait, said(leaving).LEAVE_GAME], [0, {}]);
        client.join("jungle").catch(() => {});
        await clock.pass(500);
        assert.equal(network.posts.length, 5);
        await answer(leaving);
        assert.deepEqual(said(await posted(6)).JOIN_GAME, { gameId: "jungle" });
    });

    test("that is lost is said again, with a higher number", async () => {
        const { client, room } = await polled();
        const seen = watch(client, "reconnecting");
        room.chat("a");
        network.posts.at(-1).reject(new TypeError("fetch failed"));
        const second = await posted(6);
        assert.deepEqual([said(second).POLL.number, said(second).numbered], [5, [[1, { text: "a" }]]]);
        await refuse(second, 502, "<h1>Bad gateway</h1>");
        await answer(await posted(7), heartbeat(1));
        assert.deepEqual([said(await posted(8)).numbered, seen], [undefined, []]);
    });

    test("that is lost takes its input along to the next, unless there is a newer one", async () => {
        const { room } = await polled();
        await clock.pass(300);
        room.input({ turn: 1 });
        const { input } = said(network.posts.at(-1));
        network.posts.at(-1).reject(new TypeError("fetch failed"));
        const next = await posted(6);
        assert.deepEqual(said(next).input, input);
        await answer(next);
        const last = await posted(7);
        assert.equal(said(last).input, undefined);
        await clock.pass(300);
        room.input({ turn: 1 });
        room.chat("a");
        assert.equal(said(await posted(9)).input[2], 2, "as does one that is overtaken");
        room.leave();
        assert.equal(said(await posted(10)).input, undefined, "but to no other room");
    });

    test("that is lost again and again is a loss: the session is resumed", async () => {
        const { client, room, server } = await polled();
        const seen = watch(client, "reconnecting", "reconnected");
        for (let count = 4; count < 7; count++) (await posted(count)).reject(new TypeError("fetch failed"));
        await settle();
        assert.deepEqual([seen.length, seen[0][1].code, client.state], [1, 1006, "reconnecting"]);
        room.chat("a");
        const hello = await posted(7);
        const resume = { session: "secret", number: 1, gameId: "room-1", epoch: 3, tick: 1 };
        assert.deepEqual(said(hello), { HELLO: { name: "Ada", resume } });
        server.model.commit();
        await answer(hello, welcome("other", DELTA), Uint8Array.from([Kind.PRIVATE, 8]), server.model.delta(1));
        assert.deepEqual([seen.at(-1)[1].resumed, room.tick], ["delta", 2]);
        const next = said(await posted(8));
        assert.deepEqual([next.POLL, next.numbered], [{ session: "other", number: 1, heard: 0, wait: 10 }, [[1, { text: "a" }]]]);
    });

    test("that is not answered at all is lost", async () => {
        const { client } = await polled();
        await clock.pass(15_100);
        assert.equal(client.state, "open");
        assert.equal(said(await posted(5)).POLL.number, 4);
    });

    test("of a session that is gone leads to another", async () => {
        const { client, room, server, post } = await polled();
        const seen = watch(room, "reconnecting", "reconnected");
        room.chat("a");
        await refuse(network.posts.at(-1), 410, '{"code":"AUTH-003","message":"This session is not known."}');
        await refuse(post, 410, '{"code":"AUTH-003","message":"This session is not known."}');
        assert.deepEqual([seen[0][0], seen[0][1].reason], ["reconnecting", "This session is not known."]);
        const anew = { playerId: "p8", recovered: false, resumed: null, received: 0, number: 0, gameId: null };
        await answer(await posted(6), welcome("new", anew), message(Kind.ERROR, { code: "AUTH-003", message: "no" }));
        const join = await posted(7);
        assert.deepEqual([said(join).JOIN_GAME, said(join).POLL.heard, said(join).numbered], [{ gameId: "room-1" }, 0, undefined]);
        await answer(join, message(Kind.SCHEMA, SPEC), message(Kind.PLAYER_JOINED, { id: "p8", name: "Ada" }), server.model.snapshot());
        assert.deepEqual([client.id, seen.at(-1)[1].lost, [...room.players.keys()]], ["p8", 1, ["p8"]]);
    });

    test("may bring the end", async () => {
        for (const [code, state] of [
            [4507, "closed"],
            [4000, "reconnecting"],
        ]) {
            network = fakeNetwork();
            const { client, post } = await polled();
            const seen = watch(client, "close", "reconnecting", "error");
            const last = message(Kind.ERROR, { code: "GAME-100", message: "Enough." });
            await answer(post, message(Kind.CLOSE, { code, reason: "so" }), last);
            assert.deepEqual([client.state, seen[1][1].code, seen[1][1].reason], [state, code, "so"]);
            assert.equal(seen[0][0], "error", "whatever comes with it is read before");
            client.close();
            await clock.pass(6000);
            assert.equal(network.posts.length, 4);
        }
    });

    test("that breaks the wire is followed", async () => {
        for (const bytes of [
            [5, 1],
            [2, Kind.CLOSE, 0x80],
            [2, Kind.GAME_STATE, 9],
        ]) {
            network = fakeNetwork();
            const { client, post } = await polled();
            post.resolve({ status: 200, arrayBuffer: async () => Uint8Array.from(bytes).buffer });
            const seen = watch(client, "reconnecting");
            await settle();
            assert.equal(seen[0][1].code, 4400);
            client.close();
        }
    });

    test("takes leave when the client is closed", async () => {
        const { client } = await polled();
        client.close();
        assert.equal(network.posts[3].signal.aborted, true);
        const last = said(await posted(5));
        assert.deepEqual([last.LEAVE_GAME, last.POLL.wait, network.posts[4].keepalive], [{}, 0, true]);
        await answer(network.posts[4], heartbeat());
        await clock.pass(20_000);
        assert.deepEqual([network.posts.length, client.state], [5, "closed"]);
    });

    test("goes on when a page's listener throws", async () => {
        const { room, server, post } = await polled();
        mock.method(globalThis, "queueMicrotask", () => {});
        room.on("state", () => {
            throw new Error("a bug of the page");
        });
        server.model.commit();
        await answer(post, server.model.delta(1));
        await posted(5);
    });
});
