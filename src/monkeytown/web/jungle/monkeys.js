/**
 * Little monkeys seen from above, and the pictures they are drawn with.
 *
 * Knows shapes, coats and a canvas. Every coat and step is painted once, facing right, and then turned and copied.
 * Knows nothing of rows or rooms: a walker is where it is, which way it faces and how far it has walked.
 */
import { COATS, VESTS } from "./palette.js";

const TURN = Math.PI * 2;
/** The monkey's radius in world units; pictures are drawn around it. */
export const RADIUS = 18;
const STEPS = 8; // pictures in one stride
const STRIDE = 46; // world units walked in one stride
const BOX = 100; // world units a picture covers

export class MonkeyPictures {
    #pictures = new Map();
    #stars;

    constructor(scale, palette) {
        this.scale = scale;
        this.palette = palette;
        this.shadow = picture(scale, 64, (context) => {
            context.fillStyle = palette.shade;
            context.beginPath();
            context.ellipse(0, 0, 24, 19, 0, 0, TURN);
            context.fill();
        });
        this.#stars = picture(scale, 16, (context) => paintStar(context, 6));
    }

    /** Draw a monkey at a place on the screen. `walker`: hue, heading, walked, running, stunned. */
    draw(context, x, y, walker, time) {
        const shadow = this.shadow.width;
        context.drawImage(this.shadow, Math.round(x - shadow / 2 + 4 * this.scale), Math.round(y - shadow / 2 + 6 * this.scale));
        const step = Math.floor(((walker.walked / STRIDE) % 1) * STEPS);
        const image = this.#picture(walker.hue, step);
        const half = image.width / 2;
        const cos = Math.cos(walker.heading);
        const sin = Math.sin(walker.heading);
        context.setTransform(cos, sin, -sin, cos, x, y);
        context.drawImage(image, -half, -half);
        context.setTransform(1, 0, 0, 1, 0, 0);
        if (walker.stunned) this.#drawStars(context, x, y, time);
    }

    /** A ring on the ground around the player's own monkey: as much of it as there is breath to run. */
    drawOwn(context, x, y, breath) {
        const radius = (RADIUS + 15) * this.scale;
        context.lineCap = "round";
        context.lineWidth = 4 * this.scale;
        context.strokeStyle = this.palette.shade;
        context.beginPath();
        context.arc(x, y, radius, 0, TURN);
        context.stroke();
        context.strokeStyle = breath < 0.25 ? this.palette.outOfBreath : this.palette.own;
        context.beginPath();
        context.arc(x, y, radius, -TURN / 4, -TURN / 4 + TURN * breath);
        context.stroke();
    }

    #drawStars(context, x, y, time) {
        const half = this.#stars.width / 2;
        for (let star = 0; star < 3; star++) {
            const angle = time * 5 + (star / 3) * TURN;
            context.drawImage(
                this.#stars,
                x + Math.cos(angle) * 19 * this.scale - half,
                y + (Math.sin(angle) * 9 - 22) * this.scale - half,
            );
        }
    }

    #picture(hue, step) {
        const vest = Math.floor((hue / 360) * VESTS) % VESTS;
        const key = vest * STEPS + step;
        let found = this.#pictures.get(key);
        if (!found) {
            const night = this.palette.name === "night";
            found = picture(this.scale, BOX, (context) => paintMonkey(context, vest, step / STEPS, night));
            this.#pictures.set(key, found);
        }
        return found;
    }
}

/** A canvas of `size` world units with the origin in its middle. */
export function picture(scale, size, paint) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.ceil(size * scale);
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, canvas.width / 2, canvas.height / 2);
    paint(context);
    return canvas;
}

function paintMonkey(context, vest, phase, night) {
    const coat = COATS[vest % COATS.length];
    const swing = Math.sin(phase * TURN);
    context.lineJoin = context.lineCap = "round";
    context.strokeStyle = coat.edge;
    paintTail(context, coat, swing);
    paintLimbs(context, coat, swing);
    context.lineWidth = 2.6;
    context.fillStyle = coat.fur;
    oval(context, -3, 0, 17, 14.5);
    const colour = `hsl(${Math.round((vest / VESTS) * 360)} ${night ? 55 : 72}% ${night ? 52 : 55}%)`;
    paintVest(context, colour);
    paintHead(context, coat, swing);
}

/** The tail curls behind and swings against the stride. */
function paintTail(context, coat, swing) {
    context.beginPath();
    context.moveTo(-16, 0);
    context.bezierCurveTo(-30, -2 + swing * 5, -36, 12 + swing * 4, -41, 2 - swing * 5);
    context.bezierCurveTo(-44, -6 - swing * 5, -35, -10 - swing * 4, -34, -3 - swing * 4);
    context.lineWidth = 7.4;
    context.stroke();
    context.strokeStyle = coat.fur;
    context.lineWidth = 3.6;
    context.stroke();
    context.strokeStyle = coat.edge;
}

function paintLimbs(context, coat, swing) {
    context.lineWidth = 2.4;
    for (const side of [-1, 1]) {
        const reach = swing * side * 7;
        context.fillStyle = coat.fur;
        oval(context, -13 - reach, side * 12, 7, 5.2);
        oval(context, 6 + reach, side * 16, 7.5, 5);
        context.fillStyle = coat.face;
        oval(context, 12 + reach, side * 16.5, 3.8, 3.8);
    }
}

function paintVest(context, colour) {
    context.save();
    context.beginPath();
    context.ellipse(-3, 0, 15.6, 13.1, 0, 0, TURN);
    context.clip();
    context.fillStyle = colour;
    context.fillRect(-13, -16, 16, 32);
    context.fillStyle = "rgb(255 255 255 / 28%)";
    context.fillRect(-13, -16, 4, 32);
    context.restore();
}

function paintHead(context, coat, swing) {
    context.save();
    context.translate(9, 0);
    context.rotate(swing * 0.07);
    context.lineWidth = 2.6;
    for (const side of [-1, 1]) {
        context.fillStyle = coat.fur;
        oval(context, -3, side * 14, 5.6, 5.6);
        context.fillStyle = coat.face;
        context.beginPath();
        context.arc(-2.6, side * 14, 2.8, 0, TURN);
        context.fill();
    }
    context.fillStyle = coat.fur;
    oval(context, 0, 0, 14, 14.2);
    context.fillStyle = coat.face;
    context.beginPath();
    context.ellipse(5.4, -4.6, 5.8, 5.6, 0, 0, TURN);
    context.ellipse(5.4, 4.6, 5.8, 5.6, 0, 0, TURN);
    context.ellipse(9.6, 0, 5.6, 7.4, 0, 0, TURN);
    context.fill();
    context.fillStyle = "#2a190c";
    for (const side of [-1, 1]) {
        context.beginPath();
        context.ellipse(5.6, side * 4.5, 2.7, 2.1, 0, 0, TURN);
        context.arc(11.6, side * 1.5, 0.8, 0, TURN);
        context.fill();
    }
    context.fillStyle = "#fff";
    for (const side of [-1, 1]) {
        context.beginPath();
        context.arc(4.7, side * 4.5 - 0.7, 0.85, 0, TURN);
        context.fill();
    }
    context.strokeStyle = "#2a190c";
    context.lineWidth = 1.1;
    context.beginPath();
    context.arc(10.4, 0, 3.1, -0.8, 0.8);
    context.stroke();
    context.restore();
}

function oval(context, x, y, across, down) {
    context.beginPath();
    context.ellipse(x, y, across, down, 0, 0, TURN);
    context.stroke();
    context.fill();
}

export function paintStar(context, radius) {
    context.fillStyle = "#ffe27a";
    context.strokeStyle = "#a8731c";
    context.lineWidth = 1.4;
    context.beginPath();
    for (let point = 0; point < 10; point++) {
        const angle = (point / 10) * TURN - TURN / 4;
        const reach = point % 2 ? radius * 0.45 : radius;
        context.lineTo(Math.cos(angle) * reach, Math.sin(angle) * reach);
    }
    context.closePath();
    context.stroke();
    context.fill();
}

/** A bunch of two bananas. */
export function paintBanana(context) {
    context.lineJoin = context.lineCap = "round";
    for (const [turn, light] of [
        [0.5, "#eeb823"],
        [0, "#ffd84a"],
    ]) {
        context.save();
        context.rotate(turn - 0.35);
        context.translate(0, -2);
        context.beginPath();
        context.moveTo(-10, -6);
        context.quadraticCurveTo(-6, 10, 11, 6);
        context.quadraticCurveTo(0, 3, -6.5, -8);
        context.closePath();
        context.strokeStyle = "#8a5d10";
        context.lineWidth = 2.4;
        context.stroke();
        context.fillStyle = light;
        context.fill();
        context.restore();
    }
    context.fillStyle = "#5e4312";
    context.beginPath();
    context.arc(-9.4, -5.6, 2.3, 0, TURN);
    context.fill();
}
