/**
 * Which moment to draw: a clock in ticks that runs a little behind the newest state, so that there is nearly always a state on both sides.
 *
 * How far behind follows from how states have lately arrived. Knows nothing of what the states hold.
 */

import { SlewedClock } from "./slew.js";

/** Arrivals that are remembered: about a second of them at 60 Hz. */
const ARRIVALS = 64;
/** How often the delay is worked out anew, in arrivals. */
const REVIEW = 8;
/** Of the arrivals, how many may be too late for the moment drawn. */
const TOLERATED = 0.05;
/** The delay in ticks is never less than this, nor in seconds more than that. */
const LEAST_DELAY = 2;
const MOST_SECONDS = 0.4;
/** A pause of more seconds is a room at rest, not a slow connection. */
const REST_SECONDS = 0.2;

export class Playback {
    #tickRate;
    #perMillisecond;
    /** For each arrival, how far its tick was ahead of the local clock, both in ticks: the largest came with the least delay. */
    #leads = new Float64Array(ARRIVALS);
    #gaps = new Float64Array(ARRIVALS);
    #sorted = new Float64Array(ARRIVALS);
    #count = 0;
    #newest = 0;
    #lead = 0;
    #delay = LEAST_DELAY;
    #clock;

    constructor(tickRate) {
        this.#tickRate = tickRate;
        this.#clock = new SlewedClock(tickRate);
        this.#perMillisecond = tickRate / 1000;
    }

    /** Ticks that the drawing is behind the newest state. */
    get delay() {
        return this.#delay;
    }

    /** A state of `tick` has arrived at the time `now`, in milliseconds. */
    heard(tick, now) {
        const place = this.#count % ARRIVALS;
        this.#leads[place] = tick - now * this.#perMillisecond;
        const gap = tick - this.#newest;
        this.#gaps[place] = this.#count > 0 && gap <= REST_SECONDS * this.#tickRate ? gap : 1;
        this.#newest = tick;
        this.#count++;
        if (this.#count % REVIEW === 0 || this.#count < REVIEW) this.#review();
    }

    /** Forgets all: ticks count in another history now. */
    reset() {
        this.#count = 0;
        this.#delay = LEAST_DELAY;
        this.#clock.reset();
    }

    /** The tick, with a fraction, to draw at the time `now`. */
    tickAt(now) {
        if (this.#tickRate === 0 || this.#count === 0) return this.#newest;
        return this.#clock.at(now, now * this.#perMillisecond + this.#lead - this.#delay);
    }

    #review() {
        const count = Math.min(this.#count, ARRIVALS);
        const sorted = this.#sorted.subarray(0, count);
        sorted.set(this.#leads.subarray(0, count));
        sorted.sort();
        this.#lead = sorted[count - 1];
        const late = this.#lead - sorted[Math.floor(count * TOLERATED)];
        sorted.set(this.#gaps.subarray(0, count));
        sorted.sort();
        const interval = sorted[count >> 1];
        // The state after the moment drawn must be here: it is up to `interval` ahead, may come `late`, and one tick is to spare.
        this.#delay = Math.min(Math.max(LEAST_DELAY, interval + late + 1), Math.max(LEAST_DELAY, MOST_SECONDS * this.#tickRate));
    }
}
