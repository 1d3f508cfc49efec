/**
 * What stands around the picture: the leaderboard, the meters, how many bananas the player has.
 *
 * Knows the page's elements and the room's figures. Writes a few times a second, and only what differs.
 */
import { byId, write } from "../shared/dom.js";
import { bytes, Rate } from "../shared/meter.js";
import { Ranking } from "./ranking.js";

const EVERY = 300; // milliseconds between two writings

export class Hud {
    #last = 0;
    #ranking;
    frames = new Rate();

    constructor(room) {
        this.room = room;
        this.#ranking = new Ranking(byId("places"));
    }

    /** Count a frame and write what is due. */
    update(walkers, now) {
        this.frames.add();
        this.frames.settle(now);
        const own = this.#ranking.update(walkers, now);
        if (own !== null) write(byId("bananas"), String(own));
        if (now - this.#last < EVERY) return;
        this.#last = now;
        const { room } = this;
        write(byId("ping"), String(Math.round(room.client.ping)));
        write(byId("fps"), String(Math.round(this.frames.perSecond)));
        write(byId("traffic"), `${bytes(room.stats.bytesPerSecond)}/s`);
        write(byId("state-size"), bytes(room.stats.bytesPerState));
        write(byId("crowd"), String(walkers.length));
    }
}
