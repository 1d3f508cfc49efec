/**
 * What was said in a recorded room, who came and who went, as it happened.
 *
 * Knows a replay and a list on the page. What anybody wrote goes in as text.
 */
import { element, hueOf, trim } from "../shared/dom.js";
import { clock } from "./timeline.js";

const LINES_KEPT = 120;
const LONGEST_DATA = 160; // characters of an event's data
/** Seconds before a moment that was sought of which it is shown what was said. */
const BEFORE = 60;

export class Log {
    #list;
    #replay;
    #shown = 0;
    /** Ids of who is in the room, and what they are called; leaving tells the id only. */
    #names = new Map();

    constructor(replay, list) {
        this.#replay = replay;
        this.#list = list;
        replay.on("told", (told) => this.#add(told));
        replay.on("seek", () => this.#fill());
        this.#fill();
    }

    /** Writes anew what was said up to now. */
    async #fill() {
        const fill = ++this.#shown;
        this.#list.replaceChildren();
        let before;
        try {
            before = await this.#replay.history(this.#replay.seconds - BEFORE);
        } catch {
            return; // a part of the file is not to be had: playing it will say so
        }
        if (fill !== this.#shown) return;
        const lines = before.slice(-LINES_KEPT).map((told) => this.#line(told));
        this.#list.prepend(...lines.filter((line) => line !== null));
        this.#list.scrollTop = this.#list.scrollHeight;
    }

    #add(told) {
        const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 30;
        const line = this.#line(told);
        if (line === null) return;
        this.#list.append(line);
        trim(this.#list, LINES_KEPT);
        if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
    }

    #line({ seconds, kind, about }) {
        const time = element("time", { class: "quiet number", text: clock(seconds) });
        const words = (...parts) => element("li", { class: kind }, time, " ", ...parts);
        for (const [id, { name }] of this.#replay.players) this.#names.set(id, name);
        switch (kind) {
            case "player_joined":
                this.#names.set(about.id, about.name);
                return words(named(about.name), " has come");
            case "player_left":
                return words(named(this.#names.get(about.playerId) ?? "Somebody"), " has gone");
            case "error":
                return words(about.message);
            case "game_event":
                if (about.event === "chat") return words(named(about.data.name), ` ${about.data.text}`);
                return words(element("b", { text: about.event }), " ", element("code", { text: short(about.data) }));
            default:
                return null;
        }
    }
}

function named(name) {
    const speaker = element("b", { class: "speaker", text: name });
    speaker.style.setProperty("--speaker", `hsl(${hueOf(name)} 55% var(--speaker-light))`);
    return speaker;
}

function short(data) {
    const said = JSON.stringify(data) ?? "";
    return said.length > LONGEST_DATA ? `${said.slice(0, LONGEST_DATA)}…` : said;
}
