import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { GameError, connect } from "../../src/monkeytown/web/monkeytown.js";
import { Kind, Reader } from "../../src/monkeytown/web/client/wire.js";
import { field, schema, table } from "./schemas.mjs";
import { FakeRoom, SPEC, connected, fakeNetwork, joined, settle, stopClock, watch } from "./server.mjs";

let clock;
let network;

beforeEach(() => {
    clock = stopClock();
    network = fakeNetwork();
});

afterEach(() => clock.release());

function acksOf(socket) {
    return socket.take(Kind.ACK).map((body) => {
        const reader = new Reader(body);
        return [reader.varint(), reader.varint64(), reader.varint()];
    });
}

describe("connecting", () => {
    test("says hello and knows who it is once it is welcomed", async () => {
        const { client, socket } = await connected(network, { token: "t" });
        assert.equal(socket.url, "ws://town.example/ws");
        assert.deepEqual(socket.protocols, ["monkeytown.1"]);
        assert.deepEqual(socket.takeMaps(Kind.HELLO), [{ name: "Ada", token: "t" }]);
        assert.deepEqual(
            [client.id, client.name, client.server, client.state, client.room],
            ["p1", "Ada", "monkeytown", "open", null],
        );
        client.close();
    });

    test("takes its address from the page", async () => {
        globalThis.location = { href: "https://town.example/play?x#y" };
        try {
            const connecting = connect(undefined, { WebSocket: network.WebSocket, transports: ["websocket"] });
            assert.equal(network.sockets[0].url, "wss://town.example/ws");
            network.sockets[0].drop();
            await assert.rejects(connecting, /cannot connect to wss:\/\/town.example\/ws: 1006/);
        } finally {
            delete globalThis.location;
        }
    });

    test("fails once and for all if the first connection fails", async () => {
        const connecting = connect("ws://town.example/ws", { WebSocket: network.WebSocket, transports: ["websocket"] });
        network.sockets[0].drop(1006);
        await assert.rejects(connecting, /1006/);
        await clock.pass(20_000);
        assert.equal(network.sockets.length, 1);
    });

    test("fails with the server's own words", async () => {
        const connecting = connect("ws://town.example/ws", { WebSocket: network.WebSocket, transports: ["websocket"] });
        network.sockets[0].accept();
        mock.method(console, "warn", () => {});
        network.sockets[0].say(0x48, { code: "AUTH-001", message: "The token was refused." });
        network.sockets[0].drop(4508);
        await assert.rejects(connecting, (error) => error instanceof GameError && error.code === "AUTH-001");
    });

    test("fails if another protocol is spoken, and if nobody answers", async () => {
        const wrong = connect("ws://town.example/ws", { WebSocket: network.WebSocket, transports: ["websocket"] });
        network.sockets[0].accept("");
        await assert.rejects(wrong, { code: "WS-001" });
        const silent = connect("ws://town.example/ws", { WebSocket: network.WebSocket, transports: ["websocket"] });
        network.sockets[1].accept();
        const rejected = assert.rejects(silent, /no answer/);
        await clock.pass(10_100);
        await rejected;
    });

    test("needs a WebSocket", async () => {
        const { WebSocket } = globalThis;
        delete globalThis.WebSocket;
        try {
            await assert.rejects(connect("ws://town.example/ws", { transports: ["websocket"] }), /no WebSocket/);
            await assert.rejects(connect("ws://town.example/ws", { transports: [] }), /no WebSocket/);
        } finally {
            if (WebSocket) globalThis.WebSocket = WebSocket;
        }
    });
});

describe("a room", () => {
    test("is there with its first state", async () => {
        const { client, socket } = await connected(network);
        let isIn = false;
        const joining = client.join("jungle").then((room) => {
            isIn = true;
            return room;
        });
        assert.deepEqual(socket.takeMaps(Kind.JOIN_GAME), [{ gameId: "jungle" }]);
        const server = new FakeRoom();
        socket.say(0x42, SPEC);
        socket.say(0x45, { id: "p1", name: "Ada" });
        await settle();
        assert.equal(isIn, false);
        assert.equal(client.room, null);
        socket.deliver(server.model.snapshot());
        const room = await joining;
        assert.equal(client.room, room);
        assert.deepEqual(
            [room.id, room.game, room.tickRate, room.epoch, room.tick, room.open],
            ["room-1", "jungle", 60, 3, 1, true],
        );
        assert.deepEqual([...room.players], [["p1", { id: "p1", name: "Ada" }]]);
        assert.equal(room.tables.monkeys.get(2 ** 20).x, 10);
        assert.equal(room.entity, null);
        assert.equal(room.schema.hash, 7);
    });

    test("that cannot be joined says why, and another one can be", async () => {
        const { client, socket } = await connected(network);
        const joining = client.join("atlantis");
        socket.say(0x48, { code: "GAME-001", message: "There is no such game or room." });
        await assert.rejects(joining, { code: "GAME-001" });
        assert.equal(client.room, null);
        const again = client.join("jungle");
        mock.method(console, "warn", () => {});
        socket.say(0x48, { code: "INPUT-005", message: "Too many chat messages." });
        new FakeRoom().admit(socket);
        await again;
        await assert.rejects(client.join("jungle"), { code: "GAME-004" });
    });

    test("tells of states, players, chat and events", async () => {
        const { socket, room, server } = await joined(network);
        const seen = watch(room, "state", "playerJoined", "playerLeft", "chat", "gong", "event", "error");
        server.tick(socket, (rows) => (rows.get(0).values[1] = 400));
        socket.say(0x45, { id: "p2", name: "Bob" });
        socket.say(0x47, { event: "chat", data: { playerId: "p2", name: "Bob", text: "hi" } });
        socket.say(0x47, { event: "gong", data: [1] });
        socket.say(0x47, { event: "error", data: "a game's own" });
        socket.say(0x48, { code: "GAME-100", message: "It is not your turn." });
        socket.say(0x46, { playerId: "p2" });
        const chat = { playerId: "p2", name: "Bob", text: "hi" };
        const states = seen.shift();
        assert.deepEqual([states[0], states[1].tick, states[1].snapshot], ["state", 2, false]);
        const refusal = seen.splice(6, 1)[0];
        assert.deepEqual([refusal[0], refusal[1].code, refusal[1].message], ["error", "GAME-100", "It is not your turn."]);
        assert.deepEqual(seen, [
            ["playerJoined", { id: "p2", name: "Bob" }],
            ["chat", chat],
            ["event", { event: "chat", data: chat }],
            ["gong", [1]],
            ["event", { event: "gong", data: [1] }],
            ["event", { event: "error", data: "a game's own" }],
            ["playerLeft", { id: "p2", name: "Bob" }],
        ]);
        assert.deepEqual([...room.players.keys()], ["p1"]);
    });

    test("has what was said last, also before this player came", async () => {
        const { socket, room } = await joined(network);
        assert.deepEqual(room.chatLines, []);
        socket.say(0x47, { event: "chat_history", data: [{ text: "before" }] });
        assert.deepEqual(room.chatLines, [{ text: "before" }]);
        for (let number = 0; number < 60; number++) socket.say(0x47, { event: "chat", data: { text: String(number) } });
        assert.equal(room.chatLines.length, 50);
        assert.deepEqual([room.chatLines[0].text, room.chatLines[49].text], ["10", "59"]);
    });

    test("tells its tables' listeners once a state, and those of before at once", async () => {
        const { socket, room, server } = await joined(network);
        const { monkeys } = room.tables;
        const seen = [];
        const note = (what) => (rows, from) => seen.push([what, rows.map(({ slot }) => slot), from === monkeys]);
        monkeys.onSpawn(note("spawn"));
        const stop = monkeys.onChange(note("change"));
        monkeys.onDespawn(note("despawn"));
        server.tick(socket, () => [3, 4].forEach((slot) => server.model.spawn(0, slot, [slot, slot, 0])));
        server.tick(socket, (rows) => {
            rows.get(0).values[1] = 1;
            rows.get(3).values[1] = 9;
            rows.delete(4);
        });
        server.tick(socket, (rows) => (rows.get(0).values[0] = 999));
        stop();
        server.tick(socket, (rows) => (rows.get(0).values[1] = 2));
        assert.deepEqual(seen, [
            ["spawn", [0], true],
            ["spawn", [3, 4], true],
            ["despawn", [4], true],
            ["change", [0, 3], true],
            ["change", [0], true],
        ]);
    });

    test("knows this player's own entity, values and inputs seen", async () => {
        const { socket, room, server } = await joined(network);
        const seen = [];
        const owned = [];
        room.tables.monkeys.onChange((rows) => seen.push(...rows.map(({ secret }) => secret)));
        room.on("entity", (row) => owned.push(row?.id ?? null));
        server.model.tables[0].get(0).values[2] = 42;
        socket.deliver(
            server.model.private({
                input: 9,
                entity: { table: 0, id: 2 ** 20 },
                reset: true,
                values: [{ table: 0, slots: [0] }],
            }),
        );
        assert.equal(room.entity, room.tables.monkeys.get(2 ** 20));
        assert.equal(room.entity.secret, 42);
        assert.equal(room.inputSeen, 9);
        assert.deepEqual(seen, [42]);
        socket.deliver(server.model.private({ input: 10 }));
        socket.deliver(server.model.private({ entity: { table: 255, id: 0 } }));
        assert.deepEqual(owned, [2 ** 20, null]);
    });

    test("sends inputs with their number and the tick they answer", async () => {
        const { socket, room, server } = await joined(network);
        assert.equal(room.input({ turn: 1, run: true }), 1);
        server.tick(socket);
        assert.equal(room.input({}), 2);
        assert.deepEqual(
            socket.take(Kind.PLAYER_INPUT).map((body) => [...body]),
            [
                [0x34, 0x12, 1, 1, 254, 1],
                [0x34, 0x12, 2, 2, 127, 0],
            ],
        );
        assert.throws(() => room.input({ jump: true }), TypeError);
        socket.bufferedAmount = 1e6;
        assert.equal(room.input({}), 0, "a stalled connection is not filled with inputs");
        assert.equal(room.chat("hello"), true);
        assert.deepEqual(socket.takeNumbered(), [[1, Kind.CHAT_MESSAGE, { text: "hello" }]]);
    });

    test("sends actions as maps if the game has no input", async () => {
        const server = new FakeRoom(
            schema([table("board", [field("cells", "enum", { count: 9 })], { capacity: 1, single: true })], { tickRate: 0 }),
        );
        const { socket, room } = await joined(network, server);
        socket.bufferedAmount = 1e6;
        assert.equal(room.input({ place: 4 }), 1);
        assert.deepEqual(socket.takeNumbered(), [[1, Kind.PLAYER_INPUT, { place: 4 }]]);
        assert.equal(room.playbackTick(), room.tick);
        assert.equal(room.tables.board.row.cells.length, 9);
    });

    test("draws between states", async () => {
        const { socket, room, server } = await joined(network);
        const { monkeys } = room.tables;
        room.interpolated(monkeys);
        for (let i = 1; i <= 60; i++) {
            clock.freeze(1000 / 60);
            server.tick(socket, (rows) => (rows.get(0).values[0] = 160 + 16 * i));
            room.interpolated(monkeys);
        }
        const { tick, columns } = room.interpolated(monkeys);
        assert.ok(tick < 60 && tick > 57, `${tick}`);
        assert.ok(Math.abs(columns.x[0] - (10 + tick - 1)) < 1e-9, `${columns.x[0]} at ${tick}`);
    });

    test("that goes on in another epoch is drawn from there", async () => {
        const { socket, room, server } = await joined(network);
        for (let i = 0; i < 30; i++) {
            await clock.pass(17);
            server.tick(socket);
        }
        room.interpolated(room.tables.monkeys);
        server.model.epoch++;
        server.model.past = new Map([[3, server.model.past.get(server.model.tick)]]);
        server.model.tick = 3;
        socket.deliver(server.model.snapshot());
        assert.deepEqual([room.epoch, room.tick, room.playbackTick()], [4, 3, 1]);
    });

    test("that was left is over, and what still comes of it is not heard", async () => {
        const { client, socket, room, server } = await joined(network);
        const seen = watch(room, "close", "state", "chat");
        room.leave();
        room.leave();
        assert.deepEqual(socket.takeMaps(Kind.LEAVE_GAME), [{}]);
        assert.deepEqual([room.open, client.room], [false, null]);
        server.tick(socket);
        socket.say(0x47, { event: "chat", data: {} });
        assert.deepEqual(seen, [["close", { code: 1000, reason: "left" }]]);
        assert.deepEqual([room.input({}), room.chat("x")], [0, false]);
        const joining = client.join("jungle");
        server.tick(socket);
        server.admit(socket);
        assert.notEqual(await joining, room);
    });

    test("counts what comes in", async () => {
        const { socket, room, server } = await joined(network);
        for (let i = 0; i < 120; i++) {
            await clock.pass(1000 / 60);
            server.tick(socket);
        }
        const { statesPerSecond, bytesPerSecond, bytesPerState } = room.stats;
        assert.ok(Math.abs(statesPerSecond - 60) <= 6, `${statesPerSecond}`);
        assert.ok(bytesPerSecond >= statesPerSecond * bytesPerState && bytesPerState >= 5);
        assert.equal(room.rate, statesPerSecond);
        clock.freeze(1100);
        assert.equal(room.rate, 0);
    });

    test("does not mind messages of a kind that is not known, nor keys", async () => {
        const { client, socket, room, server } = await joined(network);
        socket.deliver(Uint8Array.from([0x4b, 1, 2, 3]));
        socket.say(0x45, { id: "p2", name: "Bob", hat: "red" });
        server.tick(socket);
        assert.deepEqual([client.state, room.tick, room.players.get("p2")], ["open", 2, { id: "p2", name: "Bob" }]);
    });

    test("goes on when a listener throws", async () => {
        const { socket, room } = await joined(network);
        const uncaught = [];
        const keep = process.listeners("uncaughtException");
        process.removeAllListeners("uncaughtException");
        process.on("uncaughtException", (error) => uncaught.push(error.message));
        const seen = [];
        room.on("chat", () => {
            throw new Error("a bug of the page");
        });
        const stop = room.on("chat", ({ text }) => seen.push(text));
        socket.say(0x47, { event: "chat", data: { text: "a" } });
        await new Promise(setImmediate);
        process.removeAllListeners("uncaughtException");
        for (const listener of keep) process.on("uncaughtException", listener);
        stop();
        socket.say(0x47, { event: "other", data: null });
        assert.deepEqual([seen, uncaught], [["a"], ["a bug of the page"]]);
        assert.throws(() => room.on("chat", null), TypeError);
    });
});

describe("acknowledgements and heartbeats", () => {
    test("follow every snapshot at once, and states at least five times a second", async () => {
        const { socket, server } = await joined(network);
        assert.deepEqual(acksOf(socket), [[3, 1, 1]]);
        for (let i = 0; i < 60; i++) {
            server.tick(socket);
            await clock.pass(1000 / 60);
        }
        const acks = acksOf(socket);
        assert.ok(acks.length >= 5 && acks.length <= 8, `${acks.length} a second`);
        await clock.pass(200);
        assert.deepEqual(acksOf(socket).at(-1) ?? acks.at(-1), [3, 61, 1], "the last state is acknowledged too");
        await clock.pass(2000);
        assert.deepEqual(acksOf(socket), [], "nothing new, nothing to acknowledge");
        socket.deliver(server.model.snapshot());
        assert.deepEqual(acksOf(socket), [[3, 61, 1]]);
    });

    test("are left to inputs while there are some, but for numbered messages", async () => {
        const { socket, room, server } = await joined(network);
        acksOf(socket);
        for (let i = 0; i < 60; i++) {
            server.tick(socket);
            room.input({});
            await clock.pass(1000 / 60);
        }
        assert.deepEqual(acksOf(socket), []);
        socket.say(0x47, { event: "gong", data: null });
        await clock.pass(300);
        assert.deepEqual(acksOf(socket), [[3, 61, 2]]);
    });

    test("tell the round trip and the server's clock", async () => {
        const { client, socket } = await connected(network);
        assert.equal(client.ping, 0);
        let beats = 0;
        for (let i = 0; i < 50; i++) {
            await clock.pass(100);
            for (const { timestamp } of socket.takeMaps(Kind.HEARTBEAT)) {
                beats++;
                await clock.pass(40);
                socket.say(0x49, { timestamp, serverTime: 1e12 + performance.now() - 20 });
            }
        }
        assert.ok(beats >= 5 && beats <= 8, `${beats}`);
        assert.ok(client.ping >= 40 && client.ping <= 140, `${client.ping}`);
        assert.ok(Math.abs(client.serverTime - 1e12 - performance.now()) <= 50);
        client.close();
    });
});
