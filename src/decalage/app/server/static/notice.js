/** The one place where the page says what is wrong and what to do. */

import { byId } from "./dom.js";

let kindShown = null;

/** Says `text`; `kind` lets `hush` take back this one only. */
export function notice(text, kind) {
  kindShown = kind;
  byId("notice-text").textContent = text;
  byId("notice").hidden = false;
}

/** Takes back what was said, or only what was of `kind`. */
export function hush(kind = null) {
  if (kind === null || kind === kindShown) byId("notice").hidden = true;
}

/** Puts the cross of the notice to work. */
export function closeable() {
  byId("notice-close").addEventListener("click", () => hush());
}
