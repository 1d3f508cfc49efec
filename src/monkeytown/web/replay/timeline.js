/**
 * Playing, pausing, seeking: the bar below the picture, and the keys that do the same.
 *
 * Knows a replay and the page's elements. Knows nothing of what is drawn.
 */
import { byId, write } from "../shared/dom.js";
import { toast } from "../shared/toast.js";

const STEP = 5; // seconds that an arrow key goes
const EVERY = 100; // milliseconds between two writings

/** 75.4 as "1:15", with hours if there are any. */
export function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds + 1e-6));
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const padded = (number) => String(number).padStart(2, "0");
    return hours ? `${hours}:${padded(minutes)}:${padded(rest)}` : `${minutes}:${padded(rest)}`;
}

export class Timeline {
    #replay;
    #written = 0;
    /** Where it was dragged to and is not yet; null if nobody drags. */
    #wanted = null;
    #isBusy = false;

    constructor(replay) {
        this.#replay = replay;
        this.button = byId("play");
        this.bar = byId("seek");
        this.speed = byId("speed");
        this.bar.max = String(replay.length);
        write(byId("length"), clock(replay.length));
        this.button.addEventListener("click", () => this.toggle());
        this.bar.addEventListener("input", () => this.seek(Number(this.bar.value)));
        this.speed.addEventListener("change", () => (replay.speed = Number(this.speed.value)));
        addEventListener("keydown", (event) => this.#press(event));
        replay.on("error", (error) => toast(error.message, { kind: "error" }));
        this.#write();
    }

    /** Called once a frame. */
    update(now) {
        if (now - this.#written < EVERY) return;
        this.#written = now;
        this.#write();
    }

    toggle() {
        const replay = this.#replay;
        if (replay.playing) replay.pause();
        else replay.play().catch((error) => toast(error.message, { kind: "error" }));
        this.#write();
    }

    /** Goes to a moment. While that takes, the newest one that was asked for is what counts. */
    async seek(seconds) {
        this.#wanted = Math.min(this.#replay.length, Math.max(0, seconds));
        this.#write();
        if (this.#isBusy) return;
        this.#isBusy = true;
        try {
            while (this.#wanted !== null) {
                const wanted = this.#wanted;
                await this.#replay.seek(wanted);
                if (this.#wanted === wanted) this.#wanted = null;
            }
        } catch (error) {
            this.#wanted = null;
            toast(error.message, { kind: "error" });
        } finally {
            this.#isBusy = false;
            this.#write();
        }
    }

    #press(event) {
        if (event.ctrlKey || event.metaKey || event.altKey || isFor(event.target, event.code)) return;
        const { seconds } = this.#replay;
        const from = this.#wanted ?? seconds;
        if (event.code === "Space") this.toggle();
        else if (event.code === "ArrowLeft") this.seek(from - STEP);
        else if (event.code === "ArrowRight") this.seek(from + STEP);
        else if (event.code === "Home") this.seek(0);
        else if (event.code === "End") this.seek(this.#replay.length);
        else return;
        event.preventDefault();
    }

    #write() {
        const { playing, waiting, seconds, length } = this.#replay;
        const shown = this.#wanted ?? seconds;
        this.bar.value = String(shown);
        this.bar.style.setProperty("--part", `${(shown / (length || 1)) * 100}%`);
        this.bar.setAttribute("aria-valuetext", `${clock(shown)} of ${clock(length)}`);
        write(byId("time"), clock(shown));
        this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
        this.button.classList.toggle("playing", playing);
        this.button.classList.toggle("waiting", waiting && playing);
    }
}

/** Whether a key belongs to what has the focus: a list takes the arrows, and Space presses what it presses. The bar's own arrows are ours. */
function isFor(target, code) {
    if (!(target instanceof HTMLElement)) return false;
    if (target.matches("select, textarea, input:not([type=range])")) return true;
    return code === "Space" && target.matches("summary, a, button");
}
