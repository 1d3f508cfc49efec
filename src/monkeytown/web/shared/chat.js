/**
 * A chat box for any room.
 *
 * Knows the room's chat and the DOM. Everything players write is put in as text.
 */
import { element, hueOf, trim } from "./dom.js";

const LINES_KEPT = 80;
const LONGEST = 200;

/**
 * Fill `box` with a chat of the room. Returns `say(text)` for notices of the page itself. With `leave`, the keyboard goes back
 * to the game after each message.
 */
export function chatBox(box, room, { leave = false } = {}) {
    const list = element("ol", { role: "log", "aria-label": "Chat", tabindex: "0" });
    const input = element("input", {
        type: "text",
        maxlength: String(LONGEST),
        placeholder: "Say something",
        "aria-label": "Chat message",
        autocomplete: "off",
        enterkeyhint: "send",
    });
    const form = element("form", {}, input, element("button", { type: "submit", text: "Send" }));
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const text = input.value.trim();
        if (text && room.open) room.chat(text);
        input.value = "";
        if (leave) input.blur();
    });
    input.addEventListener("keydown", (event) => {
        if (event.key === "Escape") input.blur();
    });
    box.append(list, form);

    const add = (line) => {
        const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 30;
        list.append(line);
        trim(list, LINES_KEPT);
        if (atEnd) list.scrollTop = list.scrollHeight;
    };
    const show = ({ playerId, name, text }) => {
        const speaker = element("b", { text: name });
        speaker.style.setProperty("--speaker", `hsl(${hueOf(name)} 55% var(--speaker-light))`);
        add(element("li", { class: playerId === room.client.id ? "own" : "" }, speaker, ` ${text}`));
    };
    room.chatLines.forEach(show);
    room.on("chat", show);
    // Of a room that was joined anew.
    room.on("chat_history", (lines) => {
        list.replaceChildren();
        lines.forEach(show);
    });
    return (text) => add(element("li", { class: "quiet", text }));
}
