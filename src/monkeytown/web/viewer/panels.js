/**
 * What is known about the connection and the company: meters, players, the game's events.
 *
 * Knows the room's figures and the page's elements, and nothing of any game.
 */
import { byId, element, trim, write } from "../shared/dom.js";
import { bytes, Sparkline } from "../shared/meter.js";

const EVERY = 250; // milliseconds between two writings
const EVENTS_KEPT = 60;
const PLAYERS_SHOWN = 60;
const LONGEST_DATA = 240; // characters of an event's data

export class Meters {
    #last = 0;
    #spark = new Sparkline(byId("spark"));

    constructor(room) {
        this.room = room;
        room.on("state", (state) => this.#spark.push(state.bytes));
    }

    update(now) {
        if (now - this.#last < EVERY) return;
        this.#last = now;
        const { room } = this;
        write(byId("ping"), room.client.ping.toFixed(room.client.ping < 10 ? 1 : 0));
        write(byId("tick-rate"), room.tickRate ? String(room.tickRate) : "events");
        write(byId("tick"), `tick ${room.tick}`);
        write(byId("states"), String(Math.round(room.stats.statesPerSecond)));
        write(byId("traffic"), bytes(room.stats.bytesPerSecond));
        write(byId("state-size"), bytes(room.stats.bytesPerState));
        this.#spark.draw();
    }
}

/** Who is here; the visitor's own name comes first and stands out. */
export function listPlayers(room) {
    const list = byId("players");
    const isOwn = ({ id }) => id === room.client.id;
    const show = () => {
        const players = [...room.players.values()].sort((one, other) => isOwn(other) - isOwn(one));
        list.replaceChildren(
            ...players
                .slice(0, PLAYERS_SHOWN)
                .map(({ id, name }) => element("li", { class: isOwn({ id }) ? "chip open own" : "chip open", text: name })),
        );
        if (players.length > PLAYERS_SHOWN)
            list.append(element("li", { class: "quiet", text: `and ${players.length - PLAYERS_SHOWN} more` }));
        write(byId("player-count"), String(players.length));
    };
    let due = false; // a room full of bots arrives in one burst: list it once
    const soon = () => {
        if (due) return;
        due = true;
        setTimeout(() => {
            due = false;
            show();
        }, 80);
    };
    for (const event of ["playerJoined", "playerLeft", "reconnected", "seek"]) room.on(event, soon);
    show();
}

/** What the game said, newest last. */
export function listEvents(room) {
    const list = byId("events");
    room.on("event", ({ event, data }) => {
        const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
        const said = JSON.stringify(data) ?? "";
        const short = said.length > LONGEST_DATA ? `${said.slice(0, LONGEST_DATA)}…` : said;
        list.append(element("li", {}, element("b", { text: event }), " ", element("code", { text: short })));
        trim(list, EVENTS_KEPT);
        if (atEnd) list.scrollTop = list.scrollHeight;
    });
}
