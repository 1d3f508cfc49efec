/**
 * Rates over the last moments, and a small drawing of them.
 *
 * Knows time and a canvas. What is being counted is the caller's business.
 */

/** Counts things and tells how many a second there were, measured over about a second. */
export class Rate {
    #since = performance.now();
    #sum = 0;
    perSecond = 0;

    add(amount = 1) {
        this.#sum += amount;
    }

    /** Close the measurement if it is long enough; call as often as you like. */
    settle(now = performance.now(), window = 1000) {
        const elapsed = now - this.#since;
        if (elapsed < window) return;
        this.perSecond = (this.#sum * 1000) / elapsed;
        this.#sum = 0;
        this.#since = now;
    }
}

/** The last values in a ring, drawn as bars. */
export class Sparkline {
    #values;
    #next = 0;
    #canvas;

    constructor(canvas, length = 90) {
        this.#canvas = canvas;
        this.#values = new Float32Array(length);
    }

    push(value) {
        this.#values[this.#next] = value;
        this.#next = (this.#next + 1) % this.#values.length;
    }

    draw() {
        const { width, height, context } = fitCanvas(this.#canvas);
        const values = this.#values;
        const most = Math.max(1, ...values);
        const bar = width / values.length;
        context.clearRect(0, 0, width, height);
        context.fillStyle = getComputedStyle(this.#canvas).color;
        for (let place = 0; place < values.length; place++) {
            const value = values[(this.#next + place) % values.length];
            const tall = value > 0 ? Math.max(1, (value / most) * height) : 0;
            context.fillRect(place * bar, height - tall, Math.max(1, bar - 1), tall);
        }
    }
}

/**
 * Give a canvas as many pixels as the screen shows of it and return its context in CSS units. Above `finest` pixels a
 * unit the eye gains nothing and a machine without a GPU loses much.
 */
export function fitCanvas(canvas, finest = 2) {
    const scale = Math.min(devicePixelRatio || 1, finest);
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const across = Math.round(width * scale);
    const down = Math.round(height * scale);
    if (canvas.width !== across || canvas.height !== down) {
        canvas.width = across;
        canvas.height = down;
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    return { width, height, scale, context };
}

/** 1234567 as "1.2 MB": short, for meters. */
export function bytes(count) {
    if (count < 1000) return `${Math.round(count)} B`;
    if (count < 1e6) return `${(count / 1000).toFixed(count < 1e4 ? 1 : 0)} kB`;
    return `${(count / 1e6).toFixed(1)} MB`;
}
