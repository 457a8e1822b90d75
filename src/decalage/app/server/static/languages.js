/** Which languages are chosen, of those that go together. */

import { byId, fill, make } from "./dom.js";
import { choices } from "./remembered.js";
import { languageName } from "./texts.js";

const MOST_TARGETS = 4;

/** The targets that speech in `source` can have, by name; its own language comes last. */
export function targetsOf(pairs, source) {
  const targets = pairs.filter(([from]) => from === source).map(([, to]) => to);
  return targets.sort((one, other) => (one === source) - (other === source) || byName(one, other));
}

/** Options of a select for `targets` of `source`. */
export function targetOptions(targets, source) {
  return targets.map((code) => [code, code === source ? `${languageName(code)} (not translated)` : languageName(code)]);
}

/** The selects `#from`, `#to` and the further ones beside it. */
export class LanguageChoice {
  #from = byId("from");
  #to = byId("to");
  #list = byId("to-list");
  #add = byId("add-language");
  #swap = byId("swap");
  #pairs = [];
  #wanted = [];

  /** `info` is that of `/v1/info`. */
  offer({ languages, defaults }) {
    this.#pairs = languages.pairs;
    const heard = [...languages.from].sort((one, other) => (other === "auto") - (one === "auto") || byName(one, other));
    fill(this.#from, heard.map((code) => [code, languageName(code)]), choices.get("from", defaults.from));
    this.#wanted = choices.get("to", [defaults.to].flat());
    this.#refill();
    for (const target of this.#wanted.slice(1)) this.#another(target);
    this.#from.addEventListener("change", () => this.#changed());
    this.#list.addEventListener("change", () => this.#changed());
    this.#add.addEventListener("click", () => {
      this.#another();
      this.#changed();
      this.#selects().at(-1).focus();
    });
    this.#swap.addEventListener("click", () => this.#turn());
    this.#refresh();
  }

  get source() {
    return this.#from.value;
  }

  /** Target languages, each once. */
  get targets() {
    return [...new Set(this.#selects().map((select) => select.value))].filter(Boolean);
  }

  /** Nothing can be changed while a session runs. */
  set disabled(disabled) {
    for (const control of [this.#from, this.#add, ...this.#list.querySelectorAll("select, button")]) {
      control.disabled = disabled;
    }
    this.#swap.disabled = disabled || !this.#turns();
  }

  #selects() {
    return Array.from(this.#list.querySelectorAll("select"));
  }

  #changed() {
    this.#refill();
    choices.set("from", this.source);
    choices.set("to", this.targets);
    this.#refresh();
  }

  #refill() {
    const fitting = targetsOf(this.#pairs, this.source);
    const options = targetOptions(fitting, this.source);
    this.#selects().forEach((select, number) => {
      const wanted = fitting.includes(select.value) ? select.value : this.#wanted[number];
      fill(select, options, fitting.includes(wanted) ? wanted : fitting[0]);
    });
  }

  #another(target = null) {
    const fitting = targetsOf(this.#pairs, this.source);
    const free = fitting.filter((code) => !this.targets.includes(code));
    const chosen = free.includes(target) ? target : free[0];
    if (!chosen) return;
    const select = make("select", { "aria-label": "Captions also in" });
    fill(select, targetOptions(fitting, this.source), chosen);
    const label = "Leave this language out";
    const remove = make("button", { type: "button", class: "tool", "aria-label": label, text: "×" });
    const row = make("div", { class: "further" }, select, remove);
    remove.addEventListener("click", () => {
      row.remove();
      this.#changed();
      this.#add.focus();
    });
    this.#list.append(row);
  }

  #turns() {
    const to = this.#to.value;
    return to !== this.source && this.#pairs.some(([from, into]) => from === to && into === this.source);
  }

  #turn() {
    const [source, target] = [this.source, this.#to.value];
    this.#from.value = target;
    this.#wanted = [source];
    this.#refill();
    this.#to.value = source;
    this.#changed();
  }

  #refresh() {
    this.#swap.disabled = !this.#turns();
    const more = targetsOf(this.#pairs, this.source).length > this.targets.length;
    this.#add.hidden = !more || this.#selects().length >= MOST_TARGETS;
  }
}

function byName(one, other) {
  return languageName(one).localeCompare(languageName(other), "en");
}
