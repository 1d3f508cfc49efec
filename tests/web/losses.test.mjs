/** Clients on a network that loses: whatever is cut, and wherever, both sides hear each message of the other once and in order. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { connect } from "../../src/monkeytown/web/monkeytown.js";
import { Kind } from "../../src/monkeytown/web/client/wire.js";
import { seeded } from "./encoder.mjs";
import { SPEC, stopClock } from "./server.mjs";
import { Town } from "./town.mjs";

const TRIALS = 100;
/** The same room, but actions are maps. */
const BY_MAPS = { ...SPEC, input: null };

let clock;

beforeEach(() => (clock = stopClock()));
afterEach(() => clock.release());

/** Lets time pass until something holds. */
async function until(holds, what, most = 60_000) {
    for (let passed = 0; passed < most; passed += 10) {
        if (holds()) return;
        await clock.pass(10);
    }
    assert.fail(`${what}, in a minute`);
}

async function enter(town, options = {}) {
    mock.method(Math, "random", town.random.next);
    const connecting = connect("http://town.example/ws", town.options(options));
    await until(() => town.players.length > 0, "connected");
    await clock.pass(300);
    const client = await connecting;
    const joining = client.join("jungle");
    await clock.pass(300);
    return { client, room: await joining };
}

/** What a client says and hears. */
class Diary {
    said = [];
    heard = [];
    lost = 0;
    returns = [];
    players = new Map();
    wrong = [];

    constructor({ client, room }) {
        Object.assign(this, { client, room });
        for (const [id, { name }] of room.players) this.players.set(id, name);
        room.on("gong", (data) => this.heard.push(data));
        client.on("reconnected", (how) => {
            this.returns.push(how);
            this.lost += how.lost;
        });
        client.on("error", ({ code }) => this.wrong.push(code));
        room.on("playerJoined", ({ id, name }) => {
            if (this.players.has(id)) this.wrong.push(`${id} is here already`);
            this.players.set(id, name);
        });
        room.on("playerLeft", ({ id }) => {
            if (!this.players.delete(id)) this.wrong.push(`${id} was not here`);
        });
    }

    say(random) {
        const text = `said ${this.said.length}`;
        const isTaken = random.chance(0.5) || this.room.schema.input ? this.room.chat(text) : this.room.input({ place: text });
        if (isTaken) this.said.push(text);
    }
}

/** One moment of trouble. */
function disturb(town, random) {
    const links = town.links.filter(({ isOver }) => !isOver);
    const die = random.below(100);
    if (die < 15 && links.length > 0) links[random.below(links.length)].drop();
    else if (die === 20) town.isDown = !town.isDown;
    else if (die === 21) town.isBlocked = !town.isBlocked;
    else if (die === 22) town.isSwallowed = !town.isSwallowed;
    else if (die === 23) town.lost = random.chance(0.5) ? 0 : random.next() / 2;
    else if (die === 24) town.isDown = town.isBlocked = town.isSwallowed = false;
}

function live(town, random, guests) {
    if (random.chance(0.1)) town.tick((rows) => (rows.get(0).values[0] = random.below(30_000)));
    if (random.chance(0.02) && guests.length < 4) guests.push(town.enter(`guest ${random.below(1000)}`));
    else if (random.chance(0.02) && guests.length > 0) town.leave(guests.splice(random.below(guests.length), 1)[0]);
}

/** Trouble for some seconds, with something more at each moment, and then none. Returns when all is still. */
async function trouble(town, random, diary, more = () => {}) {
    const sent = [];
    const guests = [];
    for (let moment = 0; moment < 150; moment++) {
        disturb(town, random);
        live(town, random, guests);
        if (random.chance(0.15)) diary.say(random);
        const player = town.players.find(({ id }) => id === diary.client.id);
        if (random.chance(0.1) && player?.isIn) {
            sent.push(sent.length);
            player.say(Kind.GAME_EVENT, { event: "gong", data: sent.at(-1) });
        }
        more(player, guests);
        // A link is cut at any moment of a message's way.
        await clock.pass(10 * (1 + random.below(10)));
    }
    town.isDown = town.isBlocked = town.isSwallowed = false;
    town.lost = 0;
    await still(town, diary);
    return { sent, player: town.players.find(({ id }) => id === diary.client.id) };
}

async function still(town, diary) {
    // Twice: what seems open may be a poll whose refusal is on its way.
    for (let i = 0; i < 2; i++) {
        await until(() => diary.client.state === "open", "open");
        await clock.pass(2000);
    }
    town.tick();
    await clock.pass(1000);
}

function assertSame(town, { room, players, wrong }) {
    assert.deepEqual([town.violations, wrong], [[], []]);
    const names = new Map(town.everybody().map(({ id, name }) => [id, name]));
    assert.deepEqual(new Map([...room.players].map(([id, { name }]) => [id, name])), names);
    assert.deepEqual(players, names);
    assert.equal(room.tick, town.model.tick);
    assert.equal(room.tables.monkeys.columns.x.wire[0], town.model.tables[0].get(0).values[0]);
}

const WAYS = { "either way": ["websocket", "polling"], WebSockets: ["websocket"], polls: ["polling"] };

describe("on a network that loses", () => {
    for (const [name, transports] of Object.entries(WAYS)) {
        test(`a session goes on by ${name}`, async () => {
            const seen = { returns: 0, said: 0, heard: 0, moved: 0 };
            for (let seed = 0; seed < TRIALS / (transports.length === 2 ? 1 : 2); seed++) {
                const random = seeded(seed);
                const town = new Town({ seed, latency: 10 * (1 + random.below(12)), spec: BY_MAPS });
                const diary = new Diary(await enter(town, { transports }));
                const { sent, player } = await trouble(town, random, diary);
                assert.deepEqual(player.taken, diary.said, `seed ${seed}`);
                assert.deepEqual(diary.heard, sent, `seed ${seed}`);
                assert.deepEqual([diary.client.id, diary.lost], ["p1", 0]);
                assert.ok(diary.returns.every(({ resumed, recovered }) => resumed === "delta" && recovered));
                assertSame(town, diary);
                seen.returns += diary.returns.length;
                seen.said += diary.said.length;
                seen.heard += sent.length;
                if (diary.client.transport === "polling") seen.moved++;
                diary.client.close();
                await clock.pass(1000);
            }
            assert.ok(seen.returns > 50 && seen.said > 500 && seen.heard > 300, JSON.stringify(seen));
        });
    }

    test("packed inputs are counted on", async () => {
        for (let seed = 0; seed < 20; seed++) {
            const random = seeded(seed);
            const town = new Town({ seed });
            const diary = new Diary(await enter(town));
            const numbers = [];
            diary.room.on("state", () => numbers.push(diary.room.input({ turn: random.next() })));
            const { player } = await trouble(town, random, diary);
            const sent = numbers.filter((number) => number > 0);
            assert.deepEqual(sent, [...sent.keys()].map((number) => number + 1));
            assert.ok(player.inputs.length > 0 && player.inputs.at(-1) <= sent.length);
            assertSame(town, diary);
            diary.client.close();
            await clock.pass(1000);
        }
    });

    test("what the server does not keep is lost for good, and told; the rest goes on", async () => {
        const seen = { lost: 0, snapshots: 0 };
        for (let seed = 0; seed < TRIALS / 4; seed++) {
            const random = seeded(2000 + seed);
            const town = new Town({ seed, latency: 10 * (1 + random.below(12)), spec: BY_MAPS });
            const diary = new Diary(await enter(town));
            const { sent, player } = await trouble(town, random, diary, (player) => {
                if (random.chance(0.02)) player.forgotten = player.number;
                if (random.chance(0.1)) town.model.past = new Map([[town.model.tick, town.model.past.get(town.model.tick)]]);
            });
            assert.deepEqual(player.taken, diary.said, `seed ${seed}`);
            assert.deepEqual(diary.heard, sent.filter((data) => diary.heard.includes(data)), `seed ${seed}`);
            if (diary.returns.every(({ recovered }) => recovered)) assert.deepEqual(diary.heard, sent);
            assertSame(town, diary);
            seen.lost += diary.returns.filter(({ recovered }) => !recovered).length;
            seen.snapshots += diary.returns.filter(({ resumed, recovered }) => resumed === "snapshot" && recovered).length;
            diary.client.close();
            await clock.pass(1000);
        }
        assert.ok(seen.lost > 5 && seen.snapshots > 5, JSON.stringify(seen));
    });

    test("rooms are left and joined as the client says, whenever it says so", async () => {
        for (let seed = 0; seed < TRIALS / 2; seed++) {
            const random = seeded(3000 + seed);
            const town = new Town({ seed, latency: 10 * (1 + random.below(12)), spec: BY_MAPS });
            const diary = new Diary(await enter(town));
            const { client } = diary;
            let isJoining = false;
            await trouble(town, random, diary, () => {
                if (random.chance(0.1)) client.room?.leave();
                if (client.state !== "open" || client.room !== null || isJoining || random.chance(0.5)) return;
                isJoining = true;
                client
                    .join("jungle")
                    .catch(() => {})
                    .finally(() => (isJoining = false));
            });
            await until(() => !isJoining, "joined");
            assert.deepEqual([town.violations, diary.wrong.filter((code) => code.startsWith?.("GAME"))], [[], []], `seed ${seed}`);
            const { isIn } = town.players.find(({ id }) => id === client.id);
            assert.equal(isIn, client.room !== null, `seed ${seed}`);
            if (!isIn) await Promise.all([client.join("jungle"), clock.pass(2000)]);
            assert.equal(client.room.tick, town.model.tick);
            client.close();
            await clock.pass(1000);
        }
    });

    test("sessions that the server forgets take what did not arrive with them, and say how much", async () => {
        let news = 0;
        for (let seed = 0; seed < TRIALS / 4; seed++) {
            const random = seeded(1000 + seed);
            const town = new Town({ seed, latency: 10 * (1 + random.below(12)), spec: BY_MAPS });
            const sessions = [];
            const forget = town.forget.bind(town);
            town.forget = () => {
                sessions.push(...town.players.filter(({ name }) => name === "Ada"));
                forget();
            };
            const diary = new Diary(await enter(town));
            await trouble(town, random, diary, (_, guests) => {
                if (!random.chance(0.01)) return;
                town.forget();
                guests.length = 0;
            });
            const taken = [...sessions, ...town.players].flatMap((player) => (player.name === "Ada" ? player.taken : []));
            const places = taken.map((text) => diary.said.indexOf(text));
            assert.deepEqual(places, [...new Set(places)].sort((a, b) => a - b), `seed ${seed}: once, and in order`);
            assert.ok(taken.length <= diary.said.length && taken.length >= diary.said.length - diary.lost, `seed ${seed}`);
            assertSame(town, diary);
            news += diary.returns.filter(({ recovered }) => !recovered).length;
            diary.client.close();
            await clock.pass(1000);
        }
        assert.ok(news > 20, `${news} new sessions`);
    });
});
