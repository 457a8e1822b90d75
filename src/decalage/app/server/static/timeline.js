/** When the recent utterances were heard, recognized and translated, one lane each, so that overlap is seen. */

import { duration } from "./texts.js";

const SHOWN_S = 30;
const KEPT_S = 40;
const LANE_PX = 15;
const GAP_PX = 5;
const LABEL_PX = 74;
const STEP_MS = 100;
const CALM_STEP_MS = 1000;
const LANES = ["heard", "recognized", "translated"];
const LABELS = { heard: "Speech", recognized: "Recognized", translated: "Translated" };

/** Draws in an `<svg>`. `now()` is the stream clock in seconds, or null while it stands still. */
export class Timeline {
  #svg;
  #moving = svg("g");
  #fixed = svg("g");
  #open = null;
  #now;
  #shown = 0;
  #width = 0;
  #waiting = null;

  constructor(element, now) {
    this.#svg = element;
    this.#now = now;
    const height = LANES.length * (LANE_PX + GAP_PX) + 14;
    element.setAttribute("height", height);
    const clip = svg("svg", { x: LABEL_PX, y: 0, height, class: "window" });
    clip.append(this.#moving);
    element.append(this.#fixed, clip);
    this.#waiting = clip;
    new ResizeObserver(() => this.#resize()).observe(element);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    setInterval(() => this.#step(), calm ? CALM_STEP_MS : STEP_MS);
  }

  /** Empties it. */
  clear() {
    this.#moving.replaceChildren();
    this.#open = null;
    this.#shown = 0;
    this.#step();
  }

  /** Takes the events that have times. */
  take(event) {
    if (event.type === "speech_started") this.#begin(event.time);
    else if (event.type === "speech_stopped") this.#end(event.time);
    else if (event.type === "gap") this.#bar("heard", event, event.start, event.end, "lost");
    else if (event.type === "caption") this.#caption(event);
    else return;
    this.#prune();
  }

  #caption(event) {
    const { endpoint, asr_start, asr_end, mt_start, mt_end, emitted } = event.timing;
    const goesOn = this.#open?.from < event.end; // nobody said that speech stopped: the rest is the next one's
    if (goesOn) this.#end(event.end);
    this.#moving.querySelectorAll(".open").forEach((bar) => Number(bar.dataset.to) <= endpoint && bar.remove());
    this.#bar("heard", event, event.start, goesOn ? event.end : endpoint);
    this.#bar("recognized", event, asr_start, asr_end);
    if (mt_start !== null && mt_start !== undefined) this.#bar("translated", event, mt_start, mt_end);
    if (goesOn) this.#begin(event.end);
    this.#shown = Math.max(this.#shown, emitted);
  }

  #begin(time) {
    this.#open = { from: time, bar: this.#bar("heard", null, time, time, "open") };
  }

  #end(time) {
    if (!this.#open) return;
    const { from, bar } = this.#open;
    if (time > from) this.#place(bar, from, time);
    else bar.remove();
    this.#open = null;
  }

  #bar(lane, event, from, to, kind = "") {
    const bar = svg("g", { class: `bar ${lane} ${kind}`, "data-lane": LANES.indexOf(lane) });
    const rect = svg("rect", { height: LANE_PX, rx: 3 });
    if (event) {
      bar.dataset.index = event.index;
      const title = svg("title");
      title.textContent = `${event.index + 1}, ${LABELS[lane].toLowerCase()}: ${duration(to - from)}`;
      const number = svg("text", { y: LANE_PX - 4, x: 4 });
      number.textContent = event.index + 1;
      bar.append(title, rect, number);
    } else bar.append(rect);
    this.#place(bar, from, to);
    this.#moving.append(bar);
    return bar;
  }

  #place(bar, from, to) {
    bar.dataset.from = from;
    bar.dataset.to = to;
    const scale = this.#scale();
    const width = Math.max(3, (to - from) * scale - 2);
    const y = Number(bar.dataset.lane) * (LANE_PX + GAP_PX);
    bar.setAttribute("transform", `translate(${from * scale} ${y})`);
    bar.querySelector("rect").setAttribute("width", width);
    const number = bar.querySelector("text");
    if (number) number.style.display = width > 8 + 7 * number.textContent.length ? "" : "none";
  }

  #prune() {
    for (const bar of Array.from(this.#moving.children)) {
      if (Number(bar.dataset.to) < this.#shown - KEPT_S && bar !== this.#open?.bar) bar.remove();
    }
  }

  #scale() {
    return Math.max(1, this.#width - LABEL_PX) / SHOWN_S;
  }

  #step() {
    if (document.hidden || !this.#width) return;
    this.#shown = Math.max(this.#shown, this.#now() ?? this.#shown);
    if (this.#open) this.#place(this.#open.bar, this.#open.from, Math.max(this.#open.from, this.#shown));
    const left = (this.#shown - SHOWN_S) * this.#scale();
    this.#moving.setAttribute("transform", `translate(${-left} 0)`);
  }

  #resize() {
    this.#width = this.#svg.clientWidth;
    if (!this.#width) return;
    this.#waiting.setAttribute("width", Math.max(1, this.#width - LABEL_PX));
    this.#fixed.replaceChildren();
    const foot = LANES.length * (LANE_PX + GAP_PX);
    LANES.forEach((lane, number) => {
      const y = number * (LANE_PX + GAP_PX);
      this.#fixed.append(
        text(LABELS[lane], { x: 0, y: y + LANE_PX - 4, class: "lane" }),
        svg("rect", { x: LABEL_PX, y, width: this.#width - LABEL_PX, height: LANE_PX, class: "bed", rx: 3 }),
      );
    });
    for (let ago = SHOWN_S; ago >= 0; ago -= 10) {
      const x = LABEL_PX + (SHOWN_S - ago) * this.#scale();
      const anchor = ago === SHOWN_S ? "start" : ago ? "middle" : "end";
      this.#fixed.append(
        svg("line", { x1: x, x2: x, y1: 0, y2: foot, class: "tick" }),
        text(ago ? `${ago} s ago` : "now", { x, y: foot + 10, "text-anchor": anchor, class: "axis" }),
      );
    }
    for (const bar of this.#moving.children) this.#place(bar, Number(bar.dataset.from), Number(bar.dataset.to));
    this.#step();
  }
}

function svg(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function text(content, attributes) {
  const element = svg("text", attributes);
  element.textContent = content;
  return element;
}
