/**
 * Which recordings there are: the page when no one is asked for.
 *
 * Knows `GET /api/v1/replays` and the DOM.
 */
import { byId, element } from "../shared/dom.js";
import { bytes } from "../shared/meter.js";
import { clock } from "./timeline.js";

const LIST = "/api/v1/replays";

/** Fills the list, page by page. */
export async function listReplays() {
    const list = byId("replays");
    const more = byId("more");
    let cursor = null;
    const load = async () => {
        more.disabled = true;
        try {
            const answer = await fetch(cursor === null ? LIST : `${LIST}?cursor=${encodeURIComponent(cursor)}`);
            if (!answer.ok) throw new Error(`The server answers ${answer.status}.`);
            const { items, next } = await answer.json();
            list.append(...items.map(entry));
            cursor = next;
            more.hidden = next === null;
            byId("none").hidden = list.childElementCount > 0;
        } finally {
            more.disabled = false;
        }
    };
    more.addEventListener("click", load);
    await load();
}

function entry({ replayId, game, title, started, ended, seconds, players, size, complete }) {
    const when = new Date(started * 1000);
    const facts = [
        when.toLocaleString(),
        clock(seconds ?? (ended ?? started) - started),
        players === undefined ? "" : `${players} ${players === 1 ? "player" : "players"}`,
        bytes(size),
        complete ? "" : "cut off",
    ];
    return element(
        "li",
        {},
        element(
            "a",
            { href: `/replay?id=${encodeURIComponent(replayId)}` },
            element("b", { text: title ?? game }),
            element("span", { class: "quiet", text: facts.filter(Boolean).join(" · ") }),
        ),
    );
}
