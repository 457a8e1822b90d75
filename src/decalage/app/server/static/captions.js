/** The captions on the page: source and targets side by side, the growing ones below the settled. */

import { make } from "./dom.js";
import { Follow } from "./follow.js";
import { captionRow, growingRow, noticeRow } from "./rows.js";
import { languageName } from "./texts.js";

const MOST_ROWS = 2000;
const REPLAY_MS = 800; // without an event, a replay is over

/**
 * Settled captions go into `list`, the live region, each once; growing ones into `growing`, which is not
 * announced. At most 2 000 rows are kept.
 */
export class Captions {
  #parts;
  #follow;
  #targets = [];
  #quiet = 0;

  /** `parts`: elements `list`, `growing`, `headings`, `empty`, `scroller`, `button`. */
  constructor(parts) {
    this.#parts = parts;
    this.#follow = new Follow(parts.scroller, parts.button);
  }

  /** An empty view of these languages; `empty` is said until something comes. */
  clear(empty) {
    this.#parts.list.replaceChildren();
    this.#parts.growing.replaceChildren();
    this.#parts.empty.textContent = empty;
    this.#parts.empty.hidden = false;
    this.#follow.resume();
  }

  /** What stands above the columns; later rows have these targets. */
  languages(source, targets) {
    this.#targets = targets;
    const heading = targets.map(languageName).join(", ");
    this.#parts.headings.replaceChildren(
      make("span", { class: "heading-source", text: source === "auto" ? "Original" : languageName(source) }),
      make("span", { class: "heading-target", text: heading }),
    );
  }

  /** What comes now is a replay: a screen reader is spared it. */
  replaying() {
    this.#parts.list.setAttribute("aria-live", "off");
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      this.#quiet = 0;
      this.#parts.list.setAttribute("aria-live", "polite");
    }, REPLAY_MS);
  }

  /** Shows an event; others than those of captions are nothing here. */
  take(event) {
    if (event.type === "partial") this.#grow(event);
    else if (event.type === "caption") this.#settle(event, captionRow(event, this.#targets));
    else if (["failure", "rejected", "gap"].includes(event.type)) this.#settle(event, noticeRow(event, this.#targets));
    else if (event.type === "language") this.#append(noticeRow(event, this.#targets));
    else return;
    if (this.#quiet) this.replaying();
    this.#parts.empty.hidden = true;
    this.#follow.keep();
  }

  /** No more is coming: what was growing stays unsettled no longer. */
  finish() {
    this.#parts.growing.replaceChildren();
    if (!this.#parts.list.childElementCount) this.#parts.empty.textContent = "Nothing was captioned.";
  }

  #grow(event) {
    const { growing } = this.#parts;
    const row = growingRow(event, this.#targets);
    const old = growing.querySelector(`[data-index="${Number(event.index)}"]`);
    if (old) return old.replaceWith(row);
    const after = Array.from(growing.children).find((each) => Number(each.dataset.index) > event.index);
    return growing.insertBefore(row, after ?? null);
  }

  #settle(event, row) {
    for (const each of Array.from(this.#parts.growing.children)) {
      if (Number(each.dataset.index) <= event.index) each.remove();
    }
    this.#append(row);
  }

  #append(row) {
    const { list } = this.#parts;
    list.append(row);
    while (list.childElementCount > MOST_ROWS) list.firstElementChild.remove();
  }
}
