/** The speaker's side of the protocol: sound out, events in, over as many sockets as it takes. */

import { LastingSocket } from "./socket.js";
import { KEPT_S } from "./tape.js";

const PATH = "/v1/stream";
const MESSAGE_S = 1; // sound in one message, when there is much to send again
const MESSAGES_AT_ONCE = 8;
const PUMP_MS = 100;
const PENDING_BYTES = 400_000; // more than this waits here, where it can be dropped in order
const FINAL = ["bad-message", "bad-audio", "unsupported-language", "unsupported-version", "not-allowed",
  "unknown-session", "taken-over"];

/**
 * `wish` is the body of `config`; `past`, of a session to go on with, has `session`, `lastSeq`, `sentS`
 * and `receivedS`. Sound is taken from `tape`, which may be null at first.
 *
 * `on.ready(message)`, `on.event(message)` (each other message but `ack`, `pong` and `error`),
 * `on.waiting(seconds)`, `on.progress()` (sent or acknowledged), `on.dropped(seconds)` (of sound, since it was
 * last told), and once `on.over({reason, code, message})`.
 *
 * Nothing is sent across a hole of the tape. When what lies before it is safe, the socket is closed and the
 * session resumed with `audio_from_s`; so is what fell off the tape.
 */
export class Connection {
  #wish;
  #on;
  #socket = null;
  #timer = 0;
  #tape = null;
  #ready = false;
  #cursor = 0;
  #limits = {};
  #ending = false;
  #endSent = false;
  #droppedS = 0; // as told

  constructor({ wish, past = null, tape = null, on }) {
    this.#wish = wish;
    this.#on = on;
    this.#tape = tape;
    this.session = past?.session ?? null;
    this.lastSeq = past?.lastSeq ?? 0;
    this.sentS = past?.sentS ?? 0;
    this.receivedS = past?.receivedS ?? 0;
    this.#socket = new LastingSocket(() => PATH, {
      open: () => this.#socket.send(this.#config()),
      message: (message) => this.#take(message),
      waiting: (seconds) => {
        this.#ready = false;
        on.waiting(seconds);
      },
    });
    this.#timer = setInterval(() => this.#pump(), PUMP_MS);
  }

  /** Seconds of sound that fell off the tape and of which nothing was told yet. */
  get droppedS() {
    return (this.#tape?.droppedS ?? 0) - this.#droppedS;
  }

  /** Sound comes from `tape` from now on, which lost what came before its start. */
  continueWith(tape) {
    this.#tape = tape;
    this.#droppedS = 0;
    this.again();
  }

  /** Says `config` anew, as when sound was lost here. */
  again() {
    this.#ready = false;
    this.#socket.reconnect();
  }

  /** There is more on the tape. */
  push() {
    if (this.#ready && !this.#socket.pending) this.#pump();
  }

  /** No more sound will be pushed: settle everything. `on.over` follows. */
  end() {
    this.#ending = true;
    this.#pump();
  }

  /** Leaves, whatever is still to come. */
  close() {
    clearInterval(this.#timer);
    this.#socket.close();
    this.#ready = false;
  }

  #config() {
    const rate = this.#tape?.rate ?? 48000;
    const config = { type: "config", version: 1, sample_rate: rate, encoding: "pcm_s16le" };
    if (!this.session) return { ...this.#wish, ...config };
    const resume = { session: this.session, last_seq: this.lastSeq, audio_sent_s: this.sentS };
    const startS = (this.#tape?.first ?? 0) / rate;
    if (this.#tape && startS > this.receivedS + 1 / rate) resume.audio_from_s = startS;
    const { token } = this.#wish;
    return token ? { ...config, token, resume } : { ...config, resume };
  }

  #take(message) {
    if (message.seq) this.lastSeq = Math.max(this.lastSeq, message.seq);
    switch (message.type) {
      case "ready":
        return this.#begin(message);
      case "ack":
        return this.#acknowledge(message.audio_received_s);
      case "pong":
        return undefined;
      case "error":
        return this.#fail(message);
      case "closed":
        return this.#over({ reason: message.reason, code: null, message: "" });
      default:
        return this.#on.event(message);
    }
  }

  #begin(message) {
    this.#limits = message.limits ?? {};
    this.session = message.session;
    if (!message.resumed) {
      const mostS = keptS(this.#limits);
      this.#tape?.rebase(mostS, aheadS(this.#limits) - mostS);
    }
    this.receivedS = message.audio_received_s;
    this.#tape?.acknowledge(this.receivedS);
    this.#cursor = this.#tape?.at(this.receivedS) ?? 0;
    if (this.#tape?.first === this.#cursor + 1) this.#cursor += 1; // of another rate, rounded
    this.#ready = true;
    this.#endSent = false;
    this.#on.ready(message);
    this.#tellDropped();
    this.#pump();
  }

  #tellDropped() {
    if (this.droppedS > 0) this.#on.dropped(this.droppedS);
    this.#droppedS = this.#tape?.droppedS ?? 0;
  }

  #acknowledge(seconds) {
    this.#socket.steady();
    this.receivedS = seconds;
    this.#tape?.acknowledge(seconds);
    this.#on.progress();
  }

  #fail({ code, message, fatal }) {
    if (!fatal) return;
    this.#ready = false;
    if (FINAL.includes(code)) this.#over({ reason: null, code, message });
    else if (code === "busy" && !this.session) this.#over({ reason: null, code, message });
    // of the others the socket is closed by the server, and the session resumed after a wait
  }

  #over(how) {
    this.close();
    this.#on.over(how);
  }

  #pump() {
    if (!this.#ready) return;
    const tape = this.#tape;
    if (tape && tape.first > this.#cursor) return void this.again(); // declare what is missing
    for (let sent = 0; tape && sent < MESSAGES_AT_ONCE && this.#cursor < tape.end; sent += 1) {
      if (this.#socket.pending > PENDING_BYTES) return;
      const samples = tape.read(this.#cursor, this.#most(tape.rate));
      if (!samples.length) return; // a hole: it is declared when all before it is acknowledged
      if (!this.#socket.send(samples)) return;
      this.#cursor += samples.length;
      this.sentS = Math.max(this.sentS, this.#cursor / tape.rate);
    }
    const all = !tape || this.#cursor >= tape.end;
    if (this.#ending && all && !this.#endSent) this.#endSent = this.#socket.send({ type: "end" });
  }

  #most(rate) {
    return Math.floor(Math.min(MESSAGE_S * rate, (this.#limits.frame_bytes ?? 32_000) / 2));
  }
}

/** How much of what was said before a session begins it can begin with. */
export function keptS(limits) {
  return Math.max(0, Math.min(KEPT_S, Math.floor(aheadS(limits) - 1)));
}

/** How early sound may be from the beginning on, so that it is not too early when clocks have drifted. */
function aheadS({ ahead_s = 10 }) {
  return 0.9 * ahead_s;
}
