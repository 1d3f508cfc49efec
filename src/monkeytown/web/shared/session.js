/**
 * Getting into a room and telling the visitor how the connection is.
 *
 * Knows the client library and the banner at the top of a page. Knows nothing of any game.
 */
import { connect, GameError } from "/web/monkeytown.js";
import { element, write } from "./dom.js";
import { toast, toastError } from "./toast.js";

const FIRST_WAIT = 700; // milliseconds before a first connection is tried again
const LONGEST_WAIT = 5000;

/** A banner that says what is wrong, as long as it is. */
class Banner {
    #box = element("div", { class: "banner", role: "status", hidden: true });
    #spinner = element("span", { class: "spinner", "aria-hidden": "true" });
    #words = element("span");
    #button = element("button", { type: "button", text: "Try again", onclick: () => location.reload() });

    constructor() {
        this.#box.append(this.#spinner, this.#words, this.#button);
        document.body.append(this.#box);
    }

    wait(text) {
        this.#show(text, false);
    }

    end(text) {
        this.#show(text, true);
    }

    #show(text, over) {
        write(this.#words, text);
        this.#box.classList.toggle("closed", over);
        this.#spinner.hidden = over;
        this.#button.hidden = !over;
        this.#box.hidden = false;
    }

    clear() {
        this.#box.hidden = true;
    }
}

/**
 * Connect and join, trying again while the server is away. Rejects only when the server said no; the banner says why.
 * `chip` is an element that shows the connection's state; `WebSocket` a class of connections to be used instead of the browser's.
 */
export async function enter(gameId, { name, chip = null, WebSocket } = {}) {
    const banner = new Banner();
    const show = (state, text) => showChip(chip, state, text);
    show("waiting", "connecting");
    try {
        const client = await connectPatiently({ ...(name && { name }), ...(WebSocket && { WebSocket }) }, banner);
        const room = await client.join(gameId);
        watch(room, banner, show);
        return room;
    } catch (error) {
        show("closed", "closed");
        banner.end(error.message || "The server did not let us in.");
        throw error;
    }
}

async function connectPatiently(options, banner) {
    for (let wait = FIRST_WAIT; ; wait = Math.min(LONGEST_WAIT, wait * 1.6)) {
        try {
            const client = await connect(undefined, options);
            banner.clear();
            return client;
        } catch (error) {
            if (error instanceof GameError) throw error;
            banner.wait("The server is not answering. Trying again…");
            await new Promise((resolve) => setTimeout(resolve, wait * (0.8 + Math.random() * 0.4)));
        }
    }
}

function watch(room, banner, show) {
    show("open", "live");
    room.on("error", toastError);
    room.on("reconnecting", ({ attempt }) => {
        show("waiting", "reconnecting");
        banner.wait(attempt > 1 ? `Connection lost. Coming back, attempt ${attempt}…` : "Connection lost. Coming back…");
    });
    room.on("reconnected", ({ sameSchema, lost }) => {
        if (!sameSchema) location.reload(); // another version of the game: its tables are others
        if (lost > 0) toast("You were away for too long: what you did last may not have arrived.");
        show("open", "live");
        banner.clear();
    });
    room.on("close", ({ code, reason }) => {
        show("closed", "closed");
        if (code !== 1000) banner.end(reason ? `The game is over: ${reason}` : "The game is over.");
    });
}

function showChip(chip, state, text) {
    if (!chip) return;
    chip.className = `chip ${state}`;
    write(chip, text);
}

/** What the page's address asks for: `?game=`, `?room=` (or `#room`), `?name=`. */
export function asked() {
    const query = new URLSearchParams(location.search);
    const room = query.get("room") ?? decodeURIComponent(location.hash.slice(1));
    return { game: query.get("game") ?? "", room, name: query.get("name") ?? "" };
}

/** An address that leads others into this very room. */
export function linkTo(room) {
    const address = new URL(location.href);
    address.hash = "";
    address.searchParams.delete("name");
    address.searchParams.set("room", room.id);
    return address.href;
}

/** Copy a link to the room, by the means the browser has. */
export async function shareLink(room) {
    const link = linkTo(room);
    if (navigator.share && matchMedia("(pointer: coarse)").matches) {
        await navigator.share({ title: document.title, url: link }).catch(() => undefined);
        return "";
    }
    try {
        await navigator.clipboard.writeText(link);
        return "Link copied. Send it to a friend.";
    } catch {
        return link; // no clipboard outside secure pages: show it instead
    }
}
