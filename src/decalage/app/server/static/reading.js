/** The page of somebody who only reads along. */

import { Board } from "./board.js";
import { byId, fill } from "./dom.js";
import { targetOptions, targetsOf } from "./languages.js";
import { Listener } from "./listen.js";
import { setState } from "./state.js";
import { closedText, errorText } from "./texts.js";

/** The stream clock as a reader can know it: the newest time that was told, and what has passed since. */
class ToldClock {
  #told = null;
  #at = 0;

  take(event) {
    const time = event.audio_received_s ?? event.timing?.emitted ?? event.time ?? null;
    if (time === null || time <= (this.now ?? -1)) return;
    this.#told = time;
    this.#at = performance.now();
  }

  get now() {
    return this.#told === null ? null : this.#told + (performance.now() - this.#at) / 1000;
  }

  stop() {
    this.#told = null;
  }
}

/** Shows session `id` in language `to`, or as its speaker asked for. */
export function readAlong(id, to) {
  const time = new ToldClock();
  const board = new Board(() => time.now);
  const select = byId("listen-to");
  let listener = null;
  let fresh = true;
  byId("reader").hidden = false;
  byId("setup").hidden = true;

  const ready = ({ source, targets, languages }) => {
    setState("listening", "Live");
    board.replaying();
    const shown = to ? [primary(to)] : targets;
    const fitting = [...new Set([...shown, ...targetsOf(languages?.pairs ?? [], source)])];
    fill(select, targetOptions(fitting, source), shown[0]);
    if (fresh) board.languages(source, shown, { id, pairs: languages?.pairs ?? [] });
    fresh = false;
  };
  const over = ({ reason, code, message }) => {
    time.stop();
    board.finish();
    setState("over", code ? errorText(code, message) : closedText(reason));
    if (code !== "unknown-session" || !fresh) return;
    byId("reader").hidden = true;
    board.clear("There is no such session, or it ended some time ago. Ask the speaker for a new link.");
    setState("over", "Not found");
  };
  const listen = () => {
    listener?.close();
    fresh = true;
    board.clear("Waiting for somebody to speak…");
    setState("listening", "Connecting…");
    listener = new Listener({
      id,
      to,
      on: {
        ready,
        over,
        event: (event) => {
          time.take(event);
          board.take(event);
        },
        waiting: (seconds) => setState("reconnecting", waitingText(seconds)),
      },
    });
  };
  select.addEventListener("change", () => {
    to = select.value;
    const query = new URLSearchParams(location.search);
    query.set("to", to);
    history.replaceState(null, "", `${location.pathname}?${query}`);
    listen();
  });
  listen();
}

/** Captions are in languages, not in their regions: `pt-BR` is `pt`. */
function primary(tag) {
  return tag.split(/[-_]/)[0].toLowerCase();
}

function waitingText(seconds) {
  const when = seconds < 2 ? "connecting again…" : `trying again in ${Math.round(seconds)} s`;
  return `Connection lost, ${when}`;
}
