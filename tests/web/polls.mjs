/** Polls as a server sees them: what each says, and how it is answered. The network is a fake one (server.mjs), which the test holds. */

import assert from "node:assert/strict";

import { Kind, Reader, decode, encode } from "../../src/monkeytown/web/client/wire.js";
import { connect } from "../../src/monkeytown/web/monkeytown.js";
import { framed } from "./encoder.mjs";
import { joined as body, split } from "./links.mjs";
import { FakeRoom, settle } from "./server.mjs";

const ONLY_POLLS = { transports: ["polling"] };
/** How a session is resumed by one who missed nothing in the room of these tests. */
export const DELTA = { recovered: true, resumed: "delta", received: 0, number: 1, gameId: "room-1" };

/** What a POST says, by kind: its maps, and bytes where there are none. */
export function said(post) {
    const map = {};
    for (const bytes of split(post.body)) {
        const kind = bytes[0];
        const rest = bytes.subarray(1);
        const reader = new Reader(rest);
        if (kind === Kind.NUMBERED) (map.numbered ??= []).push([reader.varint(), decode(rest.subarray(reader.at + 1))]);
        else if (kind === Kind.PLAYER_INPUT) map.input = [...rest];
        else map[Object.keys(Kind).find((name) => Kind[name] === kind)] = decode(rest);
    }
    return map;
}

/** Answers a POST with messages, or with nothing. */
export async function answer(post, ...messages) {
    const bytes = body(messages);
    post.resolve({ status: messages.length > 0 ? 200 : 204, arrayBuffer: async () => bytes.buffer });
    await settle();
}

export async function refuse(post, status, text) {
    const bytes = new TextEncoder().encode(text);
    post.resolve({ status, arrayBuffer: async () => bytes.buffer });
    await settle();
}

let counted = 0;

/** A message of the server; numbered ones count from the last `welcome`, or from what is `recounted`. */
export function message(kind, map) {
    const isNumbered = kind >= Kind.PLAYER_JOINED && kind <= Kind.ERROR;
    return framed(kind, encode(map), isNumbered ? ++counted : undefined);
}

export function recount(number) {
    counted = number;
}

export function welcome(session, how = {}) {
    counted = how.number ?? 0;
    return message(Kind.WELCOME, { playerId: "p1", name: "Ada", server: "monkeytown", session, ...how });
}

export function heartbeat(received = 0) {
    return message(Kind.SERVER_HEARTBEAT, { timestamp: performance.now(), serverTime: 1, received });
}

/** What enters a room. */
export function admission({ spec, model }) {
    const introduction = message(Kind.PLAYER_JOINED, { id: "p1", name: "Ada" });
    return [message(Kind.SCHEMA, spec), introduction, model.snapshot()];
}

/** The newest POST, once there are so many. */
export async function posted(network, clock, count) {
    for (let i = 0; i < 300 && network.posts.length < count; i++) await clock.pass(10);
    assert.equal(network.posts.length, count, "posts");
    return network.posts.at(-1);
}

/** A client in a room, by polls: the fourth is under way. */
export async function polled(network, clock, server = new FakeRoom()) {
    const { WebSocket, fetch } = network;
    const connecting = connect("http://town.example/game/ws?x=1", { name: "Ada", WebSocket, fetch, ...ONLY_POLLS });
    await answer(network.posts[0], welcome("secret"));
    const client = await connecting;
    const joining = client.join("jungle");
    await answer(await posted(network, clock, 2), heartbeat());
    await answer(await posted(network, clock, 3), ...admission(server));
    const room = await joining;
    return { client, room, server, post: await posted(network, clock, 4) };
}
