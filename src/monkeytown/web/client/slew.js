/**
 * A clock that is never set: it runs a little fast or slow until it shows what it should.
 *
 * What is drawn by it speeds up or slows down too little to be seen, where one that is set would jump. Knows nothing of what is drawn.
 */

/** By how much it may run fast or slow. */
const SLEW = 0.1;
/** Seconds of error beyond which it jumps instead. */
const JUMP_SECONDS = 0.5;

export class SlewedClock {
    #tickRate;
    #position = 0;
    #at = null;

    constructor(tickRate) {
        this.#tickRate = tickRate;
    }

    /** Where it stands, in ticks with a fraction, at the time `now` (milliseconds), if it should be at `target`. */
    at(now, target) {
        if (this.#at === null) {
            this.#position = target;
            this.#at = now;
            return target;
        }
        const passed = (Math.max(0, now - this.#at) * this.#tickRate) / 1000;
        const error = target - (this.#position + passed);
        if (Math.abs(error) > JUMP_SECONDS * this.#tickRate) this.#position = target;
        else this.#position += passed + Math.max(-SLEW * passed, Math.min(SLEW * passed, error));
        this.#at = Math.max(now, this.#at);
        return this.#position;
    }

    /** Begins anew at whatever is asked for next. */
    reset() {
        this.#at = null;
    }
}
