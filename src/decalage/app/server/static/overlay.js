/** Captions alone, over a picture: for OBS or a projector. Says nothing about its connection. */

import { byId, make } from "./dom.js";
import { Listener } from "./listen.js";
import { styleOf } from "./overlay-style.js";
import { languageTag } from "./texts.js";

const MOST_PARAGRAPHS = 4;

/** One language: a paragraph for each of the newest utterances, the last of which may still grow. */
class Roll {
  #element;
  #settled = -1;

  constructor(element) {
    this.#element = element;
  }

  /** Shows utterance `index`; what is settled does not change again. */
  show({ index, language, text, stable = null }) {
    if (index <= this.#settled) return;
    if (stable === null) this.#settled = index;
    const points = Array.from(text);
    const held = stable === null ? text : points.slice(0, stable).join("");
    const loose = stable === null ? "" : points.slice(stable).join("");
    const paragraph = make("p", { "data-index": index, lang: languageTag(language), dir: "auto" }, held);
    if (loose) paragraph.append(make("span", { class: "loose", text: loose }));
    for (const each of Array.from(this.#element.children)) {
      const older = Number(each.dataset.index);
      if (older === index || (older > index && stable === null)) each.remove();
    }
    if (text) this.#place(paragraph, index);
    while (this.#element.childElementCount > MOST_PARAGRAPHS) this.#element.firstElementChild.remove();
  }

  /** Takes away what was growing and came to nothing. */
  drop(index) {
    for (const each of Array.from(this.#element.children)) if (Number(each.dataset.index) === index) each.remove();
    this.#settled = Math.max(this.#settled, index);
  }

  /** To be called when the text is in sight: what it pushed out at the top would still widen the box. */
  trim() {
    const { top, height } = this.#element.parentElement.getBoundingClientRect();
    const unseen = (each) => height && each.getBoundingClientRect().bottom <= top + 1;
    for (const each of Array.from(this.#element.children)) if (unseen(each)) each.remove();
  }

  #place(paragraph, index) {
    const after = Array.from(this.#element.children).find((each) => Number(each.dataset.index) > index);
    this.#element.insertBefore(paragraph, after ?? null);
  }
}

const query = new URLSearchParams(location.search);
const style = styleOf(query);
const box = byId("box");
const rolls = {
  source: new Roll(box.querySelector("#source .roll")),
  target: new Roll(box.querySelector("#target .roll")),
};
let target = query.get("to")?.split(/[-_]/)[0].toLowerCase() || null;
let fading = 0;

function take(event) {
  if (["failure", "rejected", "gap"].includes(event.type)) {
    for (const roll of Object.values(rolls)) roll.drop(event.index);
  } else if (event.type === "caption" || event.type === "partial") {
    const write = (roll, language) =>
      roll.show({
        index: event.index,
        language,
        text: event.text[language] ?? "",
        stable: event.type === "partial" ? (event.stable?.[language] ?? 0) : null,
      });
    write(rolls.target, target ?? Object.keys(event.text).find((each) => each !== event.source) ?? event.source);
    if (style.source) write(rolls.source, event.source);
    seen();
  }
}

/** Shown from now on, until nothing has come for a while. */
function seen() {
  box.hidden = !box.querySelector("p");
  for (const roll of Object.values(rolls)) roll.trim();
  box.classList.remove("gone");
  clearTimeout(fading);
  if (style.fade) fading = setTimeout(() => box.classList.add("gone"), style.fade * 1000);
}

for (const [name, value] of Object.entries(style.properties)) document.documentElement.style.setProperty(name, value);
box.dataset.align = style.align;
box.dataset.position = style.position;
byId("source").hidden = !style.source;
const id = query.get("session");
if (id) {
  new Listener({
    id,
    to: target,
    patient: true,
    on: {
      ready: ({ targets }) => (target ??= targets?.[0] ?? null),
      event: take,
      waiting: () => {},
      over: () => (fading = setTimeout(() => box.classList.add("gone"), (style.fade || 8) * 1000)),
    },
  });
}
