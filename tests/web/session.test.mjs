/** Coming back to one's seat: what a welcome may say, what is kept meanwhile, and what is told of it. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { Kind } from "../../src/monkeytown/web/client/wire.js";
import { field, schema, table } from "./schemas.mjs";
import { FakeRoom, SPEC, connected, fakeNetwork, joined, stopClock, watch } from "./server.mjs";

const BOARD = schema([table("board", [field("cells", "enum", { count: 9 })], { capacity: 1, single: true })], { tickRate: 0 });

let clock;
let network;

beforeEach(() => {
    clock = stopClock();
    network = fakeNetwork();
});

afterEach(() => clock.release());

/** The next socket, once the client has dialled. */
async function dialled() {
    const before = network.sockets.length;
    for (let i = 0; i < 600 && network.sockets.length === before; i++) await clock.pass(10);
    assert.equal(network.sockets.length, before + 1, "it tries again");
    return network.sockets.at(-1);
}

/** Comes back, and is told how: the session goes on unless `how` says otherwise. */
async function back(how) {
    const socket = await dialled();
    socket.welcome("p1", { recovered: true, received: 0, number: 0, gameId: "room-1", resumed: "delta", ...how });
    return socket;
}

function resumeOf(socket) {
    return socket.takeMaps(Kind.HELLO)[0].resume;
}

const namesOf = (seen) => seen.map(([event, data]) => [event, data.id ?? data.resumed ?? data.text ?? data.attempt]);

describe("a session that is resumed with a delta", () => {
    test("goes on where it was: tables, players, numbers, own id, playback", async () => {
        const { client, socket, room, server } = await joined(network);
        for (let i = 0; i < 30; i++) {
            await clock.pass(17);
            server.tick(socket);
        }
        room.interpolated(room.tables.monkeys);
        assert.equal(room.input({}), 1);
        const { tables, schema: description } = room;
        const before = room.playbackTick();
        const seen = watch(room, "reconnecting", "reconnected", "playerJoined", "playerLeft", "state");
        socket.drop();
        assert.deepEqual([...room.players.keys()], ["p1"], "they are there as far as is known");
        server.tick(null, (rows) => (rows.get(0).values[0] = 700));
        server.tick(null);
        const again = await back({ number: 1 });
        assert.deepEqual(resumeOf(again), { session: "secret-1", number: 1, gameId: "room-1", epoch: 3, tick: 31 });
        assert.deepEqual(again.take(Kind.JOIN_GAME), []);
        assert.deepEqual([client.state, client.id, client.room], ["open", "p1", room]);
        again.deliver(server.model.delta(31));
        assert.deepEqual([room.tables, room.schema, room.tick], [tables, description, 33]);
        assert.equal(room.tables.monkeys.at(0).x, 700 / 16);
        assert.deepEqual(namesOf(seen), [
            ["reconnecting", 1],
            ["reconnected", "delta"],
            ["state", undefined],
        ]);
        assert.deepEqual(seen[1][1], { sameRoom: true, sameSchema: true, resumed: "delta", recovered: true, lost: 0 });
        assert.equal(room.input({}), 2, "inputs go on being numbered");
        assert.ok(room.playbackTick() > before, "playback goes on");
    });

    test("hears what it missed, each once", async () => {
        const { socket, room } = await joined(network);
        socket.say(0x45, { id: "p2", name: "Bob" });
        const seen = watch(room, "playerJoined", "playerLeft", "chat");
        socket.drop();
        const again = await back({ number: 2 });
        again.say(0x45, { id: "p3", name: "Cy" });
        again.say(0x47, { event: "chat", data: { text: "hi" } });
        again.say(0x46, { playerId: "p2" });
        assert.deepEqual(namesOf(seen), [
            ["playerJoined", "p3"],
            ["chat", "hi"],
            ["playerLeft", "p2"],
        ]);
        assert.deepEqual([...room.players.keys()], ["p1", "p3"]);
    });

    test("but not all of the messages is told who is there, and takes its time to say who is not", async () => {
        const { client, socket, room, server } = await joined(network);
        socket.say(0x45, { id: "p2", name: "Bob" });
        socket.say(0x45, { id: "p3", name: "Cy" });
        const seen = watch(room, "reconnected", "playerJoined", "playerLeft");
        socket.drop();
        const between = await back({ number: 50, recovered: false });
        between.say(0x45, { id: "p3", name: "Cy" });
        between.drop();
        const again = await back({ number: 51 });
        for (const [id, name] of [["p1", "Ada"], ["p4", "Di"]]) again.say(0x45, { id, name });
        server.tick(again);
        assert.deepEqual([room.tick, client.state, seen.length], [2, "reconnecting", 1]);
        again.say(0x49, { timestamp: 0, serverTime: 0, received: 0 });
        assert.deepEqual(namesOf(seen), [
            ["playerJoined", "p4"],
            ["playerLeft", "p2"],
            ["reconnected", "delta"],
        ]);
        assert.deepEqual([[...room.players.keys()], client.state], [["p3", "p1", "p4"], "open"]);
    });

    test("says nothing before it is welcomed, and acknowledges then", async () => {
        const { socket } = await joined(network);
        socket.drop();
        const again = await dialled();
        again.accept();
        await clock.pass(1000);
        assert.deepEqual(
            again.sent.map(([kind]) => kind),
            [Kind.HELLO],
        );
        again.number = 1;
        const how = { recovered: true, received: 0, number: 1, gameId: "room-1", resumed: "delta" };
        again.say(0x41, { playerId: "p1", name: "Ada", server: "", session: "other", ...how });
        assert.deepEqual(
            again.sent.map(([kind]) => kind),
            [Kind.HELLO, Kind.ACK, Kind.HEARTBEAT],
        );
        again.drop();
        assert.equal(resumeOf(await back({ number: 1 })).session, "other", "each welcome says how to come back to it");
    });

    test("is broken if there is nothing to go on from", async () => {
        const { socket } = await joined(network);
        socket.deliver(Uint8Array.from([0x43, 0, 3, 9, 1]));
        const again = await back({ number: 1 });
        assert.deepEqual(resumeOf(again), { session: "secret-1", number: 1 }, "a broken state is no position");
        assert.equal(again.closed.code, 4400);
    });
});

describe("a session that is resumed with a snapshot", () => {
    test("is described anew; players and numbers stay if all messages were recovered", async () => {
        const { client, socket, room, server } = await joined(network);
        socket.say(0x45, { id: "p2", name: "Bob" });
        const { monkeys } = room.tables;
        assert.equal(room.input({}), 1);
        const seen = watch(room, "reconnected", "playerJoined", "playerLeft", "error");
        socket.drop();
        const again = await back({ number: 2, resumed: "snapshot" });
        assert.equal(client.state, "reconnecting", "until there is a state");
        again.say(0x48, { code: "GAME-100", message: "It was not your turn." });
        again.say(0x46, { playerId: "p2" });
        await clock.pass(500);
        assert.deepEqual(again.take(Kind.ACK), [], "nothing to acknowledge");
        again.say(0x42, SPEC);
        server.tick(null);
        again.deliver(server.model.snapshot());
        assert.deepEqual([client.state, room.tables.monkeys, room.tick], ["open", monkeys, server.model.tick]);
        assert.deepEqual(
            seen.map(([event]) => event),
            ["error", "playerLeft", "reconnected"],
        );
        assert.deepEqual(seen[2][1], { sameRoom: true, sameSchema: true, resumed: "snapshot", recovered: true, lost: 0 });
        assert.deepEqual([[...room.players.keys()], room.input({})], [["p1"], 2]);
    });

    test("is told who is there if some messages are lost for good, and tells of changes only", async () => {
        const { socket, room, server } = await joined(network);
        socket.say(0x45, { id: "p2", name: "Bob" });
        socket.say(0x45, { id: "p3", name: "Cy" });
        const seen = watch(room, "reconnected", "playerJoined", "playerLeft");
        socket.drop();
        const how = { number: 700, resumed: "snapshot", recovered: false };
        const between = await back(how);
        assert.deepEqual([...room.players.keys()], []);
        between.say(0x42, SPEC);
        between.say(0x45, { id: "p4", name: "Di" });
        between.say(0x45, { id: "p3", name: "Cy" });
        between.say(0x46, { playerId: "p3" });
        between.drop();
        const again = await back({ ...how, number: 900 });
        assert.deepEqual(resumeOf(again), { session: "secret-2", number: 703 });
        server.admit(again, [
            ["p1", "Ada"],
            ["p4", "Di"],
        ]);
        assert.deepEqual(namesOf(seen), [
            ["playerJoined", "p4"],
            ["playerLeft", "p3"],
            ["playerLeft", "p2"],
            ["reconnected", "snapshot"],
        ]);
        assert.deepEqual([...room.players.keys()], ["p1", "p4"]);
        assert.equal(seen.at(-1)[1].recovered, false);
    });

    test("and lost before it was described: what it had is no position any more", async () => {
        const { socket } = await joined(network);
        socket.drop();
        const how = { number: 1, resumed: "snapshot" };
        (await back(how)).drop();
        assert.deepEqual(resumeOf(await back(how)), { session: "secret-2", number: 1 });
    });
});

describe("a session that is known", () => {
    test("but in no room: the room is joined again, and what was said to it is lost", async () => {
        const { client, socket, room, server } = await joined(network);
        assert.equal(room.input({}), 1);
        const seen = watch(room, "reconnected");
        socket.drop();
        assert.equal(room.chat("where are you all?"), true);
        const again = await back({ number: 1, resumed: null, gameId: null });
        assert.deepEqual([again.takeMaps(Kind.JOIN_GAME), again.takeNumbered()], [[{ gameId: "room-1" }], []]);
        server.admit(again);
        assert.deepEqual(seen[0][1], { sameRoom: true, sameSchema: true, resumed: null, recovered: true, lost: 1 });
        assert.deepEqual([client.id, room.input({}), room.chat("hello")], ["p1", 1, true]);
        assert.deepEqual(again.takeNumbered(), [[1, Kind.CHAT_MESSAGE, { text: "hello" }]]);
    });

    test("in a room that was left meanwhile: it is left now, and nothing of it is taken for the next", async () => {
        const { client, socket, room, server } = await joined(network);
        const seen = watch(client, "reconnected");
        socket.drop();
        room.leave();
        const again = await back({ number: 1, resumed: "snapshot" });
        assert.deepEqual(again.takeMaps(Kind.LEAVE_GAME), [{}]);
        server.admit(again);
        assert.deepEqual([client.state, client.room, seen.length], ["reconnecting", null, 0]);
        again.say(0x49, { timestamp: performance.now(), serverTime: 1, received: 0 });
        assert.deepEqual([client.state, seen.length], ["open", 1]);
        const joining = client.join("jungle");
        assert.deepEqual(again.takeMaps(Kind.JOIN_GAME), [{ gameId: "jungle" }]);
        server.admit(again);
        assert.equal((await joining).tick, server.model.tick);
    });

    test("in a room whose join was lost: it is left", async () => {
        const { client, socket } = await connected(network);
        const joining = client.join("jungle");
        socket.drop();
        await assert.rejects(joining, /lost/);
        const again = await back({ resumed: "snapshot" });
        assert.deepEqual(again.takeMaps(Kind.LEAVE_GAME), [{}]);
    });

    test("and was ended meanwhile, or taken by another connection: that is final", async () => {
        for (const code of [4504, 4505, 4506, 4507]) {
            network = fakeNetwork();
            const { client, socket, room } = await joined(network);
            const seen = watch(room, "close");
            socket.drop();
            const again = await dialled();
            again.accept();
            again.drop(code, "over");
            assert.deepEqual([client.state, seen[0][1]], ["closed", { code, reason: "over" }]);
            await clock.pass(6000);
            assert.equal(network.sockets.length, 2);
        }
    });

    test("is given up by leaving for good, and by nothing else", async () => {
        const { client, socket } = await connected(network, { transports: ["websocket"] });
        await clock.pass(8700);
        assert.equal(socket.closed.code, 4408);
        network.sockets[1].welcome("p1", { recovered: true, received: 0, number: 0, gameId: null, resumed: null });
        client.close();
        assert.equal(network.sockets[1].closed.code, 1000);
    });
});

describe("what is said", () => {
    test("is numbered, kept until the server has it, and said again after a loss", async () => {
        const { socket, room } = await joined(network, new FakeRoom(BOARD));
        assert.deepEqual([room.chat("a"), room.input({ place: 1 }), room.input({ place: 2 })], [true, 1, 2]);
        const [a, b, c] = [
            [1, Kind.CHAT_MESSAGE, { text: "a" }],
            [2, Kind.PLAYER_INPUT, { place: 1 }],
            [3, Kind.PLAYER_INPUT, { place: 2 }],
        ];
        assert.deepEqual(socket.takeNumbered(), [a, b, c]);
        socket.say(0x49, { timestamp: 0, serverTime: 0, received: 1 });
        socket.drop();
        assert.deepEqual([room.input({ place: 3 }), room.chat("d")], [3, true]);
        const again = await back({ number: 1, received: 2 });
        assert.deepEqual(again.takeNumbered(), [c, [4, Kind.PLAYER_INPUT, { place: 3 }], [5, Kind.CHAT_MESSAGE, { text: "d" }]]);
        again.say(0x49, { timestamp: 0, serverTime: 0, received: 5 });
        again.drop();
        assert.deepEqual((await back({ number: 1, received: 5 })).takeNumbered(), []);
        assert.equal(room.input({ place: 4 }), 4);
    });

    test("is lost with the session, and how much is told", async () => {
        const { client, socket, room, server } = await joined(network, new FakeRoom(BOARD));
        const seen = watch(client, "reconnected", "error");
        room.input({ place: 1 });
        socket.drop();
        room.chat("b");
        const again = await dialled();
        again.welcomeAnew("p7");
        assert.deepEqual([again.takeNumbered(), room.chat("c"), room.input({ place: 2 })], [[], false, 0]);
        server.admit(again, [["p7", "Ada"]]);
        assert.deepEqual(seen, [
            ["reconnected", { sameRoom: true, sameSchema: true, resumed: null, recovered: false, lost: 2 }],
        ]);
        assert.deepEqual([client.id, room.input({ place: 3 })], ["p7", 1]);
        assert.deepEqual(again.takeNumbered(), [[1, Kind.PLAYER_INPUT, { place: 3 }]]);
        again.drop();
        const third = await dialled();
        third.accept();
        assert.equal(resumeOf(third).number, 2, "AUTH-003 was the first of the new session");
    });

    test("is refused beyond what is kept", async () => {
        const { socket, room } = await joined(network, new FakeRoom(BOARD));
        socket.drop();
        let count = 0;
        while (room.chat("x")) count++;
        assert.deepEqual([count, room.input({ place: 1 })], [256, 0]);
        const again = await back({ number: 1, received: 0 });
        assert.equal(again.takeNumbered().length, 256);
        again.say(0x49, { timestamp: 0, serverTime: 0, received: 200 });
        const long = "x".repeat(4000);
        count = 0;
        while (room.chat(long)) count++;
        assert.equal(count, 16, "64 KiB");
        assert.equal(room.chat("short"), true);
    });

    test("cannot have arrived before it was said", async () => {
        const { socket } = await joined(network);
        socket.say(0x49, { timestamp: 0, serverTime: 0, received: 1 });
        assert.equal(socket.closed.code, 4400);
    });

    test("as a packed input is dropped meanwhile, for only the newest is of use", async () => {
        const { socket, room } = await joined(network);
        socket.drop();
        assert.equal(room.input({ turn: 1 }), 0);
        const again = await back({ number: 1 });
        assert.deepEqual([again.take(Kind.PLAYER_INPUT), room.input({ turn: 1 })], [[], 1]);
    });
});

test("a page that goes for good leaves, one that may be come back to does not", async () => {
    const page = new EventTarget();
    globalThis.addEventListener = page.addEventListener.bind(page);
    globalThis.removeEventListener = page.removeEventListener.bind(page);
    try {
        const { client, socket } = await connected(network);
        page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
        assert.deepEqual([client.state, socket.closed], ["open", null]);
        page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: false }));
        assert.deepEqual([client.state, socket.closed.code], ["closed", 1000]);
    } finally {
        delete globalThis.addEventListener;
        delete globalThis.removeEventListener;
    }
});

test("a welcome without a session, or a second one, is broken", async () => {
    for (const say of [
        (socket) => socket.welcome("p1", { session: undefined }),
        (socket) => socket.welcome("p1", { received: -1 }),
        (socket) => socket.welcome("p1", { number: "many" }),
    ]) {
        network = fakeNetwork();
        const { socket } = await connected(network);
        socket.drop();
        const again = await dialled();
        say(again);
        assert.equal(again.closed.code, 4400);
    }
    const { socket } = await connected((network = fakeNetwork()));
    socket.say(0x41, { playerId: "p1", name: "Ada", server: "", session: "x" });
    assert.equal(socket.closed.code, 4400);
});
