/**
 * Recordings, played: held to the golden replays of tests/vectors/replays, whose states come from the oracle and never from the bytes.
 */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { deflateSync, inflateSync } from "node:zlib";

import { WireError, Writer, encode } from "../../src/monkeytown/web/client/wire.js";
import * as chunks from "../../src/monkeytown/web/replay/chunks.js";
import { Recording } from "../../src/monkeytown/web/replay/recording.js";
import { Replay } from "../../src/monkeytown/web/replay/replay.js";
import { BytesSource, HttpSource } from "../../src/monkeytown/web/replay/source.js";

const FOLDER = new URL("../vectors/replays/", import.meta.url);
const NAMES = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".mtr"))
    .map((name) => name.slice(0, -4));
const bytesOf = (name) => new Uint8Array(readFileSync(new URL(`${name}.mtr`, FOLDER)));
const aboutOf = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));

/** As the vectors have it: integers, texts, blobs in hexadecimal, arrays as lists. */
function plain(value) {
    if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
    return Array.isArray(value) ? value.map(plain) : value;
}

function stateOf(replay, read = (lane, slot) => (lane.isNumber ? lane.wire[slot] : lane.items[slot])) {
    return Object.fromEntries(
        Object.values(replay.tables).map((table) => [
            table.name,
            Object.fromEntries(
                [...table].map((row) => [
                    row.id,
                    Object.fromEntries(
                        table.fields
                            .filter((field) => !field.ownerOnly)
                            .map((field) => {
                                const column = table.columns[field.name];
                                const lanes = column.lanes ?? [column];
                                const values = lanes.map((lane) => plain(read(lane, row.slot)));
                                return [field.name, field.count > 0 ? values : values[0]];
                            }),
                    ),
                ]),
            ),
        ]),
    );
}

/** What a game had at a moment, of what is in its recording. */
function stateAt(about, at) {
    return about.moments.findLast((moment) => moment.at <= at && moment.state).state;
}

/** Plays all of a recording in small steps; calls `look` after each. */
async function playThrough(replay, look, step = 5) {
    let now = 1000;
    let isOver = false;
    replay.on("end", () => (isOver = true));
    await replay.play();
    replay.update(now);
    while (!isOver) {
        now += step;
        replay.update(now);
        look(now);
        await settled(replay);
    }
    // What comes behind the last step of a wait.
    await settled(replay);
}

/** Until nothing is waited for. */
async function settled(replay) {
    for (let turn = 0; replay.waiting && turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(replay.waiting, false);
}

describe("golden replays", () => {
    test("are there", () => assert.ok(NAMES.length >= 3));

    for (const name of NAMES) {
        test(`${name}: any moment is found as it was`, async () => {
            const about = aboutOf(name);
            const replay = await Replay.open(bytesOf(name));
            const first = about.blocks[0].at;
            assert.equal(replay.length, (about.until - first) / about.rate);
            const places = about.moments.filter(({ state }) => state).map(({ at }) => at);
            for (const at of [...places, ...places.toReversed(), ...places.map((at) => (at * 7) % about.until)]) {
                await replay.seek((at - first) / about.rate);
                if (replay.tickRate > 0) assert.ok(replay.tick <= at + 0.1 * about.rate, "at most a state beyond what is shown");
                const shown = replay.tickRate > 0 ? replay.tick : at;
                assert.deepEqual(stateOf(replay), stateAt(about, shown), `at ${at}`);
            }
        });

        test(`${name}: hashes are what the room's were`, async () => {
            const about = aboutOf(name);
            const recording = await Recording.open(new BytesSource(bytesOf(name)));
            const replay = new Replay(recording);
            for (const [number, { at, first, last, players }] of about.blocks.entries()) {
                const block = await recording.block(number);
                assert.deepEqual([block.at, block.first, block.last], [at, first, last]);
                assert.deepEqual([...block.players], players);
                await replay.seek((at - recording.first) / about.rate);
                if (replay.tick === recording.index.blocks[number].tick) assert.equal(replay.stateHash(), first);
            }
            await replay.seek(Infinity);
            assert.equal(replay.stateHash(), about.blocks.at(-1).last);
        });

        test(`${name}: all of it is played, and everything is told once, in order`, async () => {
            const about = aboutOf(name);
            const replay = await Replay.open(bytesOf(name));
            const told = [];
            replay.on("told", ({ seconds, kind, about }) => told.push({ seconds, kind, about }));
            replay.on("error", (error) => assert.fail(error));
            replay.speed = 4;
            await playThrough(replay, () => {
                const at = replay.seconds * about.rate + about.blocks[0].at;
                if (replay.tickRate === 0) assert.deepEqual(stateOf(replay), stateAt(about, at + 1e-6));
                else assert.deepEqual(stateOf(replay), stateAt(about, replay.tick));
            });
            const events = about.moments.filter(({ event }) => event);
            assert.deepEqual(
                told,
                events.map(({ at, event: [kind, map] }) => ({
                    seconds: (at - about.blocks[0].at) / about.rate,
                    kind,
                    about: map,
                })),
            );
            assert.equal(replay.playing, false);
            assert.equal(replay.seconds, replay.length);
        });
    }
});

describe("a replay", () => {
    test("is like a room, and nobody's", async () => {
        const replay = await Replay.open(bytesOf("glide"));
        assert.deepEqual(
            [replay.game, replay.id, replay.tickRate, replay.epoch, replay.tick],
            ["game", "room", 60, 7, 1],
        );
        assert.deepEqual([replay.entity, replay.area, replay.view, replay.open], [null, null, null, false]);
        assert.equal(replay.about.title, "A game");
        assert.equal(replay.about.complete, true);
        assert.equal(replay.about.size, bytesOf("glide").length);
        assert.ok(replay.schema.tables.length === 3 && replay.tables.birds.fields.length === 6);
    });

    test("shows who is there at each moment, and tells nothing on the way to it", async () => {
        const about = aboutOf("flight");
        const replay = await Replay.open(bytesOf("flight"));
        const seen = [];
        for (const event of ["told", "playerJoined", "playerLeft", "event"]) replay.on(event, () => seen.push(event));
        const sought = [];
        replay.on("seek", (seconds) => sought.push(seconds));
        const expected = new Set();
        for (const { at, event } of about.moments) {
            if (event?.[0] === "player_joined") expected.add(event[1].id);
            if (event?.[0] === "player_left") expected.delete(event[1].playerId);
            if (!event) continue;
            await replay.seek((at - 1) / 60);
            assert.deepEqual(new Set(replay.players.keys()), expected, `at ${at}`);
        }
        assert.deepEqual(seen, []);
        assert.ok(sought.length > 3);
    });

    test("emits what a room would", async () => {
        const replay = await Replay.open(bytesOf("flight"));
        const seen = [];
        for (const event of ["playerJoined", "playerLeft", "chat", "event"])
            replay.on(event, (data) => seen.push([event, data.name ?? data.event]));
        await playThrough(replay, () => undefined);
        assert.deepEqual(seen.slice(0, 4), [
            ["playerJoined", "Bird 3"],
            ["chat", "Bird 13"],
            ["event", "chat"],
            ["playerLeft", "Bird 3"],
        ]);
    });

    test("goes as fast as it is told, and stands when it is paused", async () => {
        const replay = await Replay.open(bytesOf("glide"));
        await replay.play();
        replay.update(0);
        replay.update(100);
        assert.ok(Math.abs(replay.seconds - 0.1) < 1e-9);
        replay.speed = 0.25;
        replay.update(200);
        assert.ok(Math.abs(replay.seconds - 0.125) < 1e-9);
        replay.pause();
        replay.update(300);
        replay.update(400);
        assert.ok(Math.abs(replay.seconds - 0.125) < 1e-9);
        assert.equal(replay.playing, false);
        await replay.play();
        replay.update(1_000_000);
        assert.ok(Math.abs(replay.seconds - 0.125) < 1e-9, "nothing has passed while it was paused");
        replay.speed = 8;
        replay.update(1_000_000 + 60_000);
        assert.equal(replay.seconds, replay.length, "it is over");
        assert.equal(replay.playing, false);
        await replay.play();
        assert.equal(replay.seconds, 0, "it begins again");
    });

    test("moves smoothly between its states", async () => {
        const replay = await Replay.open(bytesOf("glide"));
        const { birds } = replay.tables;
        const seen = [];
        await playThrough(replay, () => {
            const { columns, slots, tick } = replay.interpolated(birds);
            assert.equal(tick, replay.playbackTick());
            seen.push(...[...slots].map((slot) => columns.x[slot]));
        });
        assert.ok(seen.length > 1000 && seen.every(Number.isFinite));
        const steps = seen.filter((x) => Math.abs(x * 16 - Math.round(x * 16)) > 1e-6);
        assert.ok(steps.length > 50, "values lie between those that were recorded");
    });

    test("is brought to the moment that was asked for last", async () => {
        const replay = await Replay.open(bytesOf("flight"));
        const sought = [];
        replay.on("seek", (seconds) => sought.push(seconds));
        await Promise.all([replay.seek(1), replay.seek(0.2), replay.seek(0.7)]);
        assert.ok(Math.abs(replay.seconds - 0.7) < 1e-9);
        assert.equal(sought.length, 1);
        await replay.seek(-5);
        assert.equal(replay.seconds, 0);
        await replay.seek(1e9);
        assert.equal(replay.seconds, replay.length);
    });

    test("remembers what was said before", async () => {
        const about = aboutOf("flight");
        const replay = await Replay.open(bytesOf("flight"));
        await replay.seek(0.9);
        const told = await replay.history(0);
        const events = about.moments.filter(({ at, event }) => event && at <= 1 + 0.9 * 60);
        assert.deepEqual(
            told.map(({ kind, about: map }) => [kind, map]),
            events.map(({ event }) => event),
        );
        assert.deepEqual(await replay.history(1e9), []);
    });

    test("says so when what it shows is not what the room had", async () => {
        const replay = await Replay.open(remade("flight", (block) => (block.last ^= 1)));
        const errors = [];
        replay.on("error", (error) => errors.push(error));
        await playThrough(replay, () => undefined);
        assert.equal(errors.length, aboutOf("flight").blocks.length - 1, "of all blocks but the last, which nothing follows");
        assert.match(errors[0].message, /is not what it was in the room/);
    });

    test("stops at a block that is damaged, and goes on behind it when it is sought", async () => {
        const bytes = bytesOf("flight");
        const recording = await Recording.open(new BytesSource(bytesOf("flight")));
        const { blocks } = recording.index;
        bytes[blocks[1].offset + 30] ^= 0x40;
        const replay = await Replay.open(bytes);
        const errors = [];
        replay.on("error", (error) => errors.push(error.message));
        await replay.play();
        replay.update(0);
        for (let now = 20; now < 5000 && replay.playing; now += 20) {
            replay.update(now);
            await settled(replay);
        }
        assert.deepEqual(errors, ["a chunk is damaged: its CRC is another one"]);
        await assert.rejects(replay.seek((blocks[1].at - 1) / 60), WireError);
        await replay.seek(Infinity);
        assert.equal(replay.stateHash(), blocks.at(-1).last);
    });
});

// Files that somebody made.

function u32(value) {
    return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function chunk(kind, content, { stored = new Uint8Array(deflateSync(content)), size = content.length } = {}) {
    const head = Uint8Array.from([kind, ...u32(stored.length), ...u32(size)]);
    return Uint8Array.from([...head, ...u32(chunks.crc32(stored, chunks.crc32(head))), ...stored]);
}

/** The content of a chunk's bytes. */
const opened = (bytes) => chunks.contentOf(Uint8Array.from(bytes));

/** A golden replay in whose blocks another last hash stands. */
function remade(name, change) {
    const bytes = bytesOf(name);
    const about = aboutOf(name);
    // The hashes stand in the index as well, so it is written anew, and blocks are kept.
    const starts = [];
    let at = chunks.MAGIC.length;
    at += chunks.CHUNK_HEAD + chunks.headOf(bytes, at).stored;
    for (const block of about.blocks) {
        const { stored } = chunks.headOf(bytes, at);
        starts.push({ block: { ...block }, at, end: at + chunks.CHUNK_HEAD + stored });
        at += chunks.CHUNK_HEAD + stored;
    }
    const parts = [bytes.slice(0, starts[0].at)];
    const entries = [];
    let offset = starts[0].at;
    for (const { block, at: start, end } of starts) {
        const content = inflateSync(bytes.subarray(start + chunks.CHUNK_HEAD, end));
        const place = content.indexOf(Buffer.from(u32(block.last)));
        change(block);
        content.set(u32(block.last), place);
        const written = chunk(chunks.BLOCK, content);
        const read = chunks.blockOf(new Uint8Array(content));
        const states = read.items.filter(({ message }) => message[0] === chunks.STATE).length;
        entries.push([offset, read.at, read.items.at(-1).at, 0, read.first, read.last, states, read.items.length - states]);
        parts.push(written);
        offset += written.length;
    }
    const index = { blocks: entries, until: about.until, ended: 2e9, players: 1, complete: true };
    return whole(parts, index, offset);
}

function whole(parts, index, offset) {
    const trailer = [...u32(offset % 2 ** 32), ...u32(Math.floor(offset / 2 ** 32)), ...new TextEncoder().encode("MTREPEND")];
    return Uint8Array.from([...parts, chunk(chunks.INDEX, encode(index)), trailer].flatMap((part) => [...part]));
}

describe("chunks", () => {
    test("have the CRC of zlib", () => {
        assert.equal(chunks.crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
        const [one, two] = [new TextEncoder().encode("12345"), new TextEncoder().encode("6789")];
        assert.equal(chunks.crc32(two, chunks.crc32(one)), 0xcbf43926);
    });

    test("give back what is in them", async () => {
        const content = new TextEncoder().encode("content".repeat(5000));
        assert.deepEqual(await opened(chunk(chunks.BLOCK, content)), content);
        assert.deepEqual(await opened(chunk(chunks.HEADER, new Uint8Array(0))), new Uint8Array(0));
    });

    const some = new TextEncoder().encode("content");
    const broken = {
        "is cut in its head": chunk(2, some).slice(0, 12),
        "is of an unknown kind": chunk(9, some),
        "is of kind 0": chunk(0, some),
        "says it is larger than any": chunk(2, some, { size: 2 ** 24 + 1 }),
        "takes more than it holds": chunk(2, new Uint8Array(200).map((_, at) => at * 7), { size: 5 }),
        "is cut": chunk(2, some).slice(0, -1),
        "is damaged": chunk(2, some).map((byte, at) => (at === 15 ? byte ^ 1 : byte)),
        "is no zlib stream": chunk(2, some, { stored: Uint8Array.of(1, 2, 3) }),
        "ends early inside": chunk(2, some, { stored: new Uint8Array(deflateSync(some)).slice(0, -5) }),
        "inflates to more": chunk(2, some, { size: 6 }),
        "inflates to less": chunk(2, some, { size: 8 }),
        "is a bomb": chunk(2, some, { stored: new Uint8Array(deflateSync(Buffer.alloc(2 ** 25))), size: 2 ** 20 }),
    };
    for (const [why, bytes] of Object.entries(broken))
        test(`one that ${why} is refused`, async () => assert.rejects(opened(bytes), WireError));
});

describe("a file", () => {
    test("cut anywhere is refused, as it was not finished", async () => {
        const bytes = bytesOf("glide");
        for (let length = 0; length < bytes.length; length += 7)
            await assert.rejects(Replay.open(bytes.slice(0, length)), WireError, String(length));
    });

    test("with any byte another one is refused, or its block is", async () => {
        const bytes = bytesOf("glide");
        for (let at = 0; at < bytes.length; at += 11) {
            const flipped = bytes.map((byte, place) => (place === at ? byte ^ 0x20 : byte));
            await assert.rejects(async () => {
                const recording = await Recording.open(new BytesSource(flipped));
                for (let number = 0; number < recording.index.blocks.length; number++) await recording.block(number);
            }, WireError);
        }
    });

    test("of another kind is refused", async () => {
        await assert.rejects(Replay.open(new Uint8Array(0)), /no recording/);
        await assert.rejects(Replay.open(new TextEncoder().encode("GIF89a and so on")), /no recording/);
        const later = bytesOf("glide");
        later[8] = 2;
        await assert.rejects(Replay.open(later), /version 2/);
    });

    const header = { id: "x", room: "r", game: "g", title: "t", epoch: 1, started: 1, rate: 60 };
    const schema = { gameId: "r", game: "g", tickRate: 60, hash: 1, tables: [], input: null };
    test("may say more in its header than is known", () => {
        assert.equal(chunks.headerOf(encode({ ...header, schema, later: [1, 2], private: true })).private, true);
        assert.equal(chunks.headerOf(encode({ ...header, schema })).private, false);
    });

    const large = { name: "t", entity: "T", capacity: 2 ** 20, single: false, fields: [] };
    const field = { name: "x", type: "uint", count: 16, predict: "hold", ownerOnly: false, bits: 8 };
    for (const change of [
        { id: 1 },
        { title: "x".repeat(257) },
        { epoch: 0 },
        { started: -1 },
        { started: Infinity },
        { rate: 0 },
        { rate: "fast" },
        { schema: null },
        { schema: { ...schema, tables: null } },
        { schema: { ...schema, tables: [{ ...large, fields: [field] }] } },
    ])
        test(`whose header has ${JSON.stringify(change).slice(0, 60)} is refused`, () => {
            assert.throws(() => chunks.headerOf(encode({ ...header, schema, ...change })), WireError);
        });

    const entry = [100, 1, 5, 1, 7, null, 3, 0];
    const index = (...blocks) => ({ blocks, until: 9, ended: 1, players: 0, complete: true });
    test("has an index in order", () => {
        assert.equal(chunks.indexOf(encode(index(entry, [200, 5, 9, 5, 8, 9, 1, 1]))).blocks.length, 2);
    });
    for (const [why, map] of Object.entries({
        "no map": [1],
        "no blocks": index(),
        "a block of seven parts": index(entry.slice(1)),
        "a block with a text": index(["100", ...entry.slice(1)]),
        "a block with a fraction": index([100.5, ...entry.slice(1)]),
        "a hash that is too large": index([100, 1, 5, 1, 2 ** 32, null, 3, 0]),
        "a block that ends before it begins": index([100, 6, 5, 1, 7, null, 3, 0]),
        "blocks out of order": index(entry, [50, 5, 9, 5, 8, 9, 1, 1]),
        "blocks that overlap": index(entry, [200, 4, 9, 5, 8, 9, 1, 1]),
        "an end before the last block's": { ...index(entry), until: 4 },
        "no word on whether it is complete": { ...index(entry), complete: 1 },
        "no end": { ...index(entry), ended: null },
    }))
        test(`whose index has ${why} is refused`, () => assert.throws(() => chunks.indexOf(encode(map)), WireError));

    const snapshot = [0x43, 1, 1, 5];
    const head = [0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
    test("has blocks that begin with a snapshot", () => {
        const block = chunks.blockOf(Uint8Array.from([...head, 1, 1, 97, 1, 98, 0, 4, ...snapshot, 2, 1, 0x7f]));
        assert.deepEqual([...block.players], [["a", "b"]]);
        assert.deepEqual(block.items.map(({ at }) => at), [5, 7]);
        assert.equal(block.last, null);
    });
    for (const [why, bytes] of Object.entries({
        "nothing in it": [],
        "an unknown flag": [2, ...head.slice(1), 0, 0, 4, ...snapshot],
        "a hash that is not there": [0, 5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, ...snapshot],
        "players that are not": [...head, 200, 200, 3, 0, 4, ...snapshot],
        "no items": [...head, 0],
        "an empty item": [...head, 0, 0, 4, ...snapshot, 1, 0],
        "a delta first": [...head, 0, 0, 5, 0x43, 0, 1, 5, 1],
        "an event first": [...head, 0, 0, 1, 0x45, 0, 4, ...snapshot],
        "a beginning that is late": [...head, 0, 1, 4, ...snapshot],
        "an item that goes on beyond it": [...head, 0, 0, 9, ...snapshot],
    }))
        test(`with a block that has ${why} is refused`, () => {
            assert.throws(() => chunks.blockOf(Uint8Array.from(bytes)), WireError);
        });
});

// Over a network.

const realFetch = globalThis.fetch;
afterEach(() => (globalThis.fetch = realFetch));

/** A server that has one file, and keeps what it was asked for. */
function serve(bytes, { ranges = true, fail = () => false } = {}) {
    const asked = [];
    globalThis.fetch = async (url, { headers }) => {
        const { Range: range } = headers;
        asked.push(range);
        if (fail(asked.length)) throw new TypeError("Failed to fetch");
        if (!ranges) return new Response(bytes, { status: 200 });
        const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range);
        const start = from === "" ? Math.max(0, bytes.length - Number(to)) : Number(from);
        const end = from === "" || to === "" ? bytes.length : Math.min(bytes.length, Number(to) + 1);
        const told = { "Content-Range": `bytes ${start}-${end - 1}/${bytes.length}` };
        return new Response(bytes.slice(start, end), { status: 206, headers: told });
    };
    return asked;
}

/** A recording of a few megabytes, all of whose blocks are alike. */
function longFile(count = 600, weight = 5000) {
    const schema = { gameId: "r", game: "g", tickRate: 60, hash: 1, tables: [], input: null };
    const header = { id: "x", room: "r", game: "g", title: "t", epoch: 1, started: 1, rate: 60, schema };
    const parts = [chunks.MAGIC, chunk(chunks.HEADER, encode(header))];
    let offset = parts[0].length + parts[1].length;
    const entries = [];
    let seed = 1;
    const noise = Uint8Array.from({ length: weight }, () => (seed = (seed * 48271) % 2147483647) & 0xff);
    for (let number = 0; number < count; number++) {
        const at = number * 300;
        const writer = new Writer();
        writer.u8(0);
        writer.varint(at);
        writer.raw(new Uint8Array(8));
        writer.varint(0);
        const state = new Writer();
        for (const byte of [0x43, 1, 1]) state.u8(byte);
        state.varint(at + 1);
        writer.varint(0);
        writer.varint(state.at);
        writer.raw(state.finish());
        writer.varint(0);
        writer.varint(noise.length + 1);
        writer.u8(0x7f);
        writer.raw(noise);
        const bytes = chunk(chunks.BLOCK, writer.finish());
        entries.push([offset, at, at, at + 1, 0, null, 1, 1]);
        parts.push(bytes);
        offset += bytes.length;
    }
    return whole(parts, { blocks: entries, until: count * 300, ended: 1, players: 0, complete: true }, offset);
}

describe("a file over HTTP", () => {
    const file = longFile();

    test("is opened by both of its ends, and read where it is watched", async () => {
        assert.ok(file.length > 3e6);
        const asked = serve(file);
        const replay = await Replay.open("/file");
        assert.deepEqual(asked, ["bytes=-32768", "bytes=0-32767", ...asked.slice(2)]);
        assert.ok(asked.length <= 4, "the index, its head, and the first blocks");
        assert.ok(replay.received < 250_000, String(replay.received));
        const before = asked.length;
        await replay.seek(1500);
        assert.equal(asked.length, before + 1);
        assert.equal(replay.tick, 90_001);
        assert.ok(replay.received < 350_000);
    });

    test("is asked for ahead of what is shown, in runs", async () => {
        const asked = serve(file);
        const replay = await Replay.open("/file");
        let waits = 0;
        await replay.play();
        replay.update(0);
        replay.speed = 8;
        for (let now = 50; now <= 20_000; now += 50) {
            replay.update(now);
            waits += replay.waiting ? 1 : 0;
            await settled(replay);
            await new Promise((resolve) => setImmediate(resolve));
        }
        assert.ok(replay.seconds > 150);
        assert.ok(asked.length < 15, `${asked.length} requests for ${replay.seconds} seconds`);
    });

    test("is had from a server that sends no parts", async () => {
        serve(bytesOf("glide"), { ranges: false });
        const replay = await Replay.open("/file");
        await replay.seek(1);
        assert.ok(replay.tick > 1);
    });

    test("that is short is had at once", async () => {
        const asked = serve(bytesOf("glide"));
        const replay = await Replay.open("/file");
        await replay.seek(1);
        assert.equal(asked.length, 2);
    });

    test("that is not there is said so", async () => {
        globalThis.fetch = async () => new Response("{}", { status: 404 });
        await assert.rejects(Replay.open("/file"), /no such recording/);
        globalThis.fetch = async () => new Response("{}", { status: 503 });
        await assert.rejects(Replay.open("/file"), /503/);
    });

    test("of which a part could not be had is asked for it again", async () => {
        let isDown = false;
        const asked = serve(file, { fail: () => isDown });
        const replay = await Replay.open("/file");
        isDown = true;
        await assert.rejects(replay.seek(2000), /fetch/);
        isDown = false;
        await replay.seek(2000);
        assert.equal(replay.tick, 120_001);
        assert.ok(asked.length >= 4);
    });

    test("does not fill the memory with what was watched", async () => {
        serve(file);
        const source = new HttpSource("/file");
        const recording = await Recording.open(source);
        for (let number = 0; number < recording.index.blocks.length; number++) await recording.block(number);
        assert.ok(source.received < file.length * 1.1, "each block came once");
        const before = source.received;
        await recording.block(recording.index.blocks.length - 1);
        assert.equal(source.received, before, "the newest are kept");
        await recording.block(40);
        assert.ok(source.received > before, "the oldest are not");
    });
});
