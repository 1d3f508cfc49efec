import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { InputLayout, Kind, Reader } from "../../src/monkeytown/web/client/wire.js";
import { AREA_SPEC, DOTS, delta, section, snapshot } from "./cells.mjs";
import { field } from "./schemas.mjs";
import { connected, fakeNetwork, stopClock, watch } from "./server.mjs";

const SEEN = { ...AREA_SPEC, input: { name: "Steer", hash: 5, fields: [field("turn", "sint", { bits: 8 })] } };
const EVERYTHING = { ...SEEN, area: null, hash: 8 };
const ID = 2 ** 20;
const ROWS = [
    { slot: 2, x: 20 },
    { slot: 4, x: 40 },
];

let clock;
let network;

beforeEach(() => {
    clock = stopClock();
    network = fakeNetwork();
});

afterEach(() => clock.release());

/** A client in a room with an area, with two dots in sight of which the first is its own. */
async function inArea() {
    const { client, socket } = await connected(network);
    const joining = client.join("jungle");
    socket.say(Kind.SCHEMA, SEEN);
    socket.say(Kind.PLAYER_JOINED, { id: "p1", name: "Ada" });
    socket.deliver(Uint8Array.from(snapshot(10, { near: [0], far: [1] }, [section(DOTS, 0, { entered: ROWS })])));
    const room = await joining;
    socket.deliver(Uint8Array.from([0x44, 10, DOTS, 0x82, 0x80, 0x40]));
    return { client, socket, room };
}

/** All of the room, as of tick 11: one dot more, in a form without cells. */
function everything() {
    const [, , , ...entered] = section(DOTS, 0, { entered: [...ROWS, { slot: 9, x: 90 }] });
    return Uint8Array.from([...snapshot(11), DOTS, 2, ...entered]);
}

function numberOf(body) {
    const reader = new Reader(body);
    reader.skip(2);
    return reader.varint();
}

describe("a room with an area", () => {
    test("tells how it is divided, and what is in sight", async () => {
        const { room, socket, client } = await inArea();
        assert.deepEqual(room.area, SEEN.area);
        assert.deepEqual(room.view, { near: Int32Array.of(0), far: Int32Array.of(1) });
        assert.equal(room.entity.id, ID + 2);
        socket.deliver(Uint8Array.from(delta(10, 11, { seen: { near: [4] } })));
        assert.deepEqual([...room.view.near], [0, 4]);
        client.close();
    });

    test("is the same room when its player sees something else from now on", async () => {
        const { client, socket, room } = await inArea();
        const { dots } = room.tables;
        const heard = [];
        dots.onSpawn((rows) => heard.push(["spawn", rows.length]));
        dots.onDespawn((rows) => heard.push(["despawn", rows.length]));
        const seen = watch(room, "entity", "playerLeft", "playerJoined", "close", "gong");
        assert.deepEqual([room.input({ turn: 1 }), room.input({ turn: 2 })], [1, 2]);
        socket.take(Kind.PLAYER_INPUT);
        socket.take(Kind.ACK);
        socket.deliver(Uint8Array.from([0x44, 1, 2]));
        assert.equal(room.inputSeen, 2);

        socket.say(Kind.SCHEMA, EVERYTHING);
        assert.equal(room.input({ turn: 3 }), 0, "there is nothing to answer to yet");
        socket.deliver(everything());
        socket.deliver(Uint8Array.from([0x44, 10, 255, 0]));
        assert.deepEqual([room.area, room.view, room.entity, client.room], [null, null, null, room]);
        assert.equal(room.inputSeen, 2, "what the rules have seen they have seen");
        assert.notEqual(room.tables.dots, dots);
        assert.equal(room.tables.dots.size, 3);
        assert.deepEqual(heard, [
            ["spawn", 2],
            ["despawn", 2],
            ["spawn", 3],
        ]);
        assert.equal(socket.take(Kind.ACK).length, 1, "a snapshot is acknowledged");
        assert.equal(room.input({ turn: 4 }), 3, "it goes on counting");
        assert.deepEqual(socket.take(Kind.PLAYER_INPUT).map(numberOf), [3]);
        assert.deepEqual([...room.players.keys()], ["p1"]);
        socket.say(Kind.GAME_EVENT, { event: "gong", data: 1 });
        assert.deepEqual(seen, [
            ["entity", null],
            ["gong", 1],
        ]);
        assert.equal(new InputLayout(room.schema.input).isPacked, true);
        client.close();
    });

    test("and back, also before the first state of the one before", async () => {
        const { client, socket, room } = await inArea();
        const heard = [];
        room.tables.dots.onSpawn((rows) => heard.push(["spawn", ...rows.map(({ slot }) => slot)]));
        socket.say(Kind.SCHEMA, EVERYTHING);
        socket.say(Kind.SCHEMA, SEEN);
        socket.deliver(Uint8Array.from(snapshot(12, { near: [5] }, [section(DOTS, 5, { entered: [{ slot: 6 }] })])));
        socket.deliver(Uint8Array.from(delta(12, 13, { sections: [section(DOTS, 5, { entered: [{ slot: 7 }] })] })));
        assert.deepEqual(heard, [
            ["spawn", 2, 4],
            ["spawn", 6],
            ["spawn", 7],
        ]);
        assert.deepEqual([...room.view.near], [5]);
        client.close();
    });
});
