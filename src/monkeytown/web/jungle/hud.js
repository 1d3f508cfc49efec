/**
 * What stands around the picture: the leaderboard, the meters, how many bananas the player has.
 *
 * Knows the page's elements and the room's figures. Writes a few times a second, and only what differs.
 */
import { byId, element, write } from "../shared/dom.js";
import { bytes, Rate } from "../shared/meter.js";

const EVERY = 300; // milliseconds between two writings
const PLACES = 8;

export class Hud {
    #last = 0;
    #places = [];
    frames = new Rate();

    constructor(room) {
        this.room = room;
        this.list = byId("places");
        for (let place = 0; place < PLACES + 1; place++) {
            const name = element("span", { class: "who" });
            const count = element("span", { class: "number" });
            const rank = element("span", { class: "rank number" });
            const line = element("li", { hidden: true }, rank, name, count);
            this.list.append(line);
            this.#places.push({ line, name, count, rank });
        }
    }

    /** Count a frame and write what is due. */
    update(walkers, now) {
        this.frames.add();
        this.frames.settle(now);
        if (now - this.#last < EVERY) return;
        this.#last = now;
        const { room } = this;
        write(byId("ping"), String(Math.round(room.client.ping)));
        write(byId("fps"), String(Math.round(this.frames.perSecond)));
        write(byId("traffic"), `${bytes(room.stats.bytesPerSecond)}/s`);
        write(byId("state-size"), bytes(room.stats.bytesPerState));
        write(byId("crowd"), String(walkers.length));
        this.#rank(walkers);
    }

    #rank(walkers) {
        const ranked = [...walkers].sort((one, other) => other.bananas - one.bananas || one.id - other.id);
        const own = ranked.findIndex((walker) => walker.own);
        if (own >= 0) write(byId("bananas"), String(ranked[own].bananas));
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
    }
}
