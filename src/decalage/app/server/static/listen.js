/** The reader's side of the protocol: events of somebody else's session. */

import { LastingSocket } from "./socket.js";

const GONE = ["unknown-session", "unsupported-language", "not-allowed", "bad-message"];

/**
 * `on.ready(message)`, `on.event(message)`, `on.waiting(seconds)`, and once `on.over({reason, code, message})`.
 * `patient`: a session that is not known yet is waited for.
 */
export class Listener {
  #socket;
  #on;
  #lastSeq = null;
  #patient;

  constructor({ id, to = null, patient = false, on }) {
    this.#on = on;
    this.#patient = patient;
    this.#socket = new LastingSocket(() => this.#path(id, to), {
      open: () => {},
      message: (message) => this.#take(message),
      waiting: (seconds) => on.waiting(seconds),
    });
  }

  close() {
    this.#socket.close();
  }

  #path(id, to) {
    const query = new URLSearchParams();
    if (to) query.set("to", to);
    if (this.#lastSeq !== null) query.set("after", this.#lastSeq);
    return `/v1/sessions/${encodeURIComponent(id)}/captions?${query}`;
  }

  #take(message) {
    if (message.type !== "ready" && message.seq) this.#lastSeq = Math.max(this.#lastSeq ?? 0, message.seq);
    switch (message.type) {
      case "ready":
        this.#socket.steady();
        return this.#on.ready(message);
      case "closed":
        return this.#over({ reason: message.reason, code: null, message: "" });
      case "error":
        return message.fatal ? this.#fail(message) : undefined;
      case "pong":
        return undefined;
      default:
        return this.#on.event(message);
    }
  }

  #fail({ code, message }) {
    if (!GONE.includes(code)) return undefined; // the server closes the socket, which comes back
    if (this.#patient && code === "unknown-session") return this.#socket.reconnect(10);
    return this.#over({ reason: null, code, message });
  }

  #over(how) {
    this.close();
    this.#on.over(how);
  }
}
