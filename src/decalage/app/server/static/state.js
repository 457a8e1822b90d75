/** What the page is doing, told in one line and to the style sheet. */

import { byId } from "./dom.js";

const SHELL = new Set(["live", "reconnecting", "ending", "file", "listening", "over"]);

/** Sets the state: idle, starting, live, reconnecting, ending, file, listening or over. */
export function setState(state, text) {
  document.body.dataset.state = state;
  if (state !== "starting") document.body.classList.toggle("shell", SHELL.has(state));
  const status = byId("status");
  status.dataset.state = state;
  if (status.textContent !== text) status.textContent = text;
}

/** The present one. */
export function state() {
  return document.body.dataset.state;
}
