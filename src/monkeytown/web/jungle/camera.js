/**
 * Which part of the arena the screen shows, and where things in it are on the screen.
 *
 * Knows sizes and positions. The view follows a target softly and looks a little beyond the arena's edge, no further.
 * Its corner is a whole number of pixels, so that the ground can be copied without filtering.
 */
import { THICKET } from "./ground.js";

const ACROSS_AT_MOST = 1180; // world units along the longer side of the screen: nobody sees much more than others
const BEYOND = 130; // world units of thicket that may be seen
const SOFTNESS = 9; // how fast the camera catches up, per second
const FINEST = 2; // pixels per CSS pixel, at most

export class Camera {
    /** The middle of the view, in world units. */
    x = 0;
    y = 0;
    #shake = 0;

    constructor(canvas, world) {
        this.canvas = canvas;
        this.world = world;
        this.scale = 1;
        this.x = world.width / 2;
        this.y = world.height / 2;
    }

    /** Take the canvas's size. Returns the pixels a world unit should have; the ground then says which it takes exactly. */
    resize(finest = FINEST) {
        const { canvas } = this;
        const density = Math.min(devicePixelRatio || 1, finest);
        canvas.width = Math.max(1, Math.round(canvas.clientWidth * density));
        canvas.height = Math.max(1, Math.round(canvas.clientHeight * density));
        const longer = Math.max(canvas.width, canvas.height);
        const fit = longer / ACROSS_AT_MOST;
        const wanted = Math.max(fit, 0.62 * density); // on a small phone show less rather than draw ants
        return Math.round(wanted * 20) / 20; // a window dragged by a few pixels keeps its pictures
    }

    get across() {
        return this.canvas.width / this.scale;
    }

    get down() {
        return this.canvas.height / this.scale;
    }

    /** Move towards a place; at once if it is far away (a first look, a teleport). */
    follow(x, y, elapsed) {
        const far = Math.hypot(x - this.x, y - this.y) > Math.max(this.across, this.down) * 0.6;
        const part = far ? 1 : 1 - Math.exp(-elapsed * SOFTNESS);
        this.x = keepWithin(this.x + (x - this.x) * part, this.across, this.world.width);
        this.y = keepWithin(this.y + (y - this.y) * part, this.down, this.world.height);
        this.#shake = Math.max(0, this.#shake - elapsed * 3);
        const push = this.#shake * this.#shake * 7 * this.scale;
        this.left = Math.round(this.x * this.scale - this.canvas.width / 2 + (Math.random() - 0.5) * push);
        this.top = Math.round(this.y * this.scale - this.canvas.height / 2 + (Math.random() - 0.5) * push);
    }

    /** Rattle for a moment. */
    shake() {
        this.#shake = 1;
    }

    screenX(x) {
        return x * this.scale - this.left;
    }

    screenY(y) {
        return y * this.scale - this.top;
    }

    /** Whether something of this radius can be seen there. */
    sees(x, y, radius) {
        return Math.abs(x - this.x) < this.across / 2 + radius + 10 && Math.abs(y - this.y) < this.down / 2 + radius + 10;
    }
}

function keepWithin(middle, seen, size) {
    const least = seen / 2 - Math.min(BEYOND, THICKET);
    const most = size - least;
    return least >= most ? size / 2 : Math.min(most, Math.max(least, middle));
}
