/**
 * The pieces of a replay file, from bytes: docs/reference/replay.md, sections 1 to 4.
 *
 * Everything is checked before anything is allocated for it, and what breaks a rule throws a WireError. Knows nothing of where the bytes come
 * from, nor of how a state is applied.
 */

import { Reader, WireError } from "../client/bytes.js";
import { decode } from "../client/msgpack.js";
import { checkSchema } from "../client/schema.js";

export const MAGIC = Uint8Array.from([...new TextEncoder().encode("MTREPLAY"), 1]);
const END = new TextEncoder().encode("MTREPEND");
export const CHUNK_HEAD = 13;
export const TRAILER = 16;
export const HEADER = 1;
export const BLOCK = 2;
export const INDEX = 3;
const LARGEST = [0, 2 ** 20, 2 ** 24, 2 ** 22];
/** Items of a block, and players in it, at most. */
const MOST = 65_536;
const MOST_VALUES = 2 ** 24;
const LONGEST = 256;

export const STATE = 0x43;
const SNAPSHOT = 1;
const HAS_LAST = 1;

// Chunks.

const CRCS = new Uint32Array(256).map((_, byte) => {
    for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
    return byte;
});

/** CRC-32, going on from `crc`. */
export function crc32(bytes, crc = 0) {
    crc = ~crc;
    for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ CRCS[(crc ^ bytes[i]) & 0xff];
    return ~crc >>> 0;
}

const u32 = (bytes, at) => (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;

/** What stands before the stored bytes of a chunk that begins at `at`. */
export function headOf(bytes, at = 0) {
    demand(bytes.length - at >= CHUNK_HEAD, "the file ends in the head of a chunk");
    const [kind, stored, size, check] = [bytes[at], u32(bytes, at + 1), u32(bytes, at + 5), u32(bytes, at + 9)];
    demand(LARGEST[kind] > 0, `there is no chunk of kind ${kind}`);
    demand(size <= LARGEST[kind] && stored <= size + Math.floor(size / 1000) + 64, `a chunk of ${stored} bytes is too large`);
    return { kind, stored, size, check };
}

/** The content of a chunk that begins at `at`, which is never larger than its head says. */
export async function contentOf(bytes, at = 0) {
    const { stored, size, check } = headOf(bytes, at);
    const inside = bytes.subarray(at + CHUNK_HEAD, at + CHUNK_HEAD + stored);
    demand(inside.length === stored, "the file ends in a chunk");
    demand(crc32(inside, crc32(bytes.subarray(at, at + 9))) === check, "a chunk is damaged: its CRC is another one");
    return inflate(inside, size);
}

async function inflate(stored, size) {
    const content = new Uint8Array(size);
    let filled = 0;
    const reader = new Blob([stored]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            demand(filled + value.length <= size, "a chunk inflates to more than it says");
            content.set(value, filled);
            filled += value.length;
        }
    } catch (error) {
        reader.cancel().catch(() => undefined);
        throw error instanceof WireError ? error : new WireError(`a chunk cannot be inflated: ${error.message}`);
    }
    demand(filled === size, "a chunk inflates to less than it says");
    return content;
}

/** Where the index begins, from the last bytes of a file; null if they are no trailer. */
export function trailerOf(bytes) {
    const at = bytes.length - TRAILER;
    if (at < 0 || END.some((byte, place) => bytes[at + 8 + place] !== byte)) return null;
    return u32(bytes, at) + u32(bytes, at + 4) * 2 ** 32;
}

// Header and index.

const isText = (value) => typeof value === "string" && [...value].length <= LONGEST;
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isTime = (value) => Number.isFinite(value) && value >= 0 && value < 2 ** 37;
const isHash = (value) => isCount(value) && value < 2 ** 32;

export function headerOf(content) {
    const header = mapOf(content, "header");
    demand([header.id, header.room, header.game, header.title].every(isText), "a header has id, room, game and title");
    demand(isCount(header.epoch) && header.epoch > 0 && isTime(header.started), "a header has epoch and started");
    demand(Number.isFinite(header.rate) && header.rate > 0, "a header has a rate");
    demand(typeof header.schema === "object" && header.schema !== null, "a header has a schema");
    const schema = checkSchema({ ...header.schema, area: null });
    demand(schema.tables.reduce((sum, table) => sum + valuesOf(table), 0) <= MOST_VALUES, "its tables are too large");
    return { ...header, schema, private: header.private === true };
}

function valuesOf({ capacity, fields }) {
    return capacity * fields.reduce((sum, { count }) => sum + (count || 1), 1);
}

export function indexOf(content) {
    const index = mapOf(content, "index");
    demand(Array.isArray(index.blocks) && index.blocks.length > 0, "an index has blocks");
    demand([index.until, index.players].every(isCount) && isTime(index.ended), "an index has until, ended and players");
    demand(typeof index.complete === "boolean", "an index says whether it is complete");
    let before = null;
    const blocks = index.blocks.map((entry) => (before = entryOf(entry, before)));
    demand(index.until >= before.until, "the recording ends before its last block does");
    return { ...index, blocks };
}

function entryOf(entry, before) {
    demand(Array.isArray(entry) && entry.length === 8, "a block of the index has eight parts");
    const [offset, at, until, tick, first, last, states, events] = entry;
    demand([offset, at, until, tick, states, events].every(isCount), "the parts of a block are numbers");
    demand(isHash(first) && (last === null || isHash(last)), "hashes have 32 bits");
    demand(until >= at, "a block of the index ends before it begins");
    demand(before === null || (offset > before.offset && at >= before.until), "the blocks of the index are out of order");
    return { offset, at, until, tick, first, last, states, events };
}

function mapOf(content, name) {
    const value = decode(content);
    demand(typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array), `the ${name} is no map`);
    return value;
}

// Blocks.

/** A block: `at`, `first`, `last` (null: not known), `players` (a map of names by id) and `items`, each `{at, message}`. */
export function blockOf(content) {
    const reader = new Reader(content);
    const flags = reader.u8();
    demand((flags & ~HAS_LAST) === 0, `a block with flags 0x${flags.toString(16)}`);
    const at = reader.varint64();
    const hashes = reader.skip(8);
    const [first, last] = [u32(content, hashes), u32(content, hashes + 4)];
    demand(flags === HAS_LAST || last === 0, "a block with a hash that it says is not there");
    const count = reader.varint();
    demand(count <= Math.min(MOST, reader.left / 2), `${count} players in what is left of a block`);
    const players = new Map();
    for (let i = 0; i < count; i++) players.set(reader.text(), reader.text());
    const items = itemsOf(reader, at);
    demand(items.length > 0 && items[0].at === at && isSnapshot(items[0].message), "a block does not begin with a snapshot");
    return { at, first, last: flags & HAS_LAST ? last : null, players, items };
}

function itemsOf(reader, at) {
    const items = [];
    while (reader.left > 0) {
        at += reader.varint64();
        const size = reader.varint();
        demand(size > 0 && Number.isSafeInteger(at) && items.length < MOST, "an item without a message, or one too many");
        const start = reader.skip(size);
        items.push({ at, message: reader.bytes.subarray(start, start + size) });
    }
    return items;
}

const isSnapshot = (message) => message[0] === STATE && (message[1] & SNAPSHOT) !== 0;

/** The map of an item that is no state. */
export function eventOf(message) {
    return mapOf(message.subarray(1), "event");
}

function demand(condition, rule) {
    if (!condition) throw new WireError(rule);
}
