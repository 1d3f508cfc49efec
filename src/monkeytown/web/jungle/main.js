/**
 * The page of Jungle: asks for a name, joins, and lets the parts play together.
 *
 * Knows every other module of this folder; they do not know each other's business.
 */
import { chatBox } from "../shared/chat.js";
import { byId, element } from "../shared/dom.js";
import { greet } from "../shared/greeting.js";
import { asked, enter } from "../shared/session.js";
import { blip, soundButton } from "../shared/sound.js";
import { Hud } from "./hud.js";
import { Minimap } from "./minimap.js";
import { NetworkPanel } from "./network.js";
import { Scene } from "./scene.js";
import { Steering } from "./steering.js";
import { PREDICTED, step } from "./step.js";
import { Troop } from "./troop.js";

const GAME = "jungle";
const INPUT_EVERY = 1000 / 30; // milliseconds between two inputs while the wish changes
const INPUT_AGAIN = 400; // and while it does not
const ROUND_SHOWN = 7000; // milliseconds
const NOBODY = { x: new Float64Array(0), y: new Float64Array(0), slots: new Int32Array(0) };

const canvas = byId("arena");
const scene = new Scene(canvas, { width: 2048, height: 2048 });
const network = new NetworkPanel(canvas);
let play = null; // everything that exists only inside a room

function frame(now) {
    const elapsed = Math.min(0.1, (now - (frame.last ?? now)) / 1000);
    frame.last = now;
    const time = now / 1000;
    if (play) playFrame(now, elapsed, time);
    else scene.draw([], NOBODY, stroll(time), elapsed, time);
    requestAnimationFrame(frame);
}

/** Before anyone plays, the camera wanders. */
function stroll(time) {
    const { width, height } = scene.world;
    const pace = scene.calm ? 0 : time * 0.05;
    return { x: width * (0.5 + 0.22 * Math.cos(pace)), y: height * (0.5 + 0.22 * Math.sin(pace * 1.3)) };
}

function playFrame(now, elapsed, time) {
    const { room, troop, hud, minimap, prediction } = play;
    const predicted = prediction.sample(now);
    const walkers = troop.walkers(now, network.predicts ? predicted : null);
    const bananas = bananasOf(room);
    const own = walkers.find((walker) => walker.own);
    if (own) play.target = own;
    play.walkers = walkers;
    scene.draw(walkers, bananas, play.target ?? stroll(time), elapsed, time);
    minimap.draw(scene.ground, walkers, bananas, scene.camera, now);
    hud.update(walkers, now);
    network.update(prediction.stats, room.tickRate, now);
    sendWish(now, own);
}

function bananasOf(room) {
    const { columns, slots } = room.tables.bananas;
    return { x: columns.x.values, y: columns.y.values, slots };
}

/** Send what the player wants, when it is news or a while ago. */
function sendWish(now, own) {
    if (!own || now - play.sentAt < INPUT_EVERY) return;
    // Without a prediction the newest state is nearer to how the monkey will face than what is drawn.
    const wish = play.steering.read(network.predicts ? own.heading : (play.room.entity?.heading ?? own.heading));
    const same = wish.turn === play.wish?.turn && wish.run === play.wish?.run;
    if (same && now - play.sentAt < INPUT_AGAIN) return;
    play.wish = wish;
    play.sentAt = now;
    play.room.input(wish);
}

/** Where the player's monkey is on the page: a mouse points from there. */
function ownOnPage() {
    const box = canvas.getBoundingClientRect();
    const density = canvas.width / box.width;
    const { camera } = scene;
    const target = play?.target ?? camera;
    return { x: box.left + camera.screenX(target.x) / density, y: box.top + camera.screenY(target.y) / density };
}

const steering = new Steering({ canvas, stick: byId("stick"), knob: byId("knob"), runButton: byId("run"), origin: ownOnPage });

/** Name the winners of a round for a while. */
function announce(best) {
    const box = byId("round");
    byId("winners").replaceChildren(
        ...best.map(({ name, bananas }) => element("li", {}, element("b", { text: name }), ` ${bananas}`)),
    );
    box.hidden = false;
    blip(520, 1040, 0.4);
    setTimeout(() => (box.hidden = true), ROUND_SHOWN);
}

async function start(name) {
    const wanted = asked();
    const room = await enter(wanted.room || GAME, { name, chip: byId("connection"), WebSocket: network.WebSocket });
    const { fields } = room.tables.monkeys;
    const size = (fieldName) => fields.find((field) => field.name === fieldName).hi;
    scene.setWorld({ width: size("x"), height: size("y") });
    const troop = new Troop(room, {
        collected(walker, count) {
            scene.effects?.collected(walker.x, walker.y, walker.own ? `+${count}` : "");
            if (walker.own) blip(620, 990);
        },
        bumped(walker) {
            scene.effects?.bumped(walker.x, walker.y);
            if (!walker.own) return;
            if (!scene.calm) scene.camera.shake();
            blip(190, 70, 0.2, { shape: "square", volume: 0.05 });
        },
    });
    play = {
        room,
        troop,
        prediction: room.predict(step, PREDICTED),
        steering,
        hud: new Hud(room),
        minimap: new Minimap(byId("minimap")),
        wish: null,
        sentAt: 0,
        walkers: [],
    };
    room.on("bumped", ({ by, lost }) => {
        const { target } = play;
        if (target) scene.effects.say(target.x, target.y, lost ? `${by} took ${lost}` : `${by} ran into you`);
    });
    room.on("round", ({ best }) => announce(best));
    chatBox(byId("chat"), room, { leave: true });
    document.body.classList.add("playing");
    canvas.focus({ preventScroll: true });
}

/** What a curious visitor or a test may look at in the console. */
Object.defineProperty(window, "monkeytown", {
    value: Object.freeze({
        get room() {
            return play?.room ?? null;
        },
        get framesPerSecond() {
            return play?.hud.frames.perSecond ?? 0;
        },
        /** The tick, with a fraction, that was drawn last, and every monkey where it was then. */
        get tick() {
            return play?.troop.tick ?? 0;
        },
        get prediction() {
            return play?.prediction ?? null;
        },
        get monkeys() {
            return (play?.walkers ?? []).map(({ id, name, x, y, heading, own }) => ({ id, name, x, y, heading, own }));
        },
    }),
});

byId("chat-toggle").addEventListener("click", (event) => {
    const open = document.body.classList.toggle("chatting");
    event.currentTarget.setAttribute("aria-expanded", String(open));
    if (open) byId("chat").querySelector("input")?.focus();
});
addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || (event.target !== document.body && event.target !== canvas)) return;
    document.body.classList.add("chatting");
    byId("chat").querySelector("input")?.focus();
});
soundButton(byId("sound"));
requestAnimationFrame(frame);
greet().then(start);
