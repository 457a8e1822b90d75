/** Where the events of a session are shown: captions, numbers, timeline, files. */

import { Captions } from "./captions.js";
import { byId, make } from "./dom.js";
import { Share } from "./share.js";
import { clock, duration, overloadText } from "./texts.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const BEHIND_S = 0.5; // what is told as being behind

/** Takes events of one session at a time. `now()`: its stream clock in seconds, or null. */
export class Board {
  #transcript = new Transcript();
  #share = new Share(this.#transcript);
  #captions = new Captions({
    list: byId("captions"),
    growing: byId("partial"),
    headings: byId("headings"),
    empty: byId("empty"),
    scroller: byId("scroller"),
    button: byId("follow"),
  });
  #timeline;
  #now;

  constructor(now) {
    this.#now = now;
    byId("timeline-panel").open = !matchMedia("(max-width: 40rem)").matches;
    this.#timeline = new Timeline(byId("timeline"), now);
    this.#share.clear();
    setInterval(() => this.#tick(), 500);
  }

  /** An empty board. */
  clear(empty) {
    this.#transcript.clear();
    this.#captions.clear(empty);
    this.#timeline.clear();
    this.#share.clear();
    byId("summary").hidden = true;
    for (const id of ["lag", "lag-spread", "behind", "listeners"]) this.#tell(id, "–");
    this.#overload("");
  }

  /** The languages of what comes; `share` as `Share.offer` takes it, null where there is nothing to share. */
  languages(source, targets, share = null) {
    this.#captions.languages(source, targets);
    byId("foot").classList.toggle("file", share?.id === null);
    if (share) this.#share.offer({ source, targets, ...share });
  }

  /** What comes now was there before. */
  replaying() {
    this.#captions.replaying();
  }

  /** One event of the protocol. */
  take(event) {
    this.#transcript.take(event);
    this.#captions.take(event);
    this.#timeline.take(event);
    if (event.type === "caption") this.#tell("lag", duration(event.lag));
    else if (event.type === "stats") this.#stats(event);
    else if (event.type === "overload") this.#overload(overloadText(event.shedding), event.behind_s);
    else if (event.type === "summary") this.#summary(event);
  }

  /** No more comes. */
  finish() {
    this.#captions.finish();
    this.#share.finish();
    this.#overload("");
    this.#tell("behind", "–");
  }

  #stats({ behind_s, listeners, lag_p50, lag_p95 }) {
    this.#behind(behind_s);
    this.#tell("listeners", listeners ?? "–");
    if (typeof lag_p50 === "number") this.#tell("lag-spread", `${duration(lag_p50)} / ${duration(lag_p95)}`);
  }

  #overload(text, behind_s = null) {
    const foot = byId("foot");
    foot.dataset.overload = text;
    foot.classList.toggle("overloaded", Boolean(text));
    byId("behind").title = text;
    if (behind_s !== null) this.#behind(behind_s);
  }

  #behind(seconds) {
    const late = seconds >= BEHIND_S;
    this.#tell("behind", late ? `behind by ${duration(seconds)}` : "keeps up");
    byId("behind").classList.toggle("late", late);
  }

  #summary(event) {
    const numbers = [
      ["Captions", event.captions],
      ["Spoken", clock(event.audio_s)],
      ["Lag p50", event.lag && duration(event.lag.p50)],
      ["Lag p95", event.lag && duration(event.lag.p95)],
      ["Not captioned", event.failures || null],
      ["No speech", event.rejected || null],
      ["Sound lost", event.dropped_s ? duration(event.dropped_s) : null],
      ["Damaged", event.damaged || null],
    ];
    const shown = numbers.filter(([, value]) => value !== null && value !== undefined);
    const rows = shown.map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: value })));
    byId("summary").replaceChildren(make("h2", { text: "Summary" }), make("dl", {}, ...rows));
    byId("summary").hidden = false;
  }

  #tick() {
    const now = this.#now();
    if (now !== null) this.#tell("clock", clock(now));
  }

  #tell(id, text) {
    const element = byId(id);
    if (element.textContent !== String(text)) element.textContent = text;
  }
}
