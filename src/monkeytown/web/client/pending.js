/**
 * Inputs on their way: which one is in force in a tick, until the rules have said so themselves.
 *
 * An input is in force from the tick in which it takes effect until the next one does. Knows numbers and ticks; nothing of clocks and of
 * what inputs say.
 */

/** Inputs that are kept: two seconds of them at sixty a second. */
const MOST = 128;

export class PendingInputs {
    #patience;
    #rest;
    #newest = 0;
    #seen = 0;
    #settled = -Infinity;
    /** In order of their numbers, and so of their ticks. The first is mostly the one in force as of the newest state. */
    #inputs = [];

    /**
     * @param patience ticks after which an input that the rules should have seen, and have not, is taken for lost: servers drop what is too
     *   much, and what was under way when a connection broke
     * @param rest what is in force before there is any
     */
    constructor(patience, rest) {
        this.#patience = patience;
        this.#rest = rest;
    }

    /** How many the rules have not seen, and may yet. */
    get unseen() {
        return this.#inputs.filter(({ isSeen, isLost }) => !isSeen && !isLost).length;
    }

    /** An input has been sent, and is expected to take effect in `tick`. Returns that tick: it does not overtake others. */
    add(number, fields, sentAt, tick) {
        if (number <= this.#newest) this.clear();
        this.#newest = number;
        const due = Math.max(tick, this.#inputs.at(-1)?.tick ?? 0, this.#settled + 1);
        this.#inputs.push({ number, fields, sentAt, tick: due, due, isSeen: false, isLost: false });
        if (this.#inputs.length > MOST) this.#inputs.shift();
        return due;
    }

    /**
     * The rules have seen all up to `number`: after the tick `former`, and not later than in `tick`; null if that is not known.
     * Returns the inputs of which this is news.
     */
    see(number, former, tick) {
        if (number < this.#seen) this.clear();
        this.#seen = number;
        const news = this.#inputs.filter((input) => !input.isSeen && input.number <= number);
        for (const input of news) {
            input.isSeen = true;
            input.isLost = false; // it was only late
            if (former !== null) input.tick = Math.max(former + 1, Math.min(tick, input.tick));
        }
        return news;
    }

    /** As of the state of `tick` the rules have not seen the rest: it takes effect later, or never. */
    defer(tick) {
        for (const input of this.#inputs) {
            if (input.isSeen) continue;
            input.tick = Math.max(input.tick, tick + 1);
            input.isLost = tick - input.due >= this.#patience;
        }
    }

    /** Nobody asks for the ticks up to this one any more. */
    settle(tick) {
        this.#settled = tick;
        const inForce = this.#inputs.findLastIndex((input) => input.tick <= tick);
        if (inForce > 0) this.#inputs.splice(0, inForce);
    }

    /** What the input in force in a tick says. */
    at(tick) {
        return this.#inputs.findLast((input) => input.tick <= tick && !input.isLost)?.fields ?? this.#rest;
    }

    /** Ticks count in another history now, but of the same room: what this player does, it goes on doing. */
    begin() {
        const inForce = this.#inputs.at(-1);
        this.clear();
        if (inForce === undefined) return;
        this.#newest = inForce.number;
        this.#inputs.push({ ...inForce, tick: -Infinity, due: -Infinity, isSeen: true, isLost: false });
    }

    /** Ticks or numbers count in another history now. */
    clear() {
        this.#inputs.length = 0;
        this.#newest = this.#seen = 0;
        this.#settled = -Infinity;
    }
}
