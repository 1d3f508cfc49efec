/**
 * The panel in which the connection is made worse, to see what prediction does about it.
 *
 * Knows its part of the page and the bad network. Knows nothing of monkeys: whether to predict is asked of it, what came of it told to it.
 */
import { BadNetwork } from "../shared/badnetwork.js";
import { byId, write } from "../shared/dom.js";

const EVERY = 300; // milliseconds between two writings

export class NetworkPanel {
    #network = new BadNetwork();
    #panel = byId("network");
    #toggle = byId("network-toggle");
    #last = 0;

    /** `elsewhere` is what has the keyboard when the panel closes. */
    constructor(elsewhere) {
        this.#slider("latency", "ms", (value) => (this.#network.latency = value));
        this.#slider("jitter", "ms", (value) => (this.#network.jitter = value));
        this.#slider("loss", "%", (value) => (this.#network.loss = value / 100));
        this.#toggle.addEventListener("click", () => this.#show(this.#panel.hidden));
        this.#panel.addEventListener("keydown", (event) => {
            if (event.key !== "Escape") return;
            this.#show(false);
            elsewhere.focus({ preventScroll: true });
        });
    }

    /** The class of connections that are as bad as the panel says. */
    get WebSocket() {
        return this.#network.WebSocket;
    }

    get predicts() {
        return byId("predict").checked;
    }

    /** Write what is due. */
    update({ ahead, corrections }, tickRate, now) {
        if (this.#panel.hidden || now - this.#last < EVERY) return;
        this.#last = now;
        write(byId("ahead"), String(Math.round((ahead / tickRate) * 1000)));
        write(byId("corrections"), String(corrections));
    }

    #show(open) {
        this.#panel.hidden = !open;
        this.#toggle.setAttribute("aria-expanded", String(open));
        if (open) byId("latency").focus();
    }

    #slider(id, unit, change) {
        const input = byId(id);
        const output = this.#panel.querySelector(`output[for="${id}"]`);
        const read = () => {
            write(output, `${input.value} ${unit}`);
            change(Number(input.value));
        };
        input.addEventListener("input", read);
        read();
    }
}
