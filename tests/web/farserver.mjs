/** A server that is far away, for tests of what hides that: its rules, its clock, and the way to it. */

import { mock } from "node:test";

import { varint } from "./encoder.mjs";
import { FakeRoom, fakeNetwork, joined, settle } from "./server.mjs";
import { field, schema, table } from "./schemas.mjs";

export const RATE = 60;
export const TICK = 1000 / RATE;
export const STEP = 1 / 16;
export const OWN = 2 ** 20; // generation 1, slot 0
const INPUT = {
    name: "Push",
    hash: 0x1234,
    fields: [field("push", "fixed", { lo: -1, hi: 1, step: 1 / 127, bits: 8 }), field("brake", "bool")],
};
const SPEC = schema(
    [table("balls", [field("x", "fixed", { predict: "linear" }), field("heading", "angle"), field("stuck", "bool")])],
    { input: INPUT },
);

/** The rules of these tests: a ball that is pushed. `speed` is not on the wire. */
export function roll(ball, { push, brake }, dt, tick) {
    ball.heading += push * 0.2;
    ball.speed = ball.stuck ? 0 : Math.max(-6, Math.min(6, ball.speed * (brake ? 0.5 : 0.98) + push * (tick % 3 === 0 ? 1.5 : 0)));
    ball.x = Math.max(0, Math.min(2048, ball.x + ball.speed));
}

export const PREDICT = { fields: ["x", "heading", "stuck"], hidden: { speed: 0 } };
export const wireX = (x) => Math.round(x / STEP);
export const wireHeading = (heading) => ((Math.round((heading * 256) / (2 * Math.PI)) % 256) + 256) % 256;

/**
 * A server that makes ticks by the same rules, as far away as `delay()` milliseconds each way, its messages in order; and time, which passes only here.
 */
export class World {
    now = 1000;
    #due = [];
    #order = 0;
    #last = { up: 0, down: 0 };
    arrived = [];
    seen = 0;
    wish = { push: 0, brake: false };
    ball = { x: 1000, heading: 1, stuck: false, speed: 0 };
    isAway = false;
    isSending = () => true;
    isLost = () => false;

    constructor(delay, { phase = 0.3 } = {}) {
        this.delay = delay;
        this.phase = phase;
        mock.method(performance, "now", () => this.now);
        mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    }

    async join() {
        this.server = new FakeRoom({ ...SPEC });
        this.model = this.server.model;
        this.model.spawn(0, 0, [wireX(this.ball.x), wireHeading(this.ball.heading), 0]);
        this.model.commit();
        this.base = this.model.tick;
        this.network = fakeNetwork();
        const { client, socket, room } = await joined(this.network, this.server);
        Object.assign(this, { client, socket, room });
        socket.deliver(this.model.private({ entity: { table: 0, id: OWN } }));
        socket.sent.length = 0;
        Object.defineProperty(client, "ping", { value: 2 * this.delay() });
        this.prediction = room.predict(roll, PREDICT);
        this.at(this.now + TICK * this.phase, () => this.#tick());
        return this;
    }

    at(time, what) {
        this.#due.push({ time, order: this.#order++, what });
        this.#due.sort((a, b) => a.time - b.time || a.order - b.order);
    }

    /** Something is on its way, behind whatever is already. */
    #carry(way, what) {
        const time = Math.max(this.#last[way], this.now + this.delay());
        this.#last[way] = time;
        this.at(time, what);
    }

    #tick() {
        this.at(this.now + TICK, () => this.#tick());
        for (const { number, fields } of this.arrived.splice(0)) {
            this.seen = number;
            this.wish = fields;
        }
        roll(this.ball, this.wish, 1 / RATE, this.model.tick + 1);
        Object.assign(this.model.tables[0].get(0).values, [wireX(this.ball.x), wireHeading(this.ball.heading), Number(this.ball.stuck)]);
        this.model.commit();
        this.model.past.delete(this.model.tick - 400);
        if (this.isAway || !this.isSending(this.model.tick)) return;
        const state = this.model.delta(this.base);
        this.base = this.model.tick;
        const told = this.model.private({ input: this.seen });
        const { socket } = this;
        this.#carry("down", () => {
            if (socket !== this.socket || this.isAway) return;
            socket.deliver(state);
            socket.deliver(told);
        });
    }

    /** The player does something. */
    send(fields) {
        const number = this.room.input(fields);
        const sent = this.socket.take(0x04);
        if (number === 0 || this.isLost(number)) return;
        const [body] = sent;
        const at = 2 + varint(number).length + varint(this.room.tick).length;
        const push = -1 + body[at] * (1 / 127);
        const brake = (body[at + 1] & 1) === 1;
        const { socket } = this;
        this.#carry("up", () => socket === this.socket && !this.isAway && this.arrived.push({ number, fields: { push, brake } }));
    }

    /** Lets time pass; every `each` milliseconds a frame is drawn. */
    async pass(milliseconds, frame = () => {}, each = TICK) {
        const until = this.now + milliseconds;
        for (let next = this.now + each; next <= until; next += each) {
            while (this.#due[0]?.time <= next) {
                const { time, what } = this.#due.shift();
                this.now = Math.max(this.now, time);
                what();
            }
            this.now = next;
            frame(this.prediction.sample(next));
        }
        await settle();
    }

    /** The connection is lost, and the client comes back: to a room that has forgotten it, or to its seat. */
    async loseConnection(milliseconds, { isKept = false } = {}) {
        this.socket.drop();
        this.arrived.length = 0;
        this.isAway = true;
        if (!isKept) Object.assign(this, { seen: 0, wish: { push: 0, brake: false } });
        await this.pass(milliseconds);
        mock.timers.tick(1000);
        await settle();
        this.socket = this.network.sockets.at(-1);
        if (isKept) this.#resume();
        else this.#admitAnew();
        this.socket.sent.length = 0;
        this.isAway = false;
    }

    #resume() {
        this.socket.welcome("p1", { recovered: true, resumed: "delta", received: 0, number: 1, gameId: SPEC.gameId });
        this.base = this.room.tick;
    }

    #admitAnew() {
        this.socket.welcomeAnew("p2");
        this.server.admit(this.socket);
        this.socket.deliver(this.model.private({ entity: { table: 0, id: OWN } }));
        this.base = this.model.tick;
    }

    release() {
        mock.timers.reset();
        mock.restoreAll();
    }
}
