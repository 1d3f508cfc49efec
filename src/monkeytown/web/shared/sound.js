/**
 * Tiny synthesised blips, silent until the player asks for sound.
 *
 * Knows WebAudio and one remembered setting; which game event makes which blip is the page's choice.
 */
import { recall, remember } from "./memory.js";

let context = null;
let on = recall("sound") === "on";

/** One note: start and end pitch in hertz, length in seconds. Nothing happens while muted. */
export function blip(from, to, length = 0.12, { shape = "triangle", volume = 0.08 } = {}) {
    if (!on || document.hidden) return;
    context ??= new AudioContext();
    const now = context.currentTime;
    const tone = new OscillatorNode(context, { type: shape, frequency: from });
    const gain = new GainNode(context, { gain: volume });
    tone.frequency.exponentialRampToValueAtTime(to, now + length);
    gain.gain.exponentialRampToValueAtTime(0.0001, now + length);
    tone.connect(gain).connect(context.destination);
    tone.start(now);
    tone.stop(now + length);
}

/** Make a button switch sound on and off; `aria-pressed` tells which. */
export function soundButton(button) {
    const show = () => {
        button.setAttribute("aria-pressed", String(on));
        button.title = on ? "Sound is on" : "Sound is off";
    };
    button.addEventListener("click", () => {
        on = !on;
        remember("sound", on ? "on" : "off");
        show();
        blip(520, 780);
    });
    show();
}
