/**
 * A whole small server with sessions, from docs/reference/wire.md alone; how it is reached, over a network that delays and loses, is in links.mjs.
 *
 * One room, of one table. It checks what clients do: whatever breaks the rules is in `violations`. Time is that of the test.
 */

import { Kind, Reader, decode, encode } from "../../src/monkeytown/web/client/wire.js";
import { Model, framed, seeded } from "./encoder.mjs";
import { TownSocket, fetched } from "./links.mjs";
import { SPEC } from "./server.mjs";


/** One player, from the first message to the last. */
class Player {
    constructor(id, name) {
        Object.assign(this, { id, name, number: 0, log: [], received: 0, taken: [], inputs: [], isIn: false, link: null });
        /** Messages up to this number are not kept any more. */
        this.forgotten = 0;
    }

    say(kind, map) {
        this.number++;
        this.log.push(framed(kind, encode(map), this.number));
        this.link?.wake();
    }

    /** Sent after a number. */
    after(number) {
        return this.log.slice(number);
    }
}

export class Town {
    constructor({ spec = SPEC, seed = 1, latency = 20 } = {}) {
        this.spec = spec;
        this.latency = latency;
        this.random = seeded(seed);
        this.model = new Model(spec, this.random);
        this.model.spawn(0, 0, [160, 320, 0]);
        this.model.commit();
        this.players = [];
        this.count = 0;
        this.bySecret = new Map();
        this.secrets = 0;
        this.links = [];
        this.isQuiet = false;
        this.violations = [];
        /** What the network does: no WebSockets at all, WebSockets that open and carry nothing, nothing at all; polls that are lost. */
        this.isBlocked = this.isSwallowed = this.isDown = false;
        this.lost = 0;
        this.polls = [];
        const town = this;
        this.WebSocket = class {
            constructor(url) {
                return new TownSocket(town, url);
            }
        };
        this.fetch = (url, options) => fetched(this, url, options);
    }

    options(more = {}) {
        return { name: "Ada", WebSocket: this.WebSocket, fetch: this.fetch, ...more };
    }

    tick(change = () => {}) {
        change(this.model.tables[0]);
        this.model.commit();
        for (const { link, isIn } of this.players) if (isIn) link?.wake();
    }

    everybody() {
        return this.players.filter(({ isIn }) => isIn);
    }

    /** The sessions of before are not known any more. */
    forget() {
        for (const { link } of this.players) link?.drop();
        for (const player of this.players) this.leave(player);
        this.players = [];
        this.bySecret.clear();
    }

    violated(what) {
        this.violations.push(what);
    }

    // What clients say.

    hello(link, map) {
        const resumed = map.resume && this.bySecret.get(map.resume.session);
        const player = resumed ?? new Player(`p${++this.count}`, map.name);
        if (!resumed) this.players.push(player);
        if (player.end) return link.close(player.end, "ended");
        player.link?.close(4507, "replaced");
        player.link = link;
        link.player = player;
        link.secret = `secret-${++this.secrets}`;
        this.bySecret.set(link.secret, player);
        const said = { playerId: player.id, name: player.name, server: "town", session: link.secret };
        if (!map.resume) link.say(framed(Kind.WELCOME, encode(said)));
        else if (!resumed) {
            link.say(framed(Kind.WELCOME, encode({ ...said, ...nowhere(0, 0), recovered: false })));
            player.say(Kind.ERROR, { code: "AUTH-003", message: "This session is not known." });
        } else this.resume(link, said, map.resume);
        link.wake();
    }

    resume(link, said, { number, gameId, epoch, tick }) {
        const { player } = link;
        if (number > player.number) this.violated(`read ${number} of ${player.number}`);
        const recovered = number >= player.forgotten;
        link.number = recovered ? number : player.number;
        const isNear = gameId === this.spec.gameId && epoch === this.model.epoch && this.model.past.has(tick);
        link.tick = player.isIn && isNear ? tick : 0;
        const how = player.isIn
            ? { resumed: link.tick ? "delta" : "snapshot", received: player.received, number: link.number, gameId: this.spec.gameId }
            : nowhere(player.received, link.number);
        link.say(framed(Kind.WELCOME, encode({ ...said, recovered, ...how })));
        if (link.tick && player.isIn) link.isReset = true;
        if (player.isIn && !recovered)
            this.quietly(() => {
                for (const { id, name } of this.everybody()) player.say(Kind.PLAYER_JOINED, { id, name });
            });
    }

    take(link, bytes) {
        const { player } = link;
        const kind = bytes[0];
        if (player === null) {
            if (kind === Kind.HELLO) this.hello(link, decode(bytes.subarray(1)));
            else this.violated(`${kind} before hello`);
            return;
        }
        // It has read its welcome: the secrets of before are dead.
        for (const [secret, owner] of this.bySecret) if (owner === player && secret !== link.secret) this.bySecret.delete(secret);
        const reader = new Reader(bytes.subarray(1));
        if (kind === Kind.ACK) link.acknowledge(reader.varint(), reader.varint64(), reader.varint());
        else if (kind === Kind.HEARTBEAT) link.answer({ ...decode(bytes.subarray(1)), serverTime: 1, received: player.received });
        else if (kind === Kind.NUMBERED) this.numbered(player, reader.varint(), bytes.subarray(1 + reader.at));
        else if (kind === Kind.JOIN_GAME) this.join(player);
        else if (kind === Kind.LEAVE_GAME) this.leave(player);
        else if (kind === Kind.PLAYER_INPUT) this.steer(player, bytes.subarray(1));
        else this.violated(`kind ${kind} of ${player.id}`);
    }

    numbered(player, number, message) {
        if (number <= player.received) return;
        if (number !== player.received + 1) this.violated(`WS-011: ${number} after ${player.received}`);
        player.received = number;
        player.taken.push(Object.values(decode(message.subarray(1)))[0]);
        if (!player.isIn) this.violated(`said in no room: ${player.taken.at(-1)}`);
    }

    steer(player, body) {
        const reader = new Reader(body);
        reader.skip(2);
        const number = reader.varint();
        if (number > (player.inputs.at(-1) ?? 0)) player.inputs.push(number);
    }

    join(player) {
        if (player.isIn) return player.say(Kind.ERROR, { code: "GAME-004", message: "in a game already" });
        player.isIn = true;
        player.inputs = [];
        if (player.link) player.link.tick = 0;
        this.quietly(() => {
            for (const { id, name } of this.everybody()) player.say(Kind.PLAYER_JOINED, { id, name });
        });
        player.link?.wake();
        const { id, name } = player;
        for (const other of this.everybody()) if (other !== player) other.say(Kind.PLAYER_JOINED, { id, name });
    }

    /** Nothing goes out meanwhile, so that what is said follows the description. */
    quietly(act) {
        this.isQuiet = true;
        act();
        this.isQuiet = false;
    }

    leave(player) {
        if (!player.isIn) return player.say(Kind.ERROR, { code: "GAME-003", message: "in no game" });
        player.isIn = false;
        for (const other of this.everybody()) other.say(Kind.PLAYER_LEFT, { playerId: player.id });
    }

    /** Others come and go. */
    enter(name) {
        const player = new Player(`p${++this.count}`, name);
        this.players.push(player);
        this.join(player);
        return player;
    }

    /** What brings a client from where it is to now, in order; moves its link there. */
    news(link, hasStates = true) {
        const { player } = link;
        const news = [];
        const isShown = player.isIn && hasStates;
        if (isShown && !link.tick) news.push(framed(Kind.SCHEMA, encode(this.spec)));
        const numbered = player.after(link.number);
        link.number = player.number;
        if (link.kind === "websocket") news.push(...numbered);
        if (isShown && link.tick !== this.model.tick) {
            news.push(this.model.past.has(link.tick) ? this.model.delta(link.tick) : this.model.snapshot());
            link.tick = this.model.tick;
        }
        if (isShown && link.isReset) {
            news.push(Uint8Array.from([Kind.PRIVATE, 8]));
            link.isReset = false;
        }
        if (link.kind === "polling") news.push(...numbered);
        return news;
    }
}

function nowhere(received, number) {
    return { resumed: null, received, number, gameId: null };
}

