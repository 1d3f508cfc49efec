/**
 * Who has the most bananas: a list of the first few, and the player's own place.
 *
 * Knows walkers and a list on the page. Writes a few times a second, and only what differs.
 */
import { element, write } from "../shared/dom.js";

const EVERY = 300; // milliseconds between two writings
const PLACES = 8;

export class Ranking {
    #last = 0;
    #places = [];

    constructor(list) {
        for (let place = 0; place < PLACES + 1; place++) {
            const name = element("span", { class: "who" });
            const count = element("span", { class: "number" });
            const rank = element("span", { class: "rank number" });
            const line = element("li", { hidden: true }, rank, name, count);
            list.append(line);
            this.#places.push({ line, name, count, rank });
        }
    }

    /** Writes what is due. Returns the bananas of the player's own monkey if it did and there is one. */
    update(walkers, now) {
        if (now - this.#last < EVERY) return null;
        this.#last = now;
        const ranked = [...walkers].sort((one, other) => other.bananas - one.bananas || one.id - other.id);
        const own = ranked.findIndex((walker) => walker.own);
        this.#places.forEach((place, index) => {
            // the last line is the player's own, when it is not among the first
            const at = index < PLACES ? index : own;
            const walker = index < PLACES || own >= PLACES ? ranked[at] : undefined;
            place.line.hidden = !walker;
            if (!walker) return;
            write(place.rank, String(at + 1));
            write(place.name, walker.name);
            write(place.count, String(walker.bananas));
            place.line.classList.toggle("own", walker.own);
        });
        return own < 0 ? null : ranked[own].bananas;
    }
}
