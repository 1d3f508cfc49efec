/**
 * The hash of a state: docs/reference/replay.md, section 5. Writes the sections of a snapshot in their one canonical form.
 */

import { Writer, encodeUtf8 } from "../client/bytes.js";
import { crc32 } from "./chunks.js";

const SLOT_BITS = 20;
const ENTERED = 2;

/** @param {import("../client/state.js").State} state */
export function stateHash(state) {
    const writer = new Writer(4096);
    state.tables.forEach((table, number) => {
        if (table.size === 0) return;
        writer.u8(number);
        writer.u8(ENTERED);
        enter(writer, table);
    });
    return crc32(writer.finish());
}

function enter(writer, { slots, ids, shared }) {
    writer.varint(slots.length);
    pack(writer, slots, (slot, place) => slot - (place === 0 ? 0 : slots[place - 1] + 1));
    pack(writer, slots, (slot) => (ids[slot] >>> SLOT_BITS) - 1);
    for (const column of shared) {
        const { isNumber, isSigned, isLinear, raw, steps, items } = column;
        if (!isNumber) {
            for (const slot of slots) blob(writer, items[slot]);
            continue;
        }
        pack(writer, slots, isSigned ? (slot) => zigzag(raw[slot]) : (slot) => raw[slot] >>> 0);
        if (isLinear) pack(writer, slots, (slot) => zigzag(steps[slot]));
    }
}

const zigzag = (value) => ((value << 1) ^ (value >> 31)) >>> 0;

function blob(writer, item) {
    const bytes = typeof item === "string" ? encodeUtf8(item) : item;
    writer.varint(bytes.length);
    writer.raw(bytes);
}

/** `packed`: one number for each slot, at the smallest width that holds them. */
function pack(writer, slots, numberOf) {
    let all = 0;
    for (let i = 0; i < slots.length; i++) all |= numberOf(slots[i], i);
    const width = 32 - Math.clz32(all);
    writer.u8(width);
    // Up to 7 bits wait for their byte, so at most 39 are held: a JavaScript number holds 53.
    let bits = 0;
    let have = 0;
    for (let i = 0; i < slots.length; i++) {
        bits += numberOf(slots[i], i) * 2 ** have;
        for (have += width; have >= 8; have -= 8) {
            writer.u8(bits & 0xff);
            bits = Math.floor(bits / 256);
        }
    }
    if (have > 0) writer.u8(bits & 0xff);
}
