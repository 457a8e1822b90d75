/** The page: reads along, or speaks and translates recordings. */

import { byId } from "./dom.js";
import { closeable, hush, notice } from "./notice.js";
import { applySettings } from "./settings.js";
import { readAlong } from "./reading.js";
import { setState } from "./state.js";
import { Booth } from "./booth.js";

const RETRY_S = 3;

/** What the server has; asked for until it answers. */
async function serverInfo() {
  for (;;) {
    try {
      const answer = await fetch("/v1/info");
      if (answer.ok) {
        hush("server");
        return await answer.json();
      }
    } catch {
      // asked again
    }
    setState("idle", "Waiting for the server");
    notice("The server does not answer. This page asks again every few seconds.", "server");
    await new Promise((resolve) => setTimeout(resolve, RETRY_S * 1000));
  }
}

/** A key press that is nobody else's: no control has the focus. */
function isFree(event) {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return false;
  return !event.target.closest("a, button, input, select, textarea, summary, audio, [contenteditable]");
}

applySettings();
closeable();
const query = new URLSearchParams(location.search);
const listenId = query.get("listen");
if (listenId) {
  document.body.dataset.mode = "listen";
  readAlong(listenId, query.get("to"));
} else {
  const booth = new Booth();
  booth.open(await serverInfo());
  document.addEventListener("keydown", (event) => {
    if (event.code !== "Space" || !isFree(event)) return;
    event.preventDefault();
    byId("start").click();
  });
}
