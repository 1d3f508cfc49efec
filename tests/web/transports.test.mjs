/** From WebSockets to polls and back: when a client changes over, and that it goes on as it was. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { Kind } from "../../src/monkeytown/web/client/wire.js";
import { connect } from "../../src/monkeytown/web/monkeytown.js";
import * as polling from "./polls.mjs";
import { DELTA, admission, answer, refuse, said, welcome } from "./polls.mjs";
import { FakeRoom, connected, fakeNetwork, joined, stopClock, watch } from "./server.mjs";

let clock;
let network;

beforeEach(() => {
    clock = stopClock();
    network = fakeNetwork();
});

afterEach(() => clock.release());

const posted = (count) => polling.posted(network, clock, count);
const polled = (server) => polling.polled(network, clock, server);

describe("without a WebSocket", () => {
    function connecting(options = {}) {
        const { WebSocket, fetch } = network;
        return connect("ws://town.example/ws", { WebSocket, fetch, ...options });
    }

    test("that opens, twice in a row, it is polled", async () => {
        const opening = connecting();
        network.sockets[0].drop();
        await clock.pass(500);
        network.sockets[1].drop();
        await answer(await posted(1), welcome("secret"));
        assert.equal((await opening).transport, "polling");
    });

    test("that is welcomed in time, it is polled", async () => {
        const opening = connecting();
        network.sockets[0].accept();
        await clock.pass(4600);
        assert.equal(network.sockets[0].closed.code, 4408);
        await answer(await posted(1), welcome("secret"));
        assert.equal((await opening).transport, "polling");
    });

    test("that may even begin, it is polled", async () => {
        const opening = connecting({
            WebSocket: class {
                constructor() {
                    throw new Error("not here");
                }
            },
        });
        await answer(await posted(1), welcome("secret"));
        const client = await opening;
        assert.equal(client.transport, "polling");
        for (let i = 0; i < 200; i++) {
            await clock.pass(100);
            await answer(network.posts.at(-1));
        }
        assert.equal(client.state, "open");
        client.close();
    });

    test("class, it is polled", async () => {
        const opening = connecting({ WebSocket: undefined });
        if (globalThis.WebSocket !== undefined) return;
        await answer(await posted(1), welcome("secret"));
        const client = await opening;
        assert.equal(client.transport, "polling");
        await clock.pass(20_000);
        client.close();
    });

    test("nor polls it fails, with the server's words if there are any", async () => {
        for (const [respond, expected] of [
            [(post) => refuse(post, 403, '{"code":"AUTH-002","message":"This origin may not connect."}'), { code: "AUTH-002" }],
            [(post) => refuse(post, 503, '{"code":"SYS-002","message":"The server is shutting down."}'), { code: "SYS-002" }],
            [(post) => refuse(post, 502, "oh"), /cannot connect .* HTTP 502/],
            [(post) => refuse(post, 404, "[]"), /HTTP 404/],
            [(post) => post.reject(new TypeError("fetch failed")), /fetch failed/],
        ]) {
            network = fakeNetwork();
            const opening = assert.rejects(connecting(), expected);
            network.sockets[0].drop();
            await clock.pass(500);
            network.sockets[1].accept("another");
            await respond(await posted(1));
            await opening;
        }
    });

    test("at first, but with a server that refuses, it is not tried again", async () => {
        const opening = assert.rejects(connecting(), /4508/);
        network.sockets[0].accept();
        network.sockets[0].drop(4508);
        await opening;
        assert.deepEqual([network.posts.length, network.sockets.length], [0, 1]);
    });

    test("after a loss it is polled, and after that fails as well, a WebSocket is tried again", async () => {
        const { client, socket, room, server } = await joined(network);
        socket.drop();
        for (const count of [2, 3]) {
            for (let i = 0; i < 300 && network.sockets.length < count; i++) await clock.pass(10);
            network.sockets[count - 1].drop();
        }
        for (let i = 0; i < 300 && network.posts.length < 1; i++) await clock.pass(10);
        assert.equal(said(network.posts[0]).HELLO.resume.tick, 1);
        network.posts[0].reject(new TypeError("fetch failed"));
        for (let i = 0; i < 600 && network.sockets.length < 4; i++) await clock.pass(10);
        const again = network.sockets[3];
        again.welcome("p1", DELTA);
        server.tick(again);
        assert.deepEqual([client.transport, room.tick], ["websocket", 2]);
    });
});

describe("climbing back to a WebSocket", () => {
    /** In a room by polls, where both would do. */
    async function below() {
        const connecting = connect("ws://town.example/ws", { name: "Ada", WebSocket: network.WebSocket, fetch: network.fetch });
        network.sockets[0].drop();
        await clock.pass(500);
        network.sockets[1].drop();
        for (let i = 0; i < 300 && network.posts.length < 1; i++) await clock.pass(10);
        await answer(network.posts[0], welcome("secret"));
        const client = await connecting;
        const joining = client.join("jungle");
        const server = new FakeRoom();
        await answer(await posted(2), ...admission(server));
        return { client, room: await joining, server };
    }

    /** The next WebSocket, while polls are answered. */
    async function climber(count) {
        for (let i = 0; i < 20_000 && network.sockets.length < count; i += 100) {
            await clock.pass(100);
            await answer(network.posts.at(-1));
        }
        assert.equal(network.sockets.length, count, "tries");
        return network.sockets.at(-1);
    }

    test("goes on with the same session, room and state", async () => {
        const { client, room, server } = await below();
        const seen = watch(client, "reconnecting", "reconnected");
        const socket = await climber(3);
        assert.equal(client.transport, "polling");
        server.model.commit();
        await answer(await posted(network.posts.length), server.model.delta(1));
        await clock.pass(60);
        room.chat("a");
        socket.accept();
        const count = network.posts.length;
        assert.equal(network.posts.at(-1).signal.aborted, true);
        const resume = { session: "secret", number: 1, gameId: "room-1", epoch: 3, tick: 2 };
        assert.deepEqual(socket.takeMaps(Kind.HELLO), [{ name: "Ada", resume }]);
        assert.deepEqual([client.state, room.input({}), room.chat("b")], ["open", 0, true]);
        socket.number = 1;
        socket.say(Kind.WELCOME, { playerId: "p1", name: "Ada", server: "", session: "other", ...DELTA, received: 1 });
        assert.deepEqual(socket.takeNumbered(), [[2, Kind.CHAT_MESSAGE, { text: "b" }]]);
        server.tick(socket);
        assert.deepEqual([client.transport, room.tick, room.input({})], ["websocket", 3, 1]);
        assert.deepEqual(
            seen.map(([event, { resumed }]) => [event, resumed]),
            [["reconnected", "delta"]],
        );
        await clock.pass(3000);
        assert.equal(network.posts.length, count);
    });

    test("is tried every now and then, and given up for the while if nothing comes through", async () => {
        const { client, room } = await below();
        const seen = watch(client, "reconnecting");
        (await climber(3)).drop();
        await climber(4); // does not open at all
        const fifth = await climber(5);
        assert.deepEqual([network.sockets[3].closed.code, seen], [4408, []]);
        fifth.accept();
        await clock.pass(4100);
        assert.deepEqual([fifth.closed.code, seen.length], [4408, 1]);
        await clock.pass(600);
        await answer(network.posts.at(-1), welcome("other", DELTA));
        assert.deepEqual([client.state, client.transport, room.open], ["open", "polling", true]);
        for (let i = 0; i < 400; i++) {
            await clock.pass(100);
            await answer(network.posts.at(-1));
        }
        assert.equal(network.sockets.length, 5, "less often from now on");
    });

    test("waits for orders to be done", async () => {
        const { client, room } = await below();
        const socket = await climber(3);
        room.leave();
        socket.accept();
        assert.deepEqual([socket.closed.code, socket.sent], [4408, []]);
        await clock.pass(100);
        client.close();
    });

    test("waits for a join to be done", async () => {
        const { client, room } = await below();
        const socket = await climber(3);
        room.leave();
        await answer(network.posts.at(-1));
        client.join("jungle").catch(() => {});
        await answer(await posted(network.posts.length + 1));
        socket.accept();
        assert.deepEqual([socket.closed.code, socket.sent], [4408, []]);
        client.close();
    });

    test("sees to a room that was left or joined meanwhile", async () => {
        const { client, room, server } = await below();
        const socket = await climber(3);
        socket.accept();
        room.leave();
        const joining = client.join("jungle");
        socket.number = 1;
        const how = { ...DELTA, playerId: "p1", name: "Ada", server: "", session: "other" };
        socket.say(Kind.WELCOME, how);
        assert.deepEqual([socket.take(Kind.LEAVE_GAME).length, socket.take(Kind.JOIN_GAME).length], [1, 0]);
        socket.say(Kind.SERVER_HEARTBEAT, { timestamp: 0, serverTime: 0, received: 0 });
        assert.deepEqual(socket.takeMaps(Kind.JOIN_GAME), [{ gameId: "jungle" }]);
        server.admit(socket);
        assert.notEqual(await joining, room);
    });

    test("is not tried where only polls are wanted, nor when the client is closed", async () => {
        const { client } = await polled();
        await clock.pass(20_000);
        assert.equal(network.sockets.length, 0);
        client.close();
        network = fakeNetwork();
        const other = await below();
        const socket = await climber(3);
        other.client.close();
        assert.equal(socket.closed.code, 4408);
    });
});

test("a socket is preferred", async () => {
    const { client } = await connected(network);
    assert.deepEqual([client.transport, network.posts.length], ["websocket", 0]);
});
