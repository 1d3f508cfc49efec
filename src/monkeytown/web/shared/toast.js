/**
 * Short notices at the edge of the page, read out by screen readers.
 *
 * Knows the DOM only; what a notice says is the caller's business.
 */
import { element, trim } from "./dom.js";

const SHOWN_FOR = 4500; // milliseconds: two lines are read in about three seconds
const AT_MOST = 3;

let list;

/** Show a notice; `code` (of an error) stands beside it. */
export function toast(text, { kind = "", code = "" } = {}) {
    if (!list) {
        list = element("div", { class: "toasts", role: "status", "aria-live": "polite" });
        document.body.append(list);
    }
    const notice = element("div", { class: `toast ${kind}`, text });
    if (code) notice.append(element("code", { text: code }));
    list.append(notice);
    trim(list, AT_MOST);
    setTimeout(() => notice.remove(), SHOWN_FOR);
}

/** The form every refused request takes. */
export function toastError(error) {
    toast(error.message, { kind: "error", code: error.code });
}
