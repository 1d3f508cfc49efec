/**
 * Makes a monkey's ticks by the page's step, from inputs that a test has written down: for test_jungle_step.py.
 *
 * Reads JSON from its standard input: where the monkey begins, and for each tick the input in force. Writes the monkey of each tick.
 */
import { text } from "node:stream/consumers";

import { PREDICTED, step } from "../../src/monkeytown/web/jungle/step.js";

const { begin, ticks } = JSON.parse(await text(process.stdin));
const monkey = { ...PREDICTED.hidden, ...begin };
const made = ticks.map(({ tick, wish }) => {
    step(monkey, wish, 1 / 60, tick);
    return Object.fromEntries(PREDICTED.fields.map((name) => [name, monkey[name]]));
});
process.stdout.write(JSON.stringify(made));
