/** A server that is not there: a WebSocket class and a fetch whose other ends the test holds, and a clock that the test moves. */

import { mock } from "node:test";

import { Kind, Reader, decode, encode } from "../../src/monkeytown/web/client/wire.js";
import { connect } from "../../src/monkeytown/web/monkeytown.js";
import { Model, framed, seeded } from "./encoder.mjs";
import { field, schema, table } from "./schemas.mjs";

export const SPEC = schema(
    [
        table("monkeys", [
            field("x", "fixed", { predict: "linear" }),
            field("y", "fixed"),
            field("secret", "uint", { ownerOnly: true }),
        ]),
    ],
    {
        input: {
            name: "Steer",
            hash: 0x1234,
            fields: [field("turn", "fixed", { lo: -1, hi: 1, step: 1 / 127, bits: 8 }), field("run", "bool")],
        },
    },
);

/** Stops the clock, and gives the means to move it. */
export function stopClock() {
    let now = 1000;
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    mock.method(performance, "now", () => now);
    return {
        /** Lets milliseconds pass, and whatever waits for them or for a promise. */
        async pass(milliseconds) {
            for (let rest = milliseconds; rest > 0; rest -= 10) {
                const step = Math.min(10, rest);
                now += step;
                mock.timers.tick(step);
                await settle();
            }
        },
        /** The page stands still: time passes, timers do not run. */
        freeze(milliseconds) {
            now += milliseconds;
        },
        release() {
            mock.timers.reset();
            mock.restoreAll();
        },
    };
}

export async function settle() {
    for (let i = 0; i < 12; i++) await Promise.resolve();
}

/** A fresh class of WebSocket, and a fetch; `sockets` and `posts` list what a client has made of them. */
export function fakeNetwork() {
    const sockets = [];
    const posts = [];
    let secrets = 0;
    class FakeSocket {
        readyState = 0;
        protocol = "";
        bufferedAmount = 0;
        sent = [];
        closed = null;

        constructor(url, protocols) {
            Object.assign(this, { url, protocols });
            sockets.push(this);
        }

        send(bytes) {
            this.sent.push(bytes);
        }

        close(code, reason) {
            this.readyState = 2;
            this.closed = { code, reason };
        }

        // The server's end.

        accept(protocol = "monkeytown.1") {
            this.readyState = 1;
            this.protocol = protocol;
            this.onopen();
        }

        deliver(bytes) {
            this.onmessage({ data: typeof bytes === "string" ? bytes : bytes.slice().buffer });
        }

        say(kind, map) {
            const isNumbered = kind >= 0x45 && kind <= 0x48;
            this.deliver(framed(kind, encode(map), isNumbered ? (this.number = (this.number ?? 0) + 1) : undefined));
        }

        drop(code = 1006, reason = "") {
            this.readyState = 3;
            this.onclose({ code, reason });
        }

        welcome(playerId = "p1", how = {}) {
            this.accept();
            this.number = how.number ?? 0;
            this.say(0x41, { playerId, name: "Ada", server: "monkeytown", session: `secret-${++secrets}`, ...how });
        }

        /** The session that the client would go on with is not known: it is another player from now on. */
        welcomeAnew(playerId) {
            this.welcome(playerId, { recovered: false, resumed: null, received: 0, number: 0, gameId: null });
            this.say(0x48, { code: "AUTH-003", message: "The session is not known." });
        }

        /** What the client has sent of a kind since the last time it was asked: bodies of bytes. */
        take(kind) {
            const taken = this.sent.filter((bytes) => bytes[0] === kind).map((bytes) => bytes.subarray(1));
            this.sent = this.sent.filter((bytes) => bytes[0] !== kind);
            return taken;
        }

        takeMaps(kind) {
            return this.take(kind).map((body) => decode(body));
        }

        /** Numbered messages since the last time: number, kind and map. */
        takeNumbered() {
            return this.take(Kind.NUMBERED).map((body) => {
                const reader = new Reader(body);
                return [reader.varint(), reader.u8(), decode(body.subarray(reader.at))];
            });
        }
    }
    const fetch = (url, options) =>
        new Promise((resolve, reject) => {
            options.signal?.addEventListener("abort", () => reject(options.signal.reason));
            posts.push({ url, ...options, resolve, reject });
        });
    return { sockets, posts, WebSocket: FakeSocket, fetch };
}

/** The server's side of a room. */
export class FakeRoom {
    constructor(spec = SPEC) {
        this.spec = spec;
        this.model = new Model(spec, seeded(1));
        if (spec.tables[0].name === "monkeys") this.model.spawn(0, 0, [160, 320, 0]);
        spec.tables.forEach(({ single }, number) => {
            if (single)
                this.model.spawn(
                    number,
                    0,
                    this.model.columns[number].map(() => 0),
                );
        });
        this.model.commit();
    }

    /** Lets a player in, as the document says: schema, players, first state. */
    admit(socket, players = [["p1", "Ada"]], spec = this.spec) {
        socket.say(0x42, spec);
        for (const [id, name] of players) socket.say(0x45, { id, name });
        socket.deliver(this.model.snapshot());
    }

    tick(socket, change = () => {}) {
        change(this.model.tables[0]);
        this.model.commit();
        socket?.deliver(this.model.delta(this.model.tick - 1));
    }
}

/** A client that has been welcomed, on socket 0. */
export async function connected(network, options = {}) {
    const connecting = connect("http://town.example/ws", {
        name: "Ada",
        WebSocket: network.WebSocket,
        fetch: network.fetch,
        ...options,
    });
    network.sockets[0].welcome();
    const client = await connecting;
    return { client, socket: network.sockets[0] };
}

/** A client in a room. */
export async function joined(network, server = new FakeRoom(), options = {}) {
    const { client, socket } = await connected(network, options);
    const joining = client.join("jungle");
    server.admit(socket);
    const room = await joining;
    return { client, socket, room, server };
}

/** Everything that happens under these names, in order. */
export function watch(emitter, ...names) {
    const seen = [];
    for (const name of names) emitter.on(name, (data) => seen.push([name, data]));
    return seen;
}
