/**
 * MessagePack, as much of it as the messages of docs/reference/wire.md need: nil, bool, int, float, str, bin, array, map.
 *
 * Knows nothing of what is in the maps. Decoding is strict and bounded: extension types, counts beyond what is left and nesting beyond 32
 * levels are refused, so a message cannot make the decoder allocate more than a small multiple of its own length.
 */

import { Reader, WireError, Writer, encodeUtf8 } from "./bytes.js";

const DEEPEST = 32;

/** @param {Uint8Array} bytes one value and nothing else */
export function decode(bytes) {
    const reader = new Reader(bytes);
    const value = decodeFrom(reader);
    reader.finish();
    return value;
}

/** @returns {Uint8Array} */
export function encode(value) {
    const writer = new Writer();
    encodeInto(writer, value);
    return writer.finish();
}

/** Reads one value and leaves the reader behind it. @param {Reader} reader */
export function decodeFrom(reader, depth = 0) {
    if (depth > DEEPEST) throw new WireError("MessagePack nested too deeply");
    const head = reader.u8();
    if (head < 0x80) return head;
    if (head < 0x90) return map(reader, head & 0x0f, depth);
    if (head < 0xa0) return array(reader, head & 0x0f, depth);
    if (head < 0xc0) return reader.utf8(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
        case 0xc0:
            return null;
        case 0xc2:
            return false;
        case 0xc3:
            return true;
        case 0xc4:
            return binary(reader, unsigned(reader, 1));
        case 0xc5:
            return binary(reader, unsigned(reader, 2));
        case 0xc6:
            return binary(reader, unsigned(reader, 4));
        case 0xca:
            return view(reader, 4).getFloat32(0);
        case 0xcb:
            return view(reader, 8).getFloat64(0);
        case 0xcc:
            return unsigned(reader, 1);
        case 0xcd:
            return unsigned(reader, 2);
        case 0xce:
            return unsigned(reader, 4);
        case 0xcf:
            return Number(view(reader, 8).getBigUint64(0));
        case 0xd0:
            return view(reader, 1).getInt8(0);
        case 0xd1:
            return view(reader, 2).getInt16(0);
        case 0xd2:
            return view(reader, 4).getInt32(0);
        case 0xd3:
            return Number(view(reader, 8).getBigInt64(0));
        case 0xd9:
            return reader.utf8(unsigned(reader, 1));
        case 0xda:
            return reader.utf8(unsigned(reader, 2));
        case 0xdb:
            return reader.utf8(unsigned(reader, 4));
        case 0xdc:
            return array(reader, unsigned(reader, 2), depth);
        case 0xdd:
            return array(reader, unsigned(reader, 4), depth);
        case 0xde:
            return map(reader, unsigned(reader, 2), depth);
        case 0xdf:
            return map(reader, unsigned(reader, 4), depth);
        default:
            throw new WireError(`MessagePack of type 0x${head.toString(16)}`);
    }
}

/** Reads one map, as every message with a map ends in. */
export function decodeMap(reader) {
    const value = decodeFrom(reader);
    reader.finish();
    if (!isMap(value)) throw new WireError("a map is due");
    return value;
}

export function isMap(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function view(reader, count) {
    const at = reader.skip(count);
    return new DataView(reader.bytes.buffer, reader.bytes.byteOffset + at, count);
}

function unsigned(reader, count) {
    let value = 0;
    for (const end = reader.skip(count) + count; count > 0; count--) value = value * 256 + reader.bytes[end - count];
    return value;
}

function binary(reader, length) {
    const at = reader.skip(length);
    return reader.bytes.slice(at, reader.at);
}

function array(reader, count, depth) {
    if (count > reader.left) throw new WireError("the message ends early");
    const items = [];
    for (let i = 0; i < count; i++) items.push(decodeFrom(reader, depth + 1));
    return items;
}

function map(reader, count, depth) {
    if (count * 2 > reader.left) throw new WireError("the message ends early");
    const entries = {};
    for (let i = 0; i < count; i++) {
        const key = decodeFrom(reader, depth + 1);
        // An event's data may have numbers for keys; a JavaScript object has them as strings.
        if (typeof key !== "string" && !Number.isInteger(key))
            throw new WireError("a key that is neither text nor a whole number");
        const value = decodeFrom(reader, depth + 1);
        // Plain assignment would set the prototype.
        if (key === "__proto__")
            Object.defineProperty(entries, key, { value, enumerable: true, configurable: true, writable: true });
        else entries[key] = value;
    }
    return entries;
}

/** Writes one value. @param {Writer} writer */
export function encodeInto(writer, value, depth = 0) {
    if (depth > DEEPEST) throw new TypeError("nested too deeply to send");
    if (value === null || value === undefined) writer.u8(0xc0);
    else if (value === false) writer.u8(0xc2);
    else if (value === true) writer.u8(0xc3);
    else if (typeof value === "number") encodeNumber(writer, value);
    else if (typeof value === "string") encodeString(writer, value);
    else if (value instanceof Uint8Array) encodeBinary(writer, value);
    else if (Array.isArray(value)) encodeArray(writer, value, depth);
    else if (isPlain(value)) encodeMap(writer, value, depth);
    else throw new TypeError(`a ${value.constructor?.name ?? typeof value} cannot be sent`);
}

function isPlain(value) {
    if (typeof value !== "object") return false;
    const prototype = Object.getPrototypeOf(value);
    return prototype === Object.prototype || prototype === null;
}

function encodeNumber(writer, value) {
    if (!Number.isSafeInteger(value)) {
        writer.u8(0xcb);
        writer.float64(value);
    } else if (value >= 0) {
        if (value < 0x80) writer.u8(value);
        else if (value < 0x100) headed(writer, 0xcc, value, 1);
        else if (value < 0x10000) headed(writer, 0xcd, value, 2);
        else if (value < 2 ** 32) headed(writer, 0xce, value, 4);
        else headed(writer, 0xcf, value, 8);
    } else if (value >= -32) writer.u8(value + 0x100);
    else if (value >= -0x80) headed(writer, 0xd0, value + 0x100, 1);
    else if (value >= -0x8000) headed(writer, 0xd1, value + 0x10000, 2);
    else if (value >= -(2 ** 31)) headed(writer, 0xd2, value + 2 ** 32, 4);
    else {
        writer.u8(0xd3);
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setBigInt64(0, BigInt(value));
        writer.raw(bytes);
    }
}

function headed(writer, head, value, count) {
    writer.u8(head);
    writer.bigEndian(value, count);
}

function encodeString(writer, text) {
    const bytes = encodeUtf8(text);
    if (bytes.length < 32) writer.u8(0xa0 | bytes.length);
    else counted(writer, bytes.length, 0xd9, 0xda, 0xdb);
    writer.raw(bytes);
}

function encodeBinary(writer, bytes) {
    counted(writer, bytes.length, 0xc4, 0xc5, 0xc6);
    writer.raw(bytes);
}

function encodeArray(writer, items, depth) {
    if (items.length < 16) writer.u8(0x90 | items.length);
    else counted(writer, items.length, null, 0xdc, 0xdd);
    for (const item of items) encodeInto(writer, item, depth + 1);
}

function encodeMap(writer, entries, depth) {
    const keys = Object.keys(entries);
    if (keys.length < 16) writer.u8(0x80 | keys.length);
    else counted(writer, keys.length, null, 0xde, 0xdf);
    for (const key of keys) {
        encodeString(writer, key);
        encodeInto(writer, entries[key], depth + 1);
    }
}

/** A head of one, two or four bytes of count, whichever is the first to do (arrays and maps have none of one byte). */
function counted(writer, count, head8, head16, head32) {
    if (head8 !== null && count < 0x100) headed(writer, head8, count, 1);
    else if (count < 0x10000) headed(writer, head16, count, 2);
    else headed(writer, head32, count, 4);
}
