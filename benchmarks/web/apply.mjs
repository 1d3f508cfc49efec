/**
 * How long the JavaScript client takes to apply a state, beside the decoder of @colyseus/schema for the same change.
 *
 *     npm install --no-save --no-package-lock --prefix benchmarks @colyseus/schema
 *     node benchmarks/web/apply.mjs [FRAMES.json] [--rounds N]
 *
 * FRAMES.json is a file like those in tests/vectors: a schema, and frames of which the first is a snapshot and each further one continues
 * the one before; it must have a table whose first two fields are numbers. Without it, the tests' naive writer makes the frames: 1,000 entities
 * with two `fixed` fields that all change in every tick, steering. The peer gets the same values as int16 (as int32 if they are larger).
 *
 * Prints one JSON object a line: {"what", "nanoseconds_per_value", "peer", "ratio"}, and the bytes of a frame of both. Every decoded value is
 * compared with what was encoded, in a round that is not timed; a difference ends the program with code 1.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { Reader, State, checkSchema } from "../../src/monkeytown/web/client/wire.js";
import { Model, seeded } from "../../tests/web/encoder.mjs";

const ENTITIES = 1000;
const TICKS = 60;
const TURN = 0.08;
const SPEED = 3;
const UNIT = 1 / 16;
const SIZE = 2000;
/** Rounds before the clock counts: the compiler of a busy machine takes its time. */
const WARM_UP = 50;

const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string", default: "40" } },
});
const rounds = Number(options.rounds);

function field(name, predict) {
    return { name, type: "fixed", count: 0, predict, ownerOnly: false, bits: 15, lo: 0, hi: 2047, step: UNIT };
}

/** Monkeys that run at one speed, each on a bend of its own that changes now and then. @returns wire values by tick: [x, y] of each */
function steering(random) {
    const monkeys = Array.from({ length: ENTITIES }, () => ({
        x: random.next() * SIZE,
        y: random.next() * SIZE,
        heading: random.next() * 7,
        turn: 0,
    }));
    return Array.from({ length: TICKS + 1 }, () =>
        monkeys.map((monkey) => {
            if (random.chance(0.05)) monkey.turn = (random.next() * 2 - 1) * TURN;
            // At the edge it turns round, so that every value still changes in every tick.
            if (monkey.x < 20 || monkey.x > SIZE || monkey.y < 20 || monkey.y > SIZE)
                monkey.heading = Math.atan2(SIZE / 2 - monkey.y, SIZE / 2 - monkey.x);
            monkey.heading += monkey.turn;
            monkey.x += SPEED * Math.cos(monkey.heading);
            monkey.y += SPEED * Math.sin(monkey.heading);
            return [Math.round(monkey.x / UNIT), Math.round(monkey.y / UNIT)];
        }),
    );
}

/** Frames of the naive writer. @returns {{schema, frames: Uint8Array[], history}} */
function written(predict) {
    const random = seeded(1);
    const spec = {
        name: "monkeys",
        entity: "Monkey",
        capacity: 4096,
        single: false,
        fields: [field("x", predict), field("y", predict)],
    };
    const schema = { gameId: "bench", game: "bench", tickRate: 60, hash: 1, tables: [spec], input: null };
    // The narrowest form of everything, as the server's own encoder chooses it.
    const model = new Model(schema, { below: (limit) => limit - 1, chance: () => false });
    const history = steering(random);
    history[0].forEach((values, slot) => model.spawn(0, slot, values));
    model.commit();
    const frames = [model.snapshot()];
    for (const tick of history.slice(1)) {
        tick.forEach((values, slot) => (model.tables[0].get(slot).values = [...values]));
        model.commit();
        frames.push(model.delta(model.tick - 1));
    }
    return { schema, frames, history };
}

/** Frames from a file, and the values of their first two fields as this client decodes them (the vectors' own tests hold it to the truth). */
function read(path) {
    const { schema, frames } = JSON.parse(readFileSync(path, "utf8"));
    const bytes = frames.map(({ hex }) => Uint8Array.from(Buffer.from(hex, "hex")));
    const [{ name, fields }] = schema.tables;
    const history = frames.map(({ state }) =>
        Object.values(state[name]).map((row) => fields.slice(0, 2).map((each) => row[each.name])),
    );
    return { schema, frames: bytes, history };
}

function feed(state, bytes) {
    const reader = new Reader(bytes);
    reader.u8();
    state.apply(reader);
}

function changesIn(history) {
    let changes = 0;
    for (let tick = 1; tick < history.length; tick++) {
        history[tick].forEach((values, row) =>
            values.forEach((value, i) => (changes += value !== history[tick - 1][row]?.[i] ? 1 : 0)),
        );
    }
    return changes;
}

/** A round: all deltas after the snapshot. */
function ours({ schema, frames, history }) {
    const check = () => {
        const state = new State(checkSchema(schema));
        frames.forEach((frame, tick) => {
            feed(state, frame);
            const [first, second] = Object.values(state.tables[0].columns);
            assert.deepEqual(
                [...state.tables[0].slots].map((slot) => [first.wire[slot], second.wire[slot]]),
                history[tick],
            );
        });
    };
    const round = () => {
        const state = new State(schema);
        feed(state, frames[0]);
        const start = process.hrtime.bigint();
        for (let i = 1; i < frames.length; i++) feed(state, frames[i]);
        return Number(process.hrtime.bigint() - start);
    };
    return { check, round, bytes: meanLength(frames) };
}

async function peer(history) {
    const { Encoder, Decoder, schema, t } = await import("@colyseus/schema");
    const isSmall = history.every((tick) => tick.every((values) => values.every((value) => Math.abs(value) < 2 ** 15)));
    const number = () => (isSmall ? t.int16() : t.int32());
    const Monkey = schema({ x: number(), y: number() });
    const World = schema({ monkeys: t.map(Monkey) });
    const world = new World();
    Encoder.BUFFER_SIZE = 1 << 20;
    const encoder = new Encoder(world);
    history[0].forEach(([x, y], id) => world.monkeys.set(String(id), Object.assign(new Monkey(), { x, y })));
    const first = encoder.encodeAll().slice();
    encoder.discardChanges();
    const deltas = history.slice(1).map((tick) => {
        tick.forEach(([x, y], id) => Object.assign(world.monkeys.get(String(id)), { x, y }));
        const bytes = encoder.encode().slice();
        encoder.discardChanges();
        return bytes;
    });
    const begin = () => {
        const mirror = new World();
        const decoder = new Decoder(mirror);
        decoder.decode(first);
        return { mirror, decoder };
    };
    const check = () => {
        const { mirror, decoder } = begin();
        deltas.forEach((bytes, tick) => {
            decoder.decode(bytes);
            assert.deepEqual(
                Array.from(history[0], (_, id) => mirror.monkeys.get(String(id))).map(({ x, y }) => [x, y]),
                history[tick + 1],
            );
        });
    };
    const round = () => {
        const { decoder } = begin();
        const start = process.hrtime.bigint();
        for (const bytes of deltas) decoder.decode(bytes);
        return Number(process.hrtime.bigint() - start);
    };
    return { check, round, bytes: meanLength([first, ...deltas]) };
}

function meanLength([, ...deltas]) {
    return Math.round(deltas.reduce((total, { length }) => total + length, 0) / deltas.length);
}

function median(values) {
    return values.sort((a, b) => a - b)[values.length >> 1];
}

/** Rounds of all in turn, so that what disturbs the machine disturbs all alike. */
function race(contenders) {
    for (const { check } of contenders) check();
    for (let i = 0; i < WARM_UP; i++) for (const { round } of contenders) round();
    const times = contenders.map(() => []);
    for (let i = 0; i < rounds; i++) contenders.forEach(({ round }, place) => times[place].push(round()));
    return times.map(median);
}

const cases =
    positionals.length > 0
        ? positionals.map((path) => [path, read(path)])
        : ["linear", "hold"].map((predict) => [`apply, 1,000 × 2 steering, ${predict}`, written(predict)]);
for (const [what, made] of cases) {
    const changes = changesIn(made.history);
    const contenders = [ours(made)];
    try {
        contenders.push(await peer(made.history));
    } catch (error) {
        if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
        console.error("no peer: npm install --no-save --no-package-lock --prefix benchmarks @colyseus/schema");
    }
    const [mine, other] = race(contenders);
    const perValue = (time) => (time === undefined ? null : Number((time / changes).toFixed(2)));
    console.log(
        JSON.stringify({
            what,
            nanoseconds_per_value: perValue(mine),
            peer: perValue(other),
            ratio: other === undefined ? null : Number((other / mine).toFixed(1)),
            bytes_per_frame: contenders[0].bytes,
            peer_bytes_per_frame: contenders[1]?.bytes ?? null,
        }),
    );
}
