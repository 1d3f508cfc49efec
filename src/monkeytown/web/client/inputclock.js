/**
 * In which tick an input that is sent now will take effect: the server's clock, as far ahead as an input needs to get there.
 *
 * Learns from every input of which it is told when the rules have seen it. Knows milliseconds and ticks; nothing of what inputs say.
 */

/** Inputs that are remembered: enough to know, and few enough to notice soon that the connection has become another. */
const MOST = 16;
const FEWEST = 3;
const SECONDS = 4;
/** An input that was seen at some time within so many ticks and more says too little. */
const WIDEST = 8;
/** Milliseconds after which states that came early are forgotten: twice as long at most. */
const MEMORY = 2000;

export class InputClock {
    #perMillisecond;
    #longest;
    /** What each input says of the offset: it is not below `least` and is below `most`. Both in ticks. */
    #said = [];
    /** What states say: no input that is sent when one arrives was seen in it. The most of the last seconds, in two parts. */
    #lead = -Infinity;
    #formerLead = -Infinity;
    #since = 0;
    /** Ticks that the server's clock, when an input arrives, is ahead of the local one, when it is sent. */
    #offset = 0;

    constructor(tickRate) {
        this.#perMillisecond = tickRate / 1000;
        this.#longest = SECONDS * tickRate;
    }

    /** The tick, with a fraction, at which an input of the time `now` arrives. */
    position(now) {
        return now * this.#perMillisecond + this.#offset;
    }

    /** The tick in which it takes effect: the rules look at what has arrived at the beginning of each. */
    tickOf(now) {
        return Math.floor(this.position(now)) + 1;
    }

    /** The state of a tick has arrived. Until inputs tell, what heartbeats took is all that is known of the way. */
    heard(tick, now, ping) {
        const lead = tick - now * this.#perMillisecond;
        if (now - this.#since > MEMORY) {
            this.#formerLead = this.#lead;
            this.#lead = lead;
            this.#since = now;
        }
        this.#lead = Math.max(this.#lead, lead);
        if (this.#said.length === 0) this.#offset = this.#least + ping * this.#perMillisecond;
        else if (lead > this.#offset) this.#review();
    }

    /** The rules have seen an input after the tick `former`, and not later than in `tick`. */
    learn(sentAt, former, tick) {
        if (tick - former > WIDEST) return;
        const sent = sentAt * this.#perMillisecond;
        this.#said.push({ least: former - sent, most: tick - sent, tick });
        while (this.#said.length > MOST || (this.#said.length > FEWEST && tick - this.#said[0].tick > this.#longest)) this.#said.shift();
        this.#review();
    }

    /** Ticks count in another history now. */
    reset() {
        this.#said.length = 0;
        this.#lead = this.#formerLead = -Infinity;
    }

    get #least() {
        return Math.max(this.#lead, this.#formerLead);
    }

    /** On a steady connection there are offsets with which every input was as it was; else half of them were later and half earlier. */
    #review() {
        const least = Math.max(this.#least, ...this.#said.map((said) => said.least));
        const most = Math.min(...this.#said.map((said) => said.most));
        if (least < most) {
            this.#offset = (least + most) / 2;
            return;
        }
        const middles = this.#said.map((said) => (said.least + said.most) / 2).sort((a, b) => a - b);
        this.#offset = Math.max(this.#least, (middles[(middles.length - 1) >> 1] + middles[middles.length >> 1]) / 2);
    }
}
