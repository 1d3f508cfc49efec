import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { Kind } from "../../src/monkeytown/web/client/wire.js";
import { field, table } from "./schemas.mjs";
import { FakeRoom, SPEC, connected, fakeNetwork, joined, stopClock, watch } from "./server.mjs";

/** What is told of a return in another session. */
const NEW = { resumed: null, recovered: false, lost: 0 };

let clock;
let network;

beforeEach(() => {
    clock = stopClock();
    network = fakeNetwork();
});

afterEach(() => clock.release());

describe("a lost connection", () => {
    /** Waits for the next attempt, and answers it. */
    async function back(sockets, playerId = "p9") {
        const before = sockets.length;
        for (let i = 0; i < 600 && sockets.length === before; i++) await clock.pass(10);
        assert.equal(sockets.length, before + 1, "it tries again");
        const socket = sockets.at(-1);
        socket.welcomeAnew(playerId);
        return socket;
    }

    test("is repaired: the same room, the same tables, the same listeners", async () => {
        const { client, socket, room, server } = await joined(network);
        const { monkeys } = room.tables;
        const seen = watch(room, "reconnecting", "reconnected", "playerJoined", "playerLeft");
        const rows = [];
        monkeys.onSpawn((spawned) => rows.push(["spawn", ...spawned.map(({ slot }) => slot)]));
        monkeys.onChange((changed) => rows.push(["change", ...changed.map(({ slot }) => slot)]));
        monkeys.onDespawn((gone) => rows.push(["despawn", ...gone.map(({ slot }) => slot)]));
        server.model.spawn(0, 5, [1, 2, 3]);
        server.tick(socket);
        socket.say(0x45, { id: "p2", name: "Bob" });
        assert.equal(room.input({}), 1);
        socket.drop(1006);
        assert.equal(client.state, "reconnecting");
        assert.deepEqual([room.input({}), room.chat("x"), room.open], [0, true, true]);
        assert.equal(monkeys.size, 2, "what was seen last stays");
        server.tick(null, (table) => {
            table.delete(5);
            table.get(0).values[0] = 500;
            server.model.spawn(0, 6, [1, 2, 3]);
        });
        const again = await back(network.sockets);
        const position = { gameId: "room-1", epoch: 3, tick: 2 };
        assert.deepEqual(again.takeMaps(Kind.HELLO), [{ name: "Ada", resume: { session: "secret-1", number: 2, ...position } }]);
        assert.deepEqual(again.takeMaps(Kind.JOIN_GAME), [{ gameId: "room-1" }]);
        assert.deepEqual([room.chat("y"), again.takeNumbered()], [false, []], "it may be another room");
        server.admit(again, [
            ["p9", "Ada"],
            ["p3", "Cy"],
        ]);
        assert.deepEqual([client.state, client.id, client.room], ["open", "p9", room]);
        assert.equal(room.tables.monkeys, monkeys);
        assert.deepEqual(rows, [
            ["spawn", 0],
            ["spawn", 5],
            ["despawn", 5],
            ["spawn", 6],
            ["change", 0],
        ]);
        assert.deepEqual(
            seen.map(([name, data]) => [name, data.id ?? data.sameRoom ?? data.attempt]),
            [
                ["playerJoined", "p2"],
                ["reconnecting", 1],
                ["playerJoined", "p9"],
                ["playerJoined", "p3"],
                ["playerLeft", "p1"],
                ["playerLeft", "p2"],
                ["reconnected", true],
            ],
        );
        assert.deepEqual(seen.at(-1)[1], { sameRoom: true, sameSchema: true, resumed: null, recovered: false, lost: 1 });
        assert.deepEqual([...room.players.keys()], ["p9", "p3"]);
        assert.equal(room.input({}), 1, "inputs are counted anew");
        server.tick(again);
        assert.equal(room.tick, server.model.tick);
    });

    test("leads to another room of the game if the old one is gone", async () => {
        const { socket, room, server } = await joined(network);
        const seen = watch(room, "reconnected", "error");
        for (let i = 0; i < 30; i++) {
            server.tick(socket);
            await clock.pass(17);
        }
        room.playbackTick();
        const rows = [];
        room.tables.monkeys.onSpawn((spawned) => rows.push(["spawn", spawned.length]));
        room.tables.monkeys.onDespawn((gone) => rows.push(["despawn", gone.length]));
        socket.drop(4000, "restart");
        const again = await back(network.sockets);
        again.take(Kind.JOIN_GAME);
        again.say(0x48, { code: "GAME-001", message: "There is no such game or room." });
        assert.deepEqual(again.takeMaps(Kind.JOIN_GAME), [{ gameId: "jungle" }]);
        new FakeRoom().admit(again, [["p9", "Ada"]], { ...SPEC, gameId: "room-2" });
        assert.deepEqual(seen, [["reconnected", { sameRoom: false, sameSchema: true, ...NEW }]]);
        assert.equal(room.id, "room-2");
        assert.equal(room.playbackTick(), room.tick - 2, "playback begins anew");
        assert.deepEqual(
            rows,
            [
                ["spawn", 1],
                ["despawn", 1],
                ["spawn", 1],
            ],
            "the same ids in another room are other entities",
        );
    });

    test("brings new tables if the game's schema has changed, and the listeners with them", async () => {
        const { socket, room } = await joined(network);
        const { monkeys } = room.tables;
        const rows = [];
        monkeys.onSpawn((spawned, from) => rows.push(["spawn", spawned.length, from === monkeys]));
        monkeys.onDespawn((gone, from) => rows.push(["despawn", gone.length, from === monkeys]));
        const seen = watch(room, "reconnected");
        socket.drop(1012);
        const again = await back(network.sockets);
        const changed = {
            ...SPEC,
            hash: 8,
            tables: [table("monkeys", [field("x", "fixed"), field("y", "fixed"), field("z", "fixed")])],
        };
        new FakeRoom(changed).admit(again);
        assert.deepEqual(seen, [["reconnected", { sameRoom: true, sameSchema: false, ...NEW }]]);
        assert.notEqual(room.tables.monkeys, monkeys);
        assert.equal(room.tables.monkeys.get(2 ** 20).z, 0);
        assert.deepEqual(rows, [
            ["spawn", 1, true],
            ["despawn", 1, true],
            ["spawn", 1, false],
        ]);
    });

    test("ends the room if it may not come back to it, and the client lives on", async () => {
        const { client, socket, room } = await joined(network);
        const seen = watch(room, "error", "close");
        socket.drop(1006);
        const again = await back(network.sockets);
        again.say(0x48, { code: "GAME-002", message: "The room is full." });
        assert.deepEqual(
            seen.map(([name, { code }]) => [name, code]),
            [
                ["error", "GAME-002"],
                ["close", 4506],
            ],
        );
        assert.deepEqual([client.state, client.room], ["open", null]);
    });

    test("ends the room if its game is gone as well", async () => {
        const { socket, room } = await joined(network);
        const seen = watch(room, "close");
        socket.drop(1006);
        const again = await back(network.sockets);
        for (let i = 0; i < 3; i++) again.say(0x48, { code: "GAME-001", message: "There is no such game or room." });
        assert.equal(again.take(Kind.JOIN_GAME).length, 2);
        assert.equal(seen.length, 1);
    });

    test("is tried again with random, growing delays of 0.1 to 5 seconds", async () => {
        const { client, socket } = await joined(network, new FakeRoom(), { transports: ["websocket"] });
        const seen = watch(client, "reconnecting");
        mock.method(Math, "random", () => 1);
        socket.drop(1006);
        for (let i = 0; i < 6; i++) {
            const before = network.sockets.length;
            const { delay } = seen.at(-1)[1];
            await clock.pass(delay - 20);
            assert.equal(network.sockets.length, before);
            await clock.pass(40);
            assert.equal(network.sockets.length, before + 1);
            network.sockets.at(-1).drop(1006);
        }
        assert.deepEqual(
            seen.map(([, { attempt, delay }]) => [attempt, delay]),
            [
                [1, 500],
                [2, 1000],
                [3, 2000],
                [4, 4000],
                [5, 5000],
                [6, 5000],
                [7, 5000],
            ],
        );
        mock.method(Math, "random", () => 0);
        await clock.pass(5100);
        network.sockets.at(-1).drop(1006);
        assert.equal(seen.at(-1)[1].delay, 100);
    });

    test("counts from the beginning only after a connection that lasted", async () => {
        const { client, socket, server } = await joined(network);
        const seen = watch(client, "reconnecting");
        socket.drop(1006);
        const second = await back(network.sockets);
        server.admit(second);
        second.drop(1006);
        const third = await back(network.sockets);
        server.admit(third);
        for (let i = 0; i < 11; i++) {
            await clock.pass(1000);
            server.tick(third);
        }
        third.drop(1006);
        assert.deepEqual(
            seen.map(([, { attempt }]) => attempt),
            [1, 2, 1],
        );
    });

    test("is not repaired when the server says so", async () => {
        for (const code of [4500, 4505, 4999]) {
            const { client, socket, room } = await joinedAnew();
            const seen = watch(client, "reconnecting");
            const closes = watch(room, "close");
            socket.drop(code, "no");
            assert.deepEqual(closes, [["close", { code, reason: "no" }]]);
            assert.deepEqual([client.state, client.room, room.open, seen.length], ["closed", null, false, 0]);
        }
        const before = network.sockets.length;
        await clock.pass(10_000);
        assert.equal(network.sockets.length, before);
    });

    async function joinedAnew() {
        network = fakeNetwork();
        return joined(network);
    }

    test("is not repaired when the player closed it, then or later", async () => {
        const { client, socket, room } = await joined(network);
        const closes = watch(room, "close");
        client.close();
        client.close();
        assert.equal(socket.closed.code, 1000);
        assert.deepEqual(closes, [["close", { code: 1000, reason: "closed by the client" }]]);
        const other = await joinedAnew();
        other.socket.drop(1006);
        other.client.close();
        await clock.pass(10_000);
        assert.equal(network.sockets.length, 1);
        await assert.rejects(other.client.join("jungle"), /closed/);
    });

    test("ends a join that is under way", async () => {
        const { client, socket } = await connected(network);
        const joining = client.join("jungle");
        socket.drop(1006);
        await assert.rejects(joining, /lost/);
        const again = await back(network.sockets);
        assert.deepEqual(again.take(Kind.JOIN_GAME), []);
        assert.equal(client.state, "open");
    });

    test("may be left meanwhile", async () => {
        const { client, socket, room } = await joined(network);
        socket.drop(1006);
        room.leave();
        const again = await back(network.sockets);
        assert.deepEqual([again.take(Kind.JOIN_GAME), client.state, client.room], [[], "open", null]);
    });

    test("is noticed when the server falls silent", async () => {
        const { client, socket } = await connected(network);
        const seen = watch(client, "reconnecting");
        await clock.pass(8500);
        assert.equal(seen.length, 1);
        assert.equal(socket.closed.code, 4408, "and the server, if it is there, keeps the seat");
        client.close();
    });

    test("is not concluded from a pause of the page itself", async () => {
        const { client, socket } = await connected(network);
        const seen = watch(client, "reconnecting");
        clock.freeze(60_000);
        await clock.pass(1000);
        socket.say(0x49, { timestamp: performance.now(), serverTime: 0 });
        await clock.pass(1000);
        assert.equal(seen.length, 0);
        client.close();
    });

    const broken = {
        "a delta from elsewhere": (socket) => socket.deliver(Uint8Array.from([0x43, 0, 3, 9, 1])),
        "no kind": (socket) => socket.deliver(new Uint8Array(0)),
        text: (socket) => socket.deliver("hello"),
        "a number that is missing": (socket) => {
            socket.number += 1;
            socket.say(0x47, { event: "gong", data: null });
        },
        "a map without what it should have": (socket) => socket.say(0x45, { name: 4 }),
        "a private for no row": (socket) => socket.deliver(Uint8Array.from([0x44, 4, 0, 1, 50, 0])),
    };
    for (const [name, send] of Object.entries(broken)) {
        test(`follows a broken message: ${name}`, async () => {
            const { socket, room, server } = await joined(network);
            const seen = watch(room, "reconnecting", "reconnected");
            send(socket);
            assert.equal(socket.closed.code, 4400);
            assert.deepEqual(
                seen.map(([event]) => event),
                ["reconnecting"],
            );
            server.tick(null);
            const again = await back(network.sockets);
            server.admit(again);
            assert.deepEqual(
                seen.map(([event]) => event),
                ["reconnecting", "reconnected"],
            );
            assert.equal(room.tick, server.model.tick);
        });
    }
});
