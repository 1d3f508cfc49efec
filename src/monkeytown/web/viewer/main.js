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

/** What shows the room's tables. The server may describe them anew: to one who watches from now on, say. */
function picture() {
    for (const id of ["fields", "tables"]) byId(id).replaceChildren();
    // what is drawn above need not be unfolded below
    const rows = Object.values(room.tables).map((table) => new Rows(room, table, byId("tables"), !hasPlaces(table)));
    return { fields: fieldsFor(room, byId("fields")), rows };
}

async function start() {
    const wanted = asked();
    const games = await gamesHere();
    const game = wanted.game || games[0]?.name || "";
    showGames(games, game);
    room = await enter(wanted.room || game, { name: wanted.name || recall("name") || inventName(), chip: byId("connection") });
    write(byId("room"), room.id);
    byId("room").hidden = false;
    const parts = [controlsFor(room, byId("controls")), new Meters(room)];
    let shown = null;
    let pictures = null;
    listPlayers(room);
    listEvents(room);
    chatBox(byId("chat"), room);
    const frame = (now) => {
        frames.add();
        frames.settle(now);
        if (shown !== room.tables) {
            shown = room.tables;
            pictures = picture();
        }
        for (const field of pictures.fields) field.draw(now);
        for (const part of [...parts, ...pictures.rows]) part.update(now);
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
