/** A session of one's own: microphone, tape and connection, over lost sockets and reloads of the page. */

import { Connection } from "./connection.js";
import { Microphone, MicrophoneError, isGranted } from "./microphone.js";
import { tab } from "./remembered.js";
import { Tape } from "./tape.js";

const SESSION = "session";
const HOLE_MS = 2000; // between two frames: the computer slept

/** The session that this tab had when it was left, or null. */
export function pastSession() {
  return tab.get(SESSION);
}

/**
 * `on.ready(message)`, `on.event(message)`, `on.waiting(seconds)`, `on.level(decibels)`, `on.trouble(kind)`
 * (that of a `MicrophoneError`, `gone`, `silent`, or null), `on.dropped(seconds)` of sound that could not be
 * kept, `on.over({reason, code, message})`.
 */
export class Speaking {
  #on;
  #microphone;
  #connection = null;
  #tape = null;
  #originMs = null;
  #lastAt = 0;
  #kept = {};
  #deviceId = "";
  #leave = () => this.#keep();

  constructor(on) {
    this.#on = on;
    this.#microphone = new Microphone({
      frame: (frame) => this.#heard(frame),
      level: on.level,
      trouble: on.trouble,
    });
    window.addEventListener("pagehide", this.#leave);
  }

  /** The stream clock in seconds; null before it runs. */
  get now() {
    return this.#originMs === null ? null : (Date.now() - this.#originMs) / 1000;
  }

  /** Seconds of sound that had to go since the connection was lost. */
  get droppedS() {
    return this.#connection?.droppedS ?? 0;
  }

  /** Whether sound is being recorded. */
  get recording() {
    return this.#tape !== null;
  }

  /** A new session. Raises `MicrophoneError`. */
  async start(wish, deviceId) {
    this.#deviceId = deviceId;
    await this.#microphone.open(deviceId);
    this.#tape = new Tape(this.#microphone.rate);
    this.#connection = this.#connect(wish, null);
  }

  /** Goes on with a session of this tab; the microphone only if it can be had without asking. */
  async resume(past, token) {
    this.#kept = past;
    this.#originMs = past.originMs;
    this.#deviceId = past.deviceId;
    try {
      if (!(await isGranted())) throw new MicrophoneError("click");
      await this.#open();
    } catch (error) {
      this.#on.trouble(error.kind);
    }
    this.#connection = this.#connect(token ? { token } : {}, past);
  }

  /** Sound again, in a session that was resumed without. Raises `MicrophoneError`. */
  async record(deviceId) {
    this.#deviceId = deviceId;
    await this.#open();
    this.#connection?.continueWith(this.#tape);
  }

  /** Another microphone. Raises `MicrophoneError`. */
  async change(deviceId) {
    await this.#microphone.change(deviceId);
    this.#deviceId = deviceId;
  }

  /** Ends the session: what was said is still settled, then `on.over`. */
  async stop() {
    await this.#microphone.close();
    this.#connection.end();
  }

  /** Leaves at once. */
  abandon() {
    this.#microphone.close();
    this.#connection?.close();
    this.#end();
  }

  #connect(wish, past) {
    const on = this.#on;
    return new Connection({
      wish,
      past: past && { session: past.session, lastSeq: 0, sentS: past.sentS, receivedS: past.receivedS },
      tape: this.#tape,
      on: {
        ready: (message) => {
          this.#kept = { ...this.#kept, session: message.session, listenId: message.listen_id };
          if (this.#tape && this.#lastAt) this.#setOrigin();
          this.#keep();
          on.ready(message);
        },
        event: on.event,
        waiting: on.waiting,
        dropped: on.dropped,
        progress: () => this.#keep(),
        over: (how) => {
          this.#microphone.close();
          this.#end();
          on.over(how);
        },
      },
    });
  }

  /** Opens the microphone in a session whose clock runs already: sound begins where the clock stands then. */
  async #open() {
    await this.#microphone.open(this.#deviceId);
    const startS = Math.max(this.now, this.#connection?.sentS ?? this.#kept.sentS, this.#kept.receivedS);
    this.#tape = new Tape(this.#microphone.rate, startS);
  }

  #heard({ samples, at }) {
    const hole = this.#lastAt ? at - this.#lastAt : 0;
    if (hole > HOLE_MS) this.#tape.skip(hole / 1000 - samples.length / this.#tape.rate);
    this.#tape.push(samples);
    this.#lastAt = at;
    this.#setOrigin();
    this.#connection?.push();
  }

  /** The wall clock of sample 0, taken anew from each frame, since the two clocks drift. */
  #setOrigin() {
    this.#originMs = this.#lastAt - (this.#tape.end / this.#tape.rate) * 1000;
  }

  #keep() {
    const connection = this.#connection;
    if (!connection?.session) return;
    this.#kept = {
      ...this.#kept,
      originMs: this.#originMs,
      sentS: connection.sentS,
      receivedS: connection.receivedS,
      deviceId: this.#deviceId,
    };
    tab.set(SESSION, this.#kept);
  }

  #end() {
    window.removeEventListener("pagehide", this.#leave);
    this.#connection = null;
    tab.forget(SESSION);
  }
}
