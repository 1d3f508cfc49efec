/**
 * The whole of `monkeytown.1` as docs/reference/wire.md describes it, without a connection: what tests, benchmarks and other readers need.
 */

import { Reader, WireError, Writer } from "./bytes.js";
import { decodeMap, encodeInto } from "./msgpack.js";
import { checkSchema } from "./schema.js";
import { State } from "./state.js";

export { Reader, State, WireError, Writer, checkSchema };
export { decode, encode } from "./msgpack.js";
export { InputLayout } from "./input.js";

export const SUBPROTOCOL = "monkeytown.1";

/** The first byte of a message. */
export const Kind = Object.freeze({
    HELLO: 0x01,
    JOIN_GAME: 0x02,
    LEAVE_GAME: 0x03,
    PLAYER_INPUT: 0x04,
    CHAT_MESSAGE: 0x05,
    HEARTBEAT: 0x06,
    ACK: 0x07,
    NUMBERED: 0x08,
    POLL: 0x09,
    WELCOME: 0x41,
    SCHEMA: 0x42,
    GAME_STATE: 0x43,
    PRIVATE: 0x44,
    PLAYER_JOINED: 0x45,
    PLAYER_LEFT: 0x46,
    GAME_EVENT: 0x47,
    ERROR: 0x48,
    SERVER_HEARTBEAT: 0x49,
    CLOSE: 0x4a,
});

const ARE_NUMBERED = new Set([Kind.PLAYER_JOINED, Kind.PLAYER_LEFT, Kind.GAME_EVENT, Kind.ERROR]);

/** A message of a kind and a map. @returns {Uint8Array} */
export function encodeMessage(kind, map) {
    const writer = new Writer();
    writer.u8(kind);
    encodeInto(writer, map);
    return writer.finish();
}

/** A numbered message of the client, around a whole message. @returns {Uint8Array} */
export function encodeNumbered(number, message) {
    const writer = new Writer(message.length + 6);
    writer.u8(Kind.NUMBERED);
    writer.varint(number);
    writer.raw(message);
    return writer.finish();
}

/** @returns {Uint8Array} */
export function encodeAck(epoch, tick, number) {
    const writer = new Writer(20);
    writer.u8(Kind.ACK);
    writer.varint(epoch);
    writer.varint(tick);
    writer.varint(number);
    return writer.finish();
}

/**
 * Opens a message of the server. `game_state` and `private` come with a reader for State; all others with their map, and the numbered
 * ones with their number. Of a kind that is not known only the kind is said.
 * @param {Uint8Array} bytes
 * @returns {{kind: number, number: number | null, map: object | null, reader: Reader}}
 */
export function openMessage(bytes) {
    const reader = new Reader(bytes);
    const kind = reader.u8();
    const hasMap = kind >= Kind.WELCOME && kind <= Kind.CLOSE && kind !== Kind.GAME_STATE && kind !== Kind.PRIVATE;
    if (!hasMap) return { kind, number: null, map: null, reader };
    const number = ARE_NUMBERED.has(kind) ? reader.varint() : null;
    return { kind, number, map: decodeMap(reader), reader };
}
