/**
 * Things that last a moment: dust, sparks, stars, floating words, fireflies.
 *
 * Knows a canvas and the camera. A fixed number of particles in flat arrays: nothing is allocated while playing.
 */
import { paintStar, picture } from "./monkeys.js";

const MOST = 360;
const TURN = Math.PI * 2;
const FIREFLIES = 26;

const DUST = 0;
const SPARK = 1;
const STAR = 2;
const LEAF = 3;

export class Effects {
    #kind = new Uint8Array(MOST);
    #x = new Float32Array(MOST);
    #y = new Float32Array(MOST);
    #vx = new Float32Array(MOST);
    #vy = new Float32Array(MOST);
    #age = new Float32Array(MOST).fill(1);
    #life = new Float32Array(MOST).fill(1);
    #next = 0;
    #words = [];
    #pictures;

    constructor(scale, palette, calm) {
        this.scale = scale;
        this.palette = palette;
        this.calm = calm; // the visitor asked for reduced motion
        this.#pictures = [
            picture(scale, 20, (context) => disc(context, 8, palette.dust)),
            picture(scale, 8, (context) => disc(context, 3, "#ffe57d")),
            picture(scale, 18, (context) => paintStar(context, 7)),
            picture(scale, 12, (context) => {
                context.fillStyle = palette.tuft[2];
                context.beginPath();
                context.ellipse(0, 0, 4.5, 2.2, 0.6, 0, TURN);
                context.fill();
            }),
        ];
    }

    dust(x, y, heading) {
        if (this.calm) return;
        const back = heading + Math.PI + (Math.random() - 0.5) * 1.2;
        this.#add(
            Math.random() < 0.2 ? LEAF : DUST,
            x + Math.cos(back) * 16,
            y + Math.sin(back) * 16,
            back,
            20 + Math.random() * 30,
            0.55,
        );
    }

    collected(x, y, words) {
        if (!this.calm) {
            for (let spark = 0; spark < 9; spark++) {
                this.#add(SPARK, x, y, (spark / 9) * TURN, 70 + Math.random() * 60, 0.5);
            }
        }
        if (words) this.say(x, y, words);
    }

    /** Words that rise and fade. */
    say(x, y, text) {
        this.#words.push({ x, y: y - 26, text, age: 0 });
        if (this.#words.length > 30) this.#words.shift();
    }

    bumped(x, y) {
        if (this.calm) return;
        for (let star = 0; star < 6; star++)
            this.#add(STAR, x, y, (star / 6) * TURN + Math.random(), 110 + Math.random() * 50, 0.45);
        for (let puff = 0; puff < 4; puff++) this.#add(DUST, x, y, Math.random() * TURN, 60, 0.5);
    }

    #add(kind, x, y, angle, speed, life) {
        const at = this.#next;
        this.#next = (at + 1) % MOST;
        this.#kind[at] = kind;
        this.#x[at] = x;
        this.#y[at] = y;
        this.#vx[at] = Math.cos(angle) * speed;
        this.#vy[at] = Math.sin(angle) * speed;
        this.#age[at] = 0;
        this.#life[at] = life * (0.8 + Math.random() * 0.4);
    }

    draw(context, camera, elapsed) {
        const slowing = Math.exp(-elapsed * 4);
        for (let at = 0; at < MOST; at++) {
            if (this.#age[at] >= this.#life[at]) continue;
            this.#age[at] += elapsed;
            this.#vx[at] *= slowing;
            this.#vy[at] *= slowing;
            this.#x[at] += this.#vx[at] * elapsed;
            this.#y[at] += this.#vy[at] * elapsed;
            if (!camera.sees(this.#x[at], this.#y[at], 20)) continue;
            const done = Math.min(1, this.#age[at] / this.#life[at]);
            const image = this.#pictures[this.#kind[at]];
            const grown = this.#kind[at] === DUST ? 0.5 + done * 0.7 : 1 - done * 0.4;
            const size = image.width * grown;
            context.globalAlpha = (1 - done) * (this.#kind[at] === DUST ? 0.6 : 1);
            context.drawImage(image, camera.screenX(this.#x[at]) - size / 2, camera.screenY(this.#y[at]) - size / 2, size, size);
        }
        context.globalAlpha = 1;
    }

    /** Words rise above everything else. */
    drawWords(context, camera, elapsed) {
        if (!this.#words.length) return;
        context.font = `800 ${Math.round(17 * this.scale)}px ui-rounded, system-ui, sans-serif`;
        context.textAlign = "center";
        context.lineJoin = "round";
        context.lineWidth = 4 * this.scale;
        context.strokeStyle = "#6b4708";
        context.fillStyle = "#ffe27a";
        for (const word of this.#words) {
            word.age += elapsed;
            const y = camera.screenY(word.y - (this.calm ? 0 : word.age * 38));
            context.globalAlpha = Math.max(0, Math.min(1, 2.2 - word.age * 2.4));
            context.strokeText(word.text, camera.screenX(word.x), y);
            context.fillText(word.text, camera.screenX(word.x), y);
        }
        context.globalAlpha = 1;
        this.#words = this.#words.filter((word) => word.age < 0.9);
    }

    /** Night has fireflies; they wander in the view and belong to nobody. */
    drawFireflies(context, camera, time) {
        if (!this.palette.firefly) return;
        context.fillStyle = this.palette.firefly;
        const moment = this.calm ? 0 : time;
        for (let fly = 0; fly < FIREFLIES; fly++) {
            const x = wrap(fly * 379 + Math.sin(moment * 0.4 + fly * 1.7) * 60 + moment * 6 - camera.x, camera.across);
            const y = wrap(fly * 523 + Math.cos(moment * 0.33 + fly * 2.3) * 60 - camera.y, camera.down);
            const glow = 0.5 + 0.5 * Math.sin(moment * 2.1 + fly * 2.9);
            context.globalAlpha = glow * 0.22;
            const [px, py] = [x * this.scale, y * this.scale];
            context.beginPath();
            context.arc(px, py, 6 * this.scale, 0, TURN);
            context.fill();
            context.globalAlpha = glow;
            context.beginPath();
            context.arc(px, py, 1.6 * this.scale, 0, TURN);
            context.fill();
        }
        context.globalAlpha = 1;
    }
}

const wrap = (value, size) => ((value % size) + size) % size;

function disc(context, radius, colour) {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(0, 0, radius, 0, TURN);
    context.fill();
}
