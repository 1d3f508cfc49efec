/**
 * The whole arena in a corner of the screen.
 *
 * Knows a small canvas and positions. The ground is painted once; dots are drawn a few times a second.
 */
import { fitCanvas } from "../shared/meter.js";

const EVERY = 110; // milliseconds between two drawings

export class Minimap {
    #last = 0;
    #ground = null;
    #from = null;

    constructor(canvas) {
        this.canvas = canvas;
    }

    /** `ground` paints the overview; walkers and bananas are those of the frame. */
    draw(ground, walkers, bananas, camera, now) {
        if (now - this.#last < EVERY || !this.canvas.clientWidth) return;
        this.#last = now;
        const { width, height, scale, context } = fitCanvas(this.canvas);
        if (this.#from !== ground || this.#ground.width !== this.canvas.width) this.#paint(ground, width, height, scale);
        const perUnit = width / ground.world.width;
        context.drawImage(this.#ground, 0, 0, width, height);
        context.fillStyle = "#ffd84a";
        const speck = width / 110;
        for (const slot of bananas.slots)
            context.fillRect(bananas.x[slot] * perUnit - speck / 2, bananas.y[slot] * perUnit - speck / 2, speck, speck);
        context.strokeStyle = "rgb(255 255 255 / 55%)";
        context.lineWidth = 1;
        context.strokeRect(
            (camera.x - camera.across / 2) * perUnit,
            (camera.y - camera.down / 2) * perUnit,
            camera.across * perUnit,
            camera.down * perUnit,
        );
        for (const walker of walkers) {
            if (!walker.own) dot(context, walker, perUnit, width / 90, "#fff", "rgb(30 40 25 / 80%)");
        }
        for (const walker of walkers) {
            if (walker.own) dot(context, walker, perUnit, width / 44, "#ff5a3c", "#fff");
        }
    }

    #paint(ground, width, height, scale) {
        this.#from = ground;
        this.#ground = document.createElement("canvas");
        this.#ground.width = this.canvas.width;
        this.#ground.height = this.canvas.height;
        const context = this.#ground.getContext("2d");
        context.scale(scale, scale);
        ground.overview(context, width, height);
    }
}

function dot(context, { x, y }, perUnit, radius, colour, edge) {
    context.beginPath();
    context.arc(x * perUnit, y * perUnit, radius, 0, Math.PI * 2);
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = radius / 3;
    context.strokeStyle = edge;
    context.stroke();
}
