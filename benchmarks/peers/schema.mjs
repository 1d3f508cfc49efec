/**
 * @colyseus/schema's encoder for a motion given by ticks, as JSON on standard output:
 * {"version", "float32": {...}, "int16": {...}}, each {"setMicroseconds", "encodeMicroseconds", "bytes"} per tick (medians; mean bytes).
 *
 *     npm install --no-save --no-package-lock --prefix benchmarks @colyseus/schema
 *     node benchmarks/peers/schema.mjs MOTION.json      # motion: [[[x, y], ...], ...] by tick and entity
 *
 * What was encoded is decoded once by its own decoder and compared, outside the timed rounds.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { Decoder, Encoder, MapSchema, Schema, defineTypes } from "@colyseus/schema";

const { version } = JSON.parse(readFileSync(new URL("../node_modules/@colyseus/schema/package.json", import.meta.url), "utf8"));
const motion = JSON.parse(readFileSync(process.argv[2], "utf8"));

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

function measure(type, scale) {
    class Mover extends Schema {}
    defineTypes(Mover, { x: type, y: type });
    class State extends Schema {
        constructor() {
            super();
            this.movers = new MapSchema();
        }
    }
    defineTypes(State, { movers: { map: Mover } });
    Encoder.BUFFER_SIZE = 1 << 20;

    const value = (number) => (scale ? Math.round(number * scale) : number);
    const state = new State();
    const movers = motion[0].map(([x, y], index) => {
        const mover = new Mover();
        mover.x = value(x);
        mover.y = value(y);
        state.movers.set(String(index), mover);
        return mover;
    });
    const encoder = new Encoder(state);
    const decoder = new Decoder(new State());
    decoder.decode(encoder.encodeAll());
    encoder.discardChanges();

    const setting = [];
    const encoding = [];
    let bytes = 0;
    let frames = 0;
    for (let round = 0; round < 3; round++) {
        for (const tick of motion) {
            const started = process.hrtime.bigint();
            for (let i = 0; i < movers.length; i++) {
                movers[i].x = value(tick[i][0]);
                movers[i].y = value(tick[i][1]);
            }
            const set = process.hrtime.bigint();
            const frame = encoder.encode();
            const done = process.hrtime.bigint();
            encoder.discardChanges();
            decoder.decode(frame.slice());
            if (!round) continue; // warms up
            setting.push(Number(set - started) / 1e3);
            encoding.push(Number(done - set) / 1e3);
            bytes += frame.length;
            frames += 1;
        }
    }
    movers.forEach((mover, index) => {
        const decoded = decoder.state.movers.get(String(index));
        assert.equal(decoded.x, type === "float32" ? Math.fround(mover.x) : mover.x);
        assert.equal(decoded.y, type === "float32" ? Math.fround(mover.y) : mover.y);
    });
    return { setMicroseconds: median(setting), encodeMicroseconds: median(encoding), bytes: bytes / frames };
}

console.log(JSON.stringify({ version, float32: measure("float32", 0), int16: measure("int16", 8) }));
