/** One row of the captions: its source beside its targets. */

import { make } from "./dom.js";
import { clock, duration, languageName, languageTag, noticeText } from "./texts.js";

/** A settled caption, with its time and lag. */
export function captionRow(event, targets) {
  const row = make("div", { class: `caption${alone(event, targets)}`, "data-index": event.index });
  const lag = typeof event.lag === "number" ? make("span", { class: "lag", text: duration(event.lag) }) : null;
  const degraded = event.degraded?.length
    ? make("span", { class: "degraded", text: "hurried", title: `Given up to be in time: ${event.degraded.join(", ")}` })
    : null;
  row.append(meta(event, lag, degraded), sourceText(event, plain), targetTexts(event, targets, plain));
  return row;
}

/** A caption that still grows: what is held apart from what may change. */
export function growingRow(event, targets) {
  const row = make("div", { class: `growing${alone(event, targets)}`, "data-index": event.index });
  row.append(meta(event), sourceText(event, grown), targetTexts(event, targets, grown));
  return row;
}

/** What stands in the place of a caption, or between two: gap, failure, rejected, language. */
export function noticeRow(event, targets) {
  const row = make("div", { class: `notice ${event.type}`, "data-index": event.index });
  row.append(meta(event), make("p", { class: "told", text: noticeText(event) }));
  const heard = Object.entries(event.text ?? {}).filter(([language]) => !targets.includes(language));
  for (const [language, text] of heard) row.append(textElement("source", language, plain(text)));
  return row;
}

function meta(event, ...more) {
  if (typeof event.start !== "number") return make("div", { class: "meta" });
  const time = make("span", { class: "time", text: clock(event.start), "data-seconds": event.start });
  return make("div", { class: "meta", "aria-hidden": "true" }, time, ...more);
}

/** Who reads the language that is spoken reads it once. */
function alone(event, targets) {
  return targets.length === 1 && targets[0] === event.source ? " alone" : "";
}

function sourceText(event, written) {
  return textElement("source", event.source, written(event.text[event.source] ?? "", event.stable?.[event.source]));
}

/** Each target in its place; one that failed says why, one that is the source's own language only if it is alone. */
function targetTexts(event, targets, written) {
  const shown = targets.length > 1 ? targets.filter((target) => target !== event.source) : targets;
  const box = make("div", { class: "targets" });
  for (const target of shown) {
    const error = event.errors?.[target];
    const text = event.text[target];
    const label = shown.length > 1 ? make("span", { class: "label", text: target, "aria-hidden": "true" }) : null;
    const element = error
      ? make("p", { class: "target failed", text: `Not translated to ${languageName(target)}: ${error}` })
      : textElement("target", target, written(text ?? "", event.stable?.[target]));
    if (label) element.prepend(label);
    box.append(element);
  }
  return box;
}

function textElement(name, language, nodes) {
  return make("p", { class: name, lang: languageTag(language), dir: "auto", "data-language": language }, ...nodes);
}

function plain(text) {
  return [text];
}

/** `stable` counts code points, which JavaScript's own indices do not. */
function grown(text, stable = 0) {
  const points = Array.from(text);
  const held = points.slice(0, stable).join("");
  const loose = points.slice(stable).join("");
  return [make("span", { class: "held", text: held }), make("span", { class: "loose", text: loose })];
}
