/** What came in during the last second, in bytes and in states. */

const BUCKETS = 10;
const BUCKET = 100;

export class Meter {
    #bytes = new Float64Array(BUCKETS);
    #states = new Float64Array(BUCKETS);
    #stateBytes = new Float64Array(BUCKETS);
    #bucket = 0;

    count(bytes, isState, now) {
        const place = this.#roll(now);
        this.#bytes[place] += bytes;
        if (!isState) return;
        this.#states[place]++;
        this.#stateBytes[place] += bytes;
    }

    read(now) {
        this.#roll(now);
        const states = sum(this.#states);
        return {
            bytesPerSecond: sum(this.#bytes),
            statesPerSecond: states,
            bytesPerState: states > 0 ? sum(this.#stateBytes) / states : 0,
        };
    }

    /** Empties the buckets of the time since the last call, and returns the place of the current one. */
    #roll(now) {
        const bucket = Math.floor(now / BUCKET);
        for (let old = Math.max(this.#bucket + 1, bucket - BUCKETS + 1); old <= bucket; old++) {
            const place = old % BUCKETS;
            this.#bytes[place] = this.#states[place] = this.#stateBytes[place] = 0;
        }
        this.#bucket = Math.max(this.#bucket, bucket);
        return this.#bucket % BUCKETS;
    }
}

function sum(values) {
    return values.reduce((total, value) => total + value, 0);
}
