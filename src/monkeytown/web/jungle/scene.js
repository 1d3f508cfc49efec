/**
 * The picture of the jungle, frame by frame.
 *
 * Knows the canvas and everything that is painted on it. Is told who is where by whoever calls `draw`, and knows
 * nothing of rooms and connections.
 */
import { follow } from "../shared/dom.js";
import { Labels } from "../shared/labels.js";
import { Camera } from "./camera.js";
import { Effects } from "./effects.js";
import { Ground } from "./ground.js";
import { MonkeyPictures, paintBanana, picture, RADIUS } from "./monkeys.js";
import { DAY, NIGHT } from "./palette.js";
import { Trees } from "./trees.js";

const SLOW_FRAME = 1 / 42; // seconds; if frames stay slower than this, a fine screen is drawn coarser

export class Scene {
    #finest = 2;
    #slow = 0;
    #night = false;
    #calm = false;
    #stale = true;
    #kind = "";

    constructor(canvas, world) {
        this.canvas = canvas;
        this.context = canvas.getContext("2d", { alpha: false });
        this.camera = new Camera(canvas, world);
        this.world = world;
        const repaint = () => this.resized();
        addEventListener("resize", repaint);
        follow("(prefers-color-scheme: dark)", (night) => {
            this.#night = night;
            repaint();
        });
        follow("(prefers-reduced-motion: reduce)", (calm) => {
            this.#calm = calm;
            repaint();
        });
    }

    /** The canvas may have another size now. */
    resized() {
        this.#stale = true;
    }

    /** The arena's size, once the server has told it. */
    setWorld(world) {
        if (world.width === this.world.width && world.height === this.world.height) return;
        this.world = this.camera.world = world;
        this.#stale = true;
    }

    get palette() {
        return this.#night ? NIGHT : DAY;
    }

    /** Whether the visitor asked for reduced motion. */
    get calm() {
        return this.#calm;
    }

    /** Take the size of the screen; paint anew what depends on it, if it does. */
    #build() {
        this.#stale = false;
        const wanted = this.camera.resize(this.#finest);
        const kind = [wanted, this.palette.name, this.#calm, this.world.width, this.world.height].join();
        if (kind === this.#kind) return;
        this.#kind = kind;
        this.ground = new Ground(this.world, wanted, this.palette);
        const { scale } = this.ground;
        this.camera.scale = scale;
        this.trees = new Trees(this.world, scale, this.palette);
        this.pictures = new MonkeyPictures(scale, this.palette);
        this.labels = new Labels(scale, this.palette);
        this.effects = new Effects(scale, this.palette, this.#calm);
        this.banana = picture(scale, 34, (context) => {
            context.fillStyle = this.palette.shade;
            context.beginPath();
            context.ellipse(2, 8, 11, 5, 0, 0, Math.PI * 2);
            context.fill();
            paintBanana(context);
        });
    }

    /**
     * Draw one frame. `walkers`: x, y, heading, hue, walked, running, stunned, breath, name, own. `bananas`: columns x and y with the
     * slots in use. `target`: where the camera looks.
     */
    draw(walkers, bananas, target, elapsed, time) {
        if (this.#stale) this.#build();
        const { context, camera } = this;
        const { width, height } = this.canvas;
        camera.follow(target.x, target.y, elapsed);
        context.setTransform(1, 0, 0, 1, 0, 0);
        this.ground.draw(context, camera.left, camera.top, width, height);
        this.#drawBananas(bananas, time);
        const seen = walkers.filter((walker) => camera.sees(walker.x, walker.y, 60));
        seen.sort((one, other) => one.own - other.own || one.y - other.y); // the player's own on top
        this.#drawWalkers(seen, elapsed, time);
        this.effects.draw(context, camera, elapsed);
        const own = seen.find((walker) => walker.own) ?? null;
        this.trees.draw(context, camera, own, elapsed);
        this.effects.drawFireflies(context, camera, time);
        for (const walker of seen) {
            this.labels.draw(context, walker.name, camera.screenX(walker.x), camera.screenY(walker.y - RADIUS - 8));
        }
        this.effects.drawWords(context, camera, elapsed);
        this.ground.prepare(camera.left, camera.top, width, height);
        this.#watch(elapsed);
    }

    #drawBananas({ x, y, slots }, time) {
        const { context, camera, banana } = this;
        const half = banana.width / 2;
        for (const slot of slots) {
            if (!camera.sees(x[slot], y[slot], 20)) continue;
            const bob = this.#calm ? 0 : Math.sin(time * 3 + slot * 1.3) * 2.5 * this.camera.scale;
            context.drawImage(
                banana,
                Math.round(camera.screenX(x[slot]) - half),
                Math.round(camera.screenY(y[slot]) - half + bob),
            );
        }
    }

    #drawWalkers(seen, elapsed, time) {
        const { context, camera } = this;
        for (const walker of seen) {
            const x = camera.screenX(walker.x);
            const y = camera.screenY(walker.y);
            if (walker.own) this.pictures.drawOwn(context, x, y, walker.breath);
            this.pictures.draw(context, x, y, walker, time);
            if (walker.running && Math.random() < elapsed * 14) this.effects.dust(walker.x, walker.y, walker.heading);
        }
    }

    /** A machine that cannot fill a fine screen in time gets a coarser picture instead of a slower one. */
    #watch(elapsed) {
        this.#slow = elapsed > SLOW_FRAME && elapsed < 0.5 ? this.#slow + elapsed : Math.max(0, this.#slow - elapsed * 0.5);
        if (this.#slow < 2 || this.#finest <= 1 || devicePixelRatio <= 1) return;
        this.#slow = 0;
        this.#finest = 1;
        this.#stale = true;
    }
}
