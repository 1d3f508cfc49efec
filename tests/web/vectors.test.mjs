/**
 * The golden frames that the server, this client and a naive reader are all held to: tests/vectors/*.json, made by tests/vectors/make.py. Or
 * other documents of that form, of the folder that MONKEYTOWN_VECTORS names: test_cells.py makes such.
 */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { mock, test } from "node:test";
import { pathToFileURL } from "node:url";

import {
    InputLayout,
    Kind,
    State,
    checkSchema,
    decode,
    encodeAck,
    encodeMessage,
    encodeNumbered,
    openMessage,
} from "../../src/monkeytown/web/client/wire.js";
import { connected, fakeNetwork } from "./server.mjs";

const FOLDER = process.env.MONKEYTOWN_VECTORS
    ? pathToFileURL(`${process.env.MONKEYTOWN_VECTORS}/`)
    : new URL("../vectors/", import.meta.url);
const KINDS = new Map(
    Object.entries(Kind).map(([name, kind]) => [kind, name === "SERVER_HEARTBEAT" ? "heartbeat" : name.toLowerCase()]),
);

const documents = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")));

function bytesOf(hex) {
    return Uint8Array.from(Buffer.from(hex, "hex"));
}

function hexOf(bytes) {
    return Buffer.from(bytes).toString("hex");
}

/** As the vectors have it: integers, texts, blobs in hexadecimal, arrays as lists. */
function plain(value) {
    if (value instanceof Uint8Array) return hexOf(value);
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
    return value;
}

/** The fields that `choose` takes, of every row of every table, each as `read` has it. */
function rowsOf(state, choose, read) {
    return Object.fromEntries(
        state.tables.map((table) => [
            table.name,
            Object.fromEntries(
                [...table].map((row) => [
                    row.id,
                    Object.fromEntries(
                        table.fields.filter(choose).map((field) => {
                            const column = table.columns[field.name];
                            return [
                                field.name,
                                field.count > 0 ? column.lanes.map((lane) => read(lane, row.slot)) : read(column, row.slot),
                            ];
                        }),
                    ),
                ]),
            ),
        ]),
    );
}

function cellsOf(state) {
    const divided = state.tables.filter(({ division }) => division !== null);
    return Object.fromEntries(
        divided.map(({ name, ids, slots, division }) => [
            name,
            Object.fromEntries([...slots].map((slot) => [ids[slot], division.cellOf(slot)])),
        ]),
    );
}

function wireValue(column, slot) {
    return column.isNumber ? column.wire[slot] : plain(column.items[slot]);
}

function step(column, slot) {
    return column.steps[slot];
}

function isLinear(field) {
    return field.predict === "linear" && field.type !== "text" && field.type !== "blob";
}

/** Rows that the vectors do not name have nothing that is only their owner's. */
function withoutEmpty(tables) {
    const isEmpty = (value) => value === 0 || value === "" || (Array.isArray(value) && value.every(isEmpty));
    return Object.fromEntries(
        Object.entries(tables).map(([name, rows]) => [
            name,
            Object.fromEntries(Object.entries(rows).filter(([, fields]) => !Object.values(fields).every(isEmpty))),
        ]),
    );
}

test("there are golden frames", () => {
    assert.ok(documents.length > 0);
    assert.ok(documents.flatMap(({ frames }) => frames).length > 0);
});

for (const { name, schema, frames } of documents) {
    test(`frames: ${name}`, () => {
        const state = new State(checkSchema(schema));
        for (const [place, frame] of frames.entries()) {
            const where = `${name}, frame ${place}`;
            const { kind, number, map, reader } = openMessage(bytesOf(frame.hex));
            if (kind === Kind.GAME_STATE) state.apply(reader);
            else if (kind === Kind.PRIVATE) state.applyPrivate(reader);
            else assert.deepEqual({ kind: KINDS.get(kind), number: number ?? 0, body: plain(map) }, frame.event, where);
            if (frame.position !== null) assert.deepEqual([state.epoch, state.tick], frame.position, where);
            assert.deepEqual(
                rowsOf(state, (field) => !field.ownerOnly, wireValue),
                frame.state,
                where,
            );
            assert.deepEqual(
                rowsOf(state, (field) => !field.ownerOnly && isLinear(field), step),
                frame.steps,
                where,
            );
            if (frame.view !== undefined) {
                const rings = Object.entries(state.view.byRing).flatMap(([ring, cells]) =>
                    [...cells].map((cell) => [cell, ring]),
                );
                assert.deepEqual(Object.fromEntries(rings), frame.view, where);
                assert.equal(state.view.farTick, frame.farTick, where);
                assert.deepEqual(cellsOf(state), frame.cells, where);
            }
            if (frame.private === undefined) continue;
            const { values, ownEntity, acknowledgedInput } = frame.private;
            assert.deepEqual(withoutEmpty(rowsOf(state, (field) => field.ownerOnly, wireValue)), withoutEmpty(values), where);
            assert.deepEqual(state.entity && [state.entity.table.name, state.entity.id], ownEntity, where);
            assert.equal(state.inputSeen, acknowledgedInput, where);
        }
    });
}

for (const { name, schema, inputs } of documents.filter((document) => document.inputs)) {
    test(`inputs: ${name}`, () => {
        const layout = new InputLayout(schema.input);
        for (const { hex, number, acknowledged, fields } of inputs) {
            const values = schema.input.fields.map((field) => [field.name, valueOf(field, fields[field.name])]);
            assert.equal(hexOf(layout.pack(Object.fromEntries(values), number, acknowledged)), hex);
        }
    });
}

function valueOf(field, wire) {
    if (field.type === "fixed") return field.lo + wire * field.step;
    if (field.type === "angle") return (wire * 2 * Math.PI) / 2 ** field.bits;
    return wire;
}

for (const { name, messages } of documents.filter((document) => document.messages)) {
    test(`messages of a client: ${name}`, () => {
        for (const { hex, name: kind, body } of messages) {
            if (kind === "ack") {
                // This client refuses states of such ticks, so it never acknowledges one.
                if (!Number.isSafeInteger(body.tick)) continue;
                assert.equal(hexOf(encodeAck(body.epoch, body.tick, body.number)), hex);
                continue;
            }
            if (kind === "numbered") {
                const inner = encodeMessage(Kind[body.name.toUpperCase()], body.body);
                assert.equal(hexOf(encodeNumbered(body.number, inner)), hex);
                continue;
            }
            // Keys may come in any order; encoded in the order of the frame they must give the frame.
            const map = decode(bytesOf(hex).subarray(1));
            assert.deepEqual(map, body, kind);
            assert.equal(hexOf(encodeMessage(Kind[kind.toUpperCase()], map)), hex, kind);
        }
    });
}

for (const { name, schema, frames, broken } of documents.filter((document) => document.broken)) {
    for (const { rule, hex } of broken) {
        test(`a client refuses what is broken: ${name}: ${rule}`, async () => {
            mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
            try {
                const { client, socket } = await connected(fakeNetwork());
                const joining = client.join(schema.gameId);
                socket.say(Kind.SCHEMA, schema);
                for (const frame of frames) socket.deliver(bytesOf(frame.hex));
                await joining;
                assert.equal(socket.closed, null);
                socket.deliver(bytesOf(hex));
                assert.equal(socket.closed?.code, 4400);
            } finally {
                mock.timers.reset();
            }
        });
    }
}
