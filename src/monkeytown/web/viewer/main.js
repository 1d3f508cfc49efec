/**
 * The client that plays any game: joins one, and draws what its schema describes.
 *
 * Knows every other module of this folder. Knows no game.
 */
import { chatBox } from "../shared/chat.js";
import { byId, element, write } from "../shared/dom.js";
import { Rate } from "../shared/meter.js";
import { inventName, recall } from "../shared/memory.js";
import { asked, enter } from "../shared/session.js";
import { controlsFor } from "./controls.js";
import { fieldsFor, hasPlaces } from "./field.js";
import { listEvents, listPlayers, Meters } from "./panels.js";
import { Rows } from "./rows.js";

const frames = new Rate();
let room = null;

/** Which games this server has; an empty list if it does not say. */
async function gamesHere() {
    try {
        const answer = await fetch("/info");
        return (await answer.json()).games;
    } catch {
        return [];
    }
}

function showGames(games, chosen) {
    const known = games.find((game) => game.name === chosen);
    write(byId("title"), known?.title ?? chosen);
    document.title = `${known?.title ?? chosen} · Monkeytown`;
    if (known?.page) {
        byId("page").href = known.page;
        byId("page").hidden = false;
    }
    if (games.length < 2) return;
    const list = byId("games");
    list.append(...games.map(({ name, title }) => element("option", { value: name, text: title ?? name })));
    list.value = chosen;
    list.hidden = false;
    list.addEventListener("change", () => location.assign(`?game=${encodeURIComponent(list.value)}`));
}

async function start() {
    const wanted = asked();
    const games = await gamesHere();
    const game = wanted.game || games[0]?.name || "";
    showGames(games, game);
    room = await enter(wanted.room || game, { name: wanted.name || recall("name") || inventName(), chip: byId("connection") });
    write(byId("room"), room.id);
    byId("room").hidden = false;
    const tables = Object.values(room.tables);
    const fields = fieldsFor(room, byId("fields"));
    // what is drawn above need not be unfolded below
    const rows = tables.map((table) => new Rows(room, table, byId("tables"), !hasPlaces(table)));
    const controls = controlsFor(room, byId("controls"));
    const meters = new Meters(room);
    const parts = [controls, meters, ...rows];
    listPlayers(room);
    listEvents(room);
    chatBox(byId("chat"), room);
    const frame = (now) => {
        frames.add();
        frames.settle(now);
        for (const field of fields) field.draw(now);
        for (const part of parts) part.update(now);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}

/** What a curious visitor or a test may look at in the console. */
Object.defineProperty(window, "monkeytown", {
    value: Object.freeze({
        get room() {
            return room;
        },
        get framesPerSecond() {
            return frames.perSecond;
        },
    }),
});

start();
