/** A recording, sent as it is; its events while they come. */

/** Thrown when the server did not take the recording; `status` is HTTP's. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Gives `onEvent` each event of `file`, in order; returns when all came. `signal` stops it. Raises `Refused`,
 * and `TypeError` when the connection is lost.
 */
export async function translateFile(file, { source, targets, token, signal }, onEvent) {
  const query = new URLSearchParams({ from: source, to: targets.join(","), name: file.name });
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(`/v1/translate?${query}`, { method: "POST", body: file, headers, signal });
  if (!answer.ok) throw new Refused(answer.status, await told(answer));
  let last = null;
  for await (const line of linesOf(answer.body)) {
    last = JSON.parse(line);
    onEvent(last);
  }
  if (last?.type !== "summary") throw new TypeError("the answer was cut off");
}

/** Text lines of a stream of bytes, the empty ones left out. */
async function* linesOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    yield* lines.filter((line) => line.trim());
  }
  if (rest.trim()) yield rest;
}

/** The server's own words, however it wraps them. */
async function told(answer) {
  const text = await answer.text();
  try {
    const body = JSON.parse(text);
    return body.error?.message ?? body.message ?? body.detail ?? text;
  } catch {
    return text || answer.statusText;
  }
}

/** Calls `onFile` with a recording that is chosen in `input` or dropped anywhere; `veil` shows while it hovers. */
export function takeFiles(input, veil, onFile) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) onFile(file);
  });
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  window.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) onFile(file);
  });
}
