/**
 * The ways to town.mjs: both ends of a WebSocket, and of a connection that is polled. What is under way when one is lost is lost with it.
 */

import { Kind, Reader, decode, encode } from "../../src/monkeytown/web/client/wire.js";
import { framed, varint } from "./encoder.mjs";

const STATES_EVERY = 50;

/** What both ends of a connection have in common. */
class Link {
    constructor(town) {
        Object.assign(this, { town, player: null, secret: "", number: 0, tick: 0, isReset: false, isOver: false });
        town.links.push(this);
    }

    later(act) {
        setTimeout(() => act(), this.town.latency);
    }
}

/** Both ends of a WebSocket. */
export class TownSocket extends Link {
    kind = "websocket";
    bufferedAmount = 0;
    readyState = 0;
    protocol = "";

    constructor(town, url) {
        super(town);
        this.url = url;
        const { isBlocked, isDown } = town;
        this.isSwallowed = town.isSwallowed;
        this.later(() => {
            if (this.isOver) return;
            if (isBlocked || isDown) return this.drop();
            this.readyState = 1;
            this.protocol = "monkeytown.1";
            this.onopen();
        });
    }

    send(bytes) {
        if (!this.isSwallowed) this.later(() => !this.isOver && this.town.take(this, bytes));
    }

    /** By either end. The town's has a reason for which its client waits. */
    close(code, reason) {
        this.closed ??= { code, reason };
        const { player, town } = this;
        const isOurs = player?.link === this && code !== 4507;
        if (isOurs && code === 1000) {
            if (player.isIn) town.leave(player);
            player.link = null;
        }
        this.end(code, reason);
    }

    /** The connection is lost, with all that is under way. */
    drop() {
        this.end(1006, "");
    }

    end(code, reason) {
        if (this.isOver) return;
        this.isOver = true;
        this.readyState = 3;
        if (this.player?.link === this) this.player.link = null;
        this.later(() => this.onclose({ code, reason }));
    }

    say(bytes) {
        if (!this.isSwallowed) this.later(() => !this.isOver && this.onmessage({ data: bytes.slice().buffer }));
    }

    wake() {
        if (this.player === null || this.town.isQuiet) return;
        for (const bytes of this.town.news(this)) this.say(bytes);
    }

    acknowledge() {}

    answer(map) {
        this.say(framed(Kind.SERVER_HEARTBEAT, encode(map)));
    }
}

/** The town's end of a connection that is polled. */
class PolledLink extends Link {
    kind = "polling";
    newest = 0;
    statesAt = -Infinity;
    #waiting = null;
    /** What is not numbered and was not heard yet; and how far the client is once it has the newest answer. */
    #said = [];
    #answer = null;
    #end = null;

    /** `respond` takes a status and messages. */
    poll({ number, heard, wait }, messages, respond) {
        if (this.isOver) return refuse(respond, 410, "AUTH-003");
        if (number <= this.newest) {
            for (const bytes of messages) this.town.take(this, bytes);
            return respond(204, []);
        }
        this.newest = number;
        this.#respond(204, []);
        this.#settle(heard);
        this.#waiting = { respond };
        const waiting = this.#waiting;
        for (const bytes of messages) this.town.take(this, bytes);
        this.wake();
        setTimeout(() => waiting === this.#waiting && this.#respond(204, []), wait * 1000);
    }

    open(hello, respond) {
        this.#waiting = { respond };
        this.town.take(this, hello);
        this.wake();
    }

    #settle(heard) {
        const answer = this.#answer;
        this.#answer = null;
        if (answer === null || heard < answer.poll) return;
        this.#said.splice(0, answer.said);
        Object.assign(this, answer.reached);
    }

    #respond(status, messages) {
        const waiting = this.#waiting;
        this.#waiting = null;
        waiting?.respond(status, messages);
    }

    say(bytes) {
        this.#said.push(bytes);
    }

    answer(map) {
        this.say(framed(Kind.SERVER_HEARTBEAT, encode(map)));
    }

    acknowledge() {
        this.town.violated("polls say what was heard");
    }

    wake() {
        if (this.#waiting === null || this.town.isQuiet) return;
        const now = performance.now();
        const hasStates = now - this.statesAt >= STATES_EVERY;
        const { number, tick, isReset } = this;
        const news = this.player === null ? [] : this.town.news(this, hasStates);
        const messages = [...this.#said, ...news];
        const reached = { number: this.number, tick: this.tick, isReset: this.isReset };
        Object.assign(this, { number, tick, isReset });
        if (messages.length > 0) this.#answer = { poll: this.newest, said: this.#said.length, reached };
        if (messages.some((bytes) => bytes[0] === Kind.GAME_STATE)) this.statesAt = now;
        if (this.#end !== null) messages.push(this.#end);
        if (messages.length > 0) this.#respond(200, messages);
        else if (!hasStates) setTimeout(() => this.wake(), STATES_EVERY);
    }

    close(code, reason) {
        if (this.isOver) return;
        this.#end = framed(Kind.CLOSE, encode({ code, reason }));
        this.wake();
        this.drop();
    }

    drop() {
        this.isOver = true;
        this.#respond(204, []);
        if (this.player?.link === this) this.player.link = null;
    }
}

function refuse(respond, status, code) {
    respond(status, new TextEncoder().encode(JSON.stringify({ code, message: "no" })));
}

/** A POST, there and back. */
export function fetched(town, url, { method, headers, body, signal }) {
    if (method !== "POST" || headers["Content-Type"] !== "application/octet-stream") town.violated("not as polls are");
    town.polls.push(url);
    return new Promise((resolve, reject) => {
        const fail = () => reject(new TypeError("fetch failed"));
        signal?.addEventListener("abort", fail);
        const carry = (act) =>
            setTimeout(() => (town.isDown || town.random.chance(town.lost) ? fail() : act()), town.latency);
        const respond = (status, messages) =>
            carry(() => {
                const bytes = messages instanceof Uint8Array ? messages : joined(messages);
                resolve({ status, arrayBuffer: async () => bytes.slice().buffer });
            });
        carry(() => arrived(town, split(body), respond));
    });
}

function arrived(town, messages, respond) {
    const [first, ...rest] = messages;
    if (messages.reduce((sum, { length }) => sum + length, 0) > 16_000) town.violated("a poll that is too large");
    if (first[0] === Kind.HELLO) {
        if (rest.length > 0) town.violated("more than a hello");
        new PolledLink(town).open(first, respond);
        return;
    }
    const head = decode(first.subarray(1));
    if (first[0] !== Kind.POLL || !(head.wait >= 0 && head.wait <= 25)) town.violated("no poll");
    const link = town.bySecret.get(head.session)?.link;
    if (link?.kind === "polling" && link.secret === head.session) link.poll(head, rest, respond);
    else refuse(respond, 410, "AUTH-003");
}

export function joined(messages) {
    return Uint8Array.from(messages.flatMap((bytes) => [...varint(bytes.length), ...bytes]));
}

export function split(body) {
    const reader = new Reader(body);
    const messages = [];
    while (reader.left > 0) messages.push(reader.blob());
    return messages;
}
