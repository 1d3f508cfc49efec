/**
 * The page that plays recordings: any game from its schema, Jungle in its own look.
 *
 * Knows every other module of this folder; they do not know each other's business.
 */
import { byId, write } from "../shared/dom.js";
import { bytes, Rate } from "../shared/meter.js";
import { toast } from "../shared/toast.js";
import { fieldsFor, hasPlaces } from "../viewer/field.js";
import { listPlayers } from "../viewer/panels.js";
import { Rows } from "../viewer/rows.js";
import { isJungle, JunglePicture } from "./jungle.js";
import { listReplays } from "./list.js";
import { Log } from "./log.js";
import { Replay } from "./replay.js";
import { Timeline } from "./timeline.js";

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const frames = new Rate();
let replay = null;
let picture = null;
let timeline = null;
let opened = 0;

/** What shows the recording's tables. */
function pictures() {
    if (isJungle(replay)) {
        picture = new JunglePicture(replay);
        return [picture];
    }
    return fieldsFor(replay, byId("fields"));
}

async function watch(id) {
    const started = performance.now();
    replay = await Replay.open(`/api/v1/replays/${id}/file`);
    opened = performance.now() - started;
    const { title, started: began, players, size, complete } = replay.about;
    document.title = `${title} · Monkeytown`;
    write(byId("title"), title);
    write(byId("facts"), `${new Date(began * 1000).toLocaleString()} · ${players} ${players === 1 ? "player" : "players"} · ${bytes(size)}`);
    byId("cut").hidden = complete;
    byId("watch").hidden = false;
    const drawn = pictures();
    const isDrawn = Object.values(replay.tables).some(hasPlaces);
    const rows = Object.values(replay.tables).map((table) => new Rows(replay, table, byId("tables"), !isDrawn));
    timeline = new Timeline(replay);
    listPlayers(replay);
    new Log(replay, byId("log"));
    await replay.seek(startOf(location));
    await replay.play();
    const frame = (now) => {
        frames.add();
        frames.settle(now);
        replay.update(now);
        for (const one of drawn) one.draw(now);
        for (const one of [timeline, ...rows]) one.update(now);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}

/** Seconds from `?t=90`, to link to a moment. */
function startOf({ search }) {
    const seconds = Number(new URLSearchParams(search).get("t"));
    return Number.isFinite(seconds) ? seconds : 0;
}

async function start() {
    const id = new URLSearchParams(location.search).get("id");
    try {
        byId("others").hidden = id === null;
        if (id === null) {
            byId("list").hidden = false;
            await listReplays();
        } else if (ID.test(id)) await watch(id);
        else throw new Error("There is no such recording.");
    } catch (error) {
        write(byId("problem"), error.message);
        byId("problem").hidden = false;
        if (!(error instanceof Error)) toast(String(error), { kind: "error" });
    }
}

/** What a curious visitor or a test may look at in the console. */
Object.defineProperty(window, "monkeytown", {
    value: Object.freeze({
        get room() {
            return replay;
        },
        get replay() {
            return replay;
        },
        get timeline() {
            return timeline;
        },
        /** Milliseconds until the recording could be drawn. */
        get opened() {
            return opened;
        },
        get framesPerSecond() {
            return frames.perSecond;
        },
        get monkeys() {
            return (picture?.walkers ?? []).map(({ id, name, x, y, bananas }) => ({ id, name, x, y, bananas }));
        },
    }),
});

start();
