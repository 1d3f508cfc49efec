/**
 * Jungle in its own look, for a recording of it: the scene, the leaderboard, the map, the winners of rounds.
 *
 * Knows Jungle's drawing code and a replay. The camera follows whoever was pressed last, or else whoever has the most bananas.
 */
import { byId, element } from "../shared/dom.js";
import { Minimap } from "../jungle/minimap.js";
import { Ranking } from "../jungle/ranking.js";
import { Scene } from "../jungle/scene.js";
import { Troop } from "../jungle/troop.js";

const FIELDS = {
    monkeys: ["x", "y", "heading", "running", "stunned", "breath", "bananas", "hue", "name"],
    bananas: ["x", "y"],
};
const ROUND_SHOWN = 7; // seconds of the game
const LEADER_FOR = 4000; // milliseconds that the camera stays with one leader at least
const LONGEST_FRAME = 0.1; // seconds

/** Whether a recording is of the Jungle that this can draw. */
export function isJungle(replay) {
    return (
        replay.game === "jungle" &&
        Object.entries(FIELDS).every(([name, fields]) => fields.every((field) => replay.tables[name]?.columns[field]))
    );
}

export class JunglePicture {
    #replay;
    #scene;
    #troop;
    #minimap = new Minimap(byId("minimap"));
    #ranking = new Ranking(byId("places"));
    #last = null;
    #time = 0;
    #followed = 0;
    #leader = { id: 0, since: -Infinity };
    #round = { until: -Infinity, from: 0 };
    walkers = [];

    constructor(replay) {
        const canvas = byId("arena");
        byId("stage").hidden = false;
        this.#replay = replay;
        const { fields } = replay.tables.monkeys;
        const size = (name) => fields.find((field) => field.name === name).hi;
        this.#scene = new Scene(canvas, { width: size("x"), height: size("y") });
        this.#troop = new Troop(replay, {
            collected: (walker) => replay.isSeeking || this.#scene.effects?.collected(walker.x, walker.y, ""),
            bumped: (walker) => replay.isSeeking || this.#scene.effects?.bumped(walker.x, walker.y),
        });
        replay.on("round", ({ best }) => this.#announce(best));
        replay.on("seek", () => this.#recall());
        canvas.addEventListener("pointerdown", (event) => this.#choose(event));
        new ResizeObserver(() => this.#scene.resized()).observe(canvas);
    }

    /** Draws one frame. */
    draw(now) {
        const elapsed = Math.min(LONGEST_FRAME, (now - (this.#last ?? now)) / 1000);
        this.#last = now;
        const moving = this.#replay.playing ? elapsed : 0;
        this.#time += moving;
        const walkers = (this.walkers = this.#troop.walkers(now));
        const followed = this.#follow(walkers, now);
        for (const walker of walkers) walker.own = walker === followed && walker.id === this.#followed;
        const { columns, slots } = this.#replay.tables.bananas;
        const bananas = { x: columns.x.values, y: columns.y.values, slots };
        const target = followed ?? { x: this.#scene.world.width / 2, y: this.#scene.world.height / 2 };
        this.#scene.draw(walkers, bananas, target, elapsed, this.#time);
        this.#minimap.draw(this.#scene.ground, walkers, bananas, this.#scene.camera, now);
        this.#ranking.update(walkers, now);
        const { seconds } = this.#replay;
        byId("round").hidden = seconds > this.#round.until || seconds < this.#round.from;
    }

    #follow(walkers, now) {
        const chosen = walkers.find(({ id }) => id === this.#followed);
        if (chosen) return chosen;
        let leader = walkers.find(({ id }) => id === this.#leader.id);
        if (leader && now - this.#leader.since < LEADER_FOR) return leader;
        leader = walkers.reduce((best, walker) => (best === null || walker.bananas > best.bananas ? walker : best), null);
        if (leader) this.#leader = { id: leader.id, since: now };
        return leader;
    }

    /** Follows the monkey nearest to where the picture was pressed; nobody in particular, if it was that one. */
    #choose({ offsetX, offsetY, currentTarget }) {
        const { camera } = this.#scene;
        const density = currentTarget.width / currentTarget.clientWidth;
        const far = ({ x, y }) => Math.hypot(camera.screenX(x) - offsetX * density, camera.screenY(y) - offsetY * density);
        const nearest = this.walkers.reduce((best, walker) => (best === null || far(walker) < far(best) ? walker : best), null);
        this.#followed = nearest === null || nearest.id === this.#followed ? 0 : nearest.id;
    }

    #announce(best) {
        const { seconds } = this.#replay;
        this.#round = { from: seconds - 1, until: seconds + ROUND_SHOWN };
        byId("winners").replaceChildren(
            ...best.map(({ name, bananas }) => element("li", {}, element("b", { text: name }), ` ${bananas}`)),
        );
    }

    /** Brought to another moment: a round may just have been won there. */
    async #recall() {
        this.#round = { from: 0, until: -Infinity };
        const { seconds } = this.#replay;
        const before = await this.#replay.history(seconds - ROUND_SHOWN).catch(() => []);
        const won = before.findLast(
            (told) => told.kind === "game_event" && told.about.event === "round" && told.seconds > seconds - ROUND_SHOWN,
        );
        if (won === undefined || this.#replay.seconds < won.seconds) return;
        this.#announce(won.about.data.best);
        this.#round = { from: won.seconds, until: won.seconds + ROUND_SHOWN };
    }
}
