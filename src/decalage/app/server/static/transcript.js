/** What was settled, and files made of it where there is no server to ask: SRT, WebVTT, plain text, JSON lines. */

const MOST_EVENTS = 20_000;
const COLUMNS = 42;
const LINES = 2;
const SETTLED = new Set(["start", "caption", "failure", "rejected", "gap", "language", "summary"]);

/** Settled events in order; the oldest go when there are more than 20 000. */
export class Transcript {
  #events = [];

  clear() {
    this.#events = [];
  }

  take(event) {
    if (!SETTLED.has(event.type)) return;
    this.#events.push(event);
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
  }

  /** The file in `format`; `what` is `{show: source | target | both, to}`. */
  written(format, what) {
    const captions = this.#events.filter((event) => event.type === "caption");
    switch (format) {
      case "srt":
        return srt(captions, what);
      case "vtt":
        return vtt(captions, what);
      case "txt":
        return txt(captions, what);
      default:
        return this.#events.map((event) => `${JSON.stringify(event)}\n`).join("");
    }
  }
}

/** SubRip. */
export function srt(captions, what) {
  return captions
    .flatMap((caption) => cues(caption, what))
    .map(({ start, end, lines }, number) => {
      const text = lines.join("\n").replaceAll("-->", "→");
      return `${number + 1}\n${stamp(start, ",")} --> ${stamp(end, ",")}\n${text}\n\n`;
    })
    .join("");
}

/** WebVTT. */
export function vtt(captions, what) {
  const body = captions
    .flatMap((caption) => cues(caption, what))
    .map(({ start, end, lines }) => `${stamp(start, ".")} --> ${stamp(end, ".")}\n${escaped(lines.join("\n"))}\n\n`);
  return `WEBVTT\n\n${body.join("")}`;
}

/** A line for each caption and language. */
export function txt(captions, what) {
  return captions
    .flatMap((caption) => texts(caption, what))
    .map((text) => `${text}\n`)
    .join("");
}

/** The texts of a caption that `what` asks for. Source text never stands in for a translation. */
function texts(caption, { show, to }) {
  const source = caption.text[caption.source];
  const target = caption.text[to];
  const chosen = { source: [source], target: [target], both: to === caption.source ? [source] : [source, target] }[show];
  return chosen.filter(Boolean).map((text) => text.replace(/\s+/g, " ").trim());
}

/** A caption as cues of two lines at most, each as long on screen as its share of the letters. */
function cues(caption, what) {
  const all = texts(caption, what);
  if (all.length > 1) return [{ start: caption.start, end: caption.end, lines: all }];
  const lines = all.flatMap(wrapped);
  const letters = lines.reduce((sum, line) => sum + line.length, 0);
  const found = [];
  let said = 0;
  for (let first = 0; first < lines.length; first += LINES) {
    const part = lines.slice(first, first + LINES);
    const start = caption.start + ((caption.end - caption.start) * said) / letters;
    said += part.reduce((sum, line) => sum + line.length, 0);
    found.push({ start, end: caption.start + ((caption.end - caption.start) * said) / letters, lines: part });
  }
  return found;
}

function wrapped(text) {
  const lines = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function stamp(seconds, point) {
  const ms = Math.round(seconds * 1000);
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const whole = `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}`;
  return `${whole}${point}${String(ms % 1000).padStart(3, "0")}`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
