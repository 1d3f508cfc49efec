/** Tokens: where they come from, when another is shown, and when there is no use in coming back. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { Kind } from "../../src/monkeytown/web/client/wire.js";
import { connect } from "../../src/monkeytown/web/monkeytown.js";
import { connected, fakeNetwork, joined, settle, stopClock, watch } from "./server.mjs";

let clock;
let network;

beforeEach(() => {
    clock = stopClock();
    network = fakeNetwork();
});

afterEach(() => clock.release());

const EXPIRED = { code: "AUTH-004", message: "The token has expired." };

function options(token) {
    return { name: "Ada", token, WebSocket: network.WebSocket, fetch: network.fetch };
}

const helloOf = (socket) => socket.takeMaps(Kind.HELLO)[0];

describe("a token", () => {
    test("that is there goes along with the hello, at once", async () => {
        const { socket } = await connected(network, { token: "t1" });
        assert.deepEqual(helloOf(socket), { name: "Ada", token: "t1" });
    });

    test("is waited for", async () => {
        let give;
        const connecting = connect("http://town.example/ws", options(() => new Promise((resolve) => (give = resolve))));
        const socket = network.sockets[0];
        socket.accept();
        await settle();
        assert.equal(helloOf(socket), undefined);
        give("t1");
        await settle();
        assert.deepEqual(helloOf(socket), { name: "Ada", token: "t1" });
        socket.say(0x41, { playerId: "p1", name: "Ada", server: "monkeytown", session: "s1" });
        assert.equal((await connecting).id, "p1");
    });

    test("may be missing", async () => {
        connect("http://town.example/ws", options(async () => undefined));
        network.sockets[0].accept();
        await settle();
        assert.deepEqual(helloOf(network.sockets[0]), { name: "Ada" });
    });

    test("that cannot be had ends a first connection with the reason", async () => {
        const failing = connect("http://town.example/ws", { ...options(() => Promise.reject(new Error("log in first"))), transports: ["websocket"] });
        network.sockets[0].accept();
        await assert.rejects(failing, /log in first/);
    });

    test("is another one for each connection", async () => {
        let count = 0;
        const { socket } = await joined(network, undefined, { token: async () => `t${++count}` });
        assert.equal(helloOf(socket).token, "t1");
        socket.drop();
        while (network.sockets.length < 2) await clock.pass(10);
        network.sockets[1].accept();
        await settle();
        assert.equal(helloOf(network.sockets[1]).token, "t2");
    });
});

describe("a token that runs out", () => {
    test("is renewed in the connection, and nobody hears of it", async () => {
        let count = 0;
        const { client, socket, room, server } = await joined(network, undefined, { token: async () => `t${++count}` });
        const seen = watch(client, "error", "reconnecting", "close");
        socket.take(Kind.HELLO);
        socket.say(0x48, EXPIRED);
        await settle();
        assert.deepEqual(helloOf(socket), { token: "t2" });
        socket.say(0x41, { playerId: "p1", name: "Ada", server: "monkeytown", session: "another" });
        server.tick(socket, (rows) => (rows.get(0).values[0] = 700));
        assert.equal(room.tables.monkeys.at(0).x, 700 / 16);
        assert.deepEqual(seen, []);
        socket.drop();
        while (network.sockets.length < 2) await clock.pass(10);
        network.sockets[1].accept();
        await settle();
        assert.equal(helloOf(network.sockets[1]).resume.session, "another");
    });

    test("and cannot be renewed is told of when the connection ends, which comes back with another", async () => {
        let count = 0;
        const token = async () => {
            if (++count === 2) throw new Error("offline");
            return `t${count}`;
        };
        const warn = console.warn;
        console.warn = () => {};
        try {
            const { client, socket } = await joined(network, undefined, { token });
            socket.say(0x48, EXPIRED);
            await settle();
            const seen = watch(client, "reconnecting", "close");
            socket.drop(4004, "the token has expired");
            assert.deepEqual(
                seen.map(([event, { code }]) => [event, code]),
                [["reconnecting", 4004]],
            );
            while (network.sockets.length < 2) await clock.pass(10);
            network.sockets[1].accept();
            await settle();
            assert.equal(helloOf(network.sockets[1]).token, "t3");
        } finally {
            console.warn = warn;
        }
    });

    test("and stays the same is the end", async () => {
        const { client, socket } = await joined(network, undefined, { token: "t1" });
        const seen = watch(client, "error", "reconnecting", "close");
        socket.say(0x48, EXPIRED);
        assert.deepEqual(
            seen.map(([event, { code }]) => [event, code]),
            [["error", "AUTH-004"]],
        );
        socket.drop(4004, "the token has expired");
        assert.deepEqual(
            seen.slice(1).map(([event, { code }]) => [event, code]),
            [["close", 4004]],
        );
        assert.equal(client.state, "closed");
    });
});

test("the same player in another session begins to count anew", async () => {
    const { client, socket, room } = await joined(network, undefined, { token: "t1" });
    room.chat("lost");
    socket.drop();
    while (network.sockets.length < 2) await clock.pass(10);
    const again = network.sockets[1];
    const told = watch(client, "reconnected");
    again.welcomeAnew("p1");
    again.say(0x42, room.schema);
    assert.equal(client.id, "p1");
    assert.deepEqual(again.takeMaps(Kind.JOIN_GAME), [{ gameId: "room-1" }]);
    assert.deepEqual(told, []);
});
