import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { BadNetwork } from "../../src/monkeytown/web/shared/badnetwork.js";
import { seeded } from "./encoder.mjs";
import { fakeNetwork, stopClock } from "./server.mjs";

describe("a bad network", () => {
    let clock = null;
    let network = null;
    let socket = null;
    let real = null;
    let heard = [];
    const numbers = () => heard.map(({ number }) => number);
    const say = (number) => real.onmessage({ data: number });
    beforeEach(() => {
        clock = stopClock();
        const { sockets, WebSocket } = fakeNetwork();
        network = new BadNetwork({ Socket: WebSocket, random: seeded(1).next });
        socket = new network.WebSocket("ws://town.example/ws", ["monkeytown.1"]);
        [real] = sockets;
        heard = [];
        socket.onmessage = ({ data }) => heard.push({ number: data, at: performance.now() });
        socket.onopen = () => heard.push({ number: "open" });
        socket.onclose = ({ code }) => heard.push({ number: `closed ${code}` });
        real.accept();
    });
    afterEach(() => clock.release());

    test("that is not bad is none", () => {
        socket.binaryType = "arraybuffer";
        assert.deepEqual([real.url, real.protocols, real.binaryType], ["ws://town.example/ws", ["monkeytown.1"], "arraybuffer"]);
        say(1);
        socket.send(Uint8Array.of(7));
        assert.deepEqual(numbers(), ["open", 1]);
        assert.deepEqual(real.sent, [Uint8Array.of(7)]);
        assert.deepEqual([socket.readyState, socket.protocol, socket.bufferedAmount], [1, "monkeytown.1", 0]);
    });

    test("takes its time, half of it each way", async () => {
        network.latency = 200;
        const bytes = Uint8Array.of(7);
        socket.send(bytes);
        bytes[0] = 8;
        say(1);
        await clock.pass(90);
        assert.deepEqual([numbers(), real.sent], [["open"], []]);
        await clock.pass(20);
        assert.deepEqual([numbers(), real.sent], [["open", 1], [Uint8Array.of(7)]]);
    });

    test("keeps the order, and loses nothing", async () => {
        Object.assign(network, { latency: 100, jitter: 80, loss: 0.1 });
        const sent = Array.from({ length: 300 }, (_, i) => i);
        for (const number of sent) {
            say(number);
            await clock.pass(10);
        }
        network.latency = network.jitter = network.loss = 0; // what comes now does not overtake
        say(300);
        await clock.pass(1000);
        assert.deepEqual(numbers().slice(1), [...sent, 300]);
    });

    test("holds up what is behind a loss", async () => {
        network.latency = 100;
        network.loss = 1;
        say(1);
        network.loss = 0;
        await clock.pass(10);
        say(2);
        await clock.pass(180);
        assert.deepEqual(numbers(), ["open"]);
        await clock.pass(20);
        assert.deepEqual(numbers(), ["open", 1, 2]);
    });

    test("tells of the end after everything else, and sends the last words before it", async () => {
        network.latency = 100;
        say(1);
        socket.send(Uint8Array.of(9));
        socket.close(1000, "bye");
        assert.deepEqual([real.sent.length, real.closed], [1, { code: 1000, reason: "bye" }]);
        socket.send(Uint8Array.of(10));
        real.drop(1000);
        assert.deepEqual(numbers(), ["open"]);
        await clock.pass(100);
        assert.deepEqual(numbers(), ["open", 1, "closed 1000"]);
        assert.equal(real.sent.length, 1);
    });
});
