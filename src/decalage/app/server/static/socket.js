/** A WebSocket that comes back. What is said over it is for its users to know. */

const FIRST_WAIT_S = 0.5;
const LONGEST_WAIT_S = 10;
const PING_AFTER_S = 5;
const DEAD_AFTER_S = 15;
const CHECK_EVERY_MS = 2500;

/** The address of `path` on the server of this page, over WebSocket. */
export function socketAddress(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

/**
 * Connects again with growing waits, at once when the network is back, and takes a connection
 * that says nothing for 15 s, pings included, for lost.
 *
 * `on.open()` and `on.message(object)` come of the newest connection alone; `on.waiting(seconds)`
 * when it is lost and will be tried again then. A user that got what it wanted calls `steady()`.
 */
export class LastingSocket {
  #path;
  #on;
  #socket = null;
  #timer = 0;
  #check = 0;
  #attempts = 0;
  #heard = 0;
  #closed = false;

  /** `path()` gives the path to connect to, asked anew each time. */
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    this.online = () => this.#timer && this.reconnect();
    window.addEventListener("online", this.online);
    this.#check = setInterval(() => this.#watch(), CHECK_EVERY_MS);
    this.#connect();
  }

  /** Bytes that the browser holds because the network is slow. */
  get pending() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Sends text or sound; false when there is no connection. */
  send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data : JSON.stringify(data));
    return true;
  }

  /** The connection is of use: the next loss is waited for as the first. */
  steady() {
    this.#attempts = 0;
  }

  /** Drops the connection and makes another, after `waitS` seconds. */
  reconnect(waitS = 0) {
    this.#drop();
    if (this.#closed) return;
    if (waitS) this.#on.waiting(waitS);
    this.#timer = setTimeout(() => this.#connect(), waitS * 1000);
  }

  /** Ends it for good. */
  close() {
    this.#closed = true;
    this.#drop();
    clearInterval(this.#check);
    window.removeEventListener("online", this.online);
  }

  #connect() {
    this.#timer = 0;
    this.#heard = performance.now();
    const socket = new WebSocket(socketAddress(this.#path()));
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.#heard = performance.now();
      this.#on.open();
    };
    socket.onmessage = ({ data }) => {
      this.#heard = performance.now();
      const message = parsed(data);
      if (message) this.#on.message(message);
    };
    socket.onclose = () => this.#again();
  }

  #again() {
    const wait = Math.min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** this.#attempts);
    this.#attempts += 1;
    this.reconnect(wait * (0.75 + 0.5 * Math.random()));
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  #watch() {
    if (!this.#socket) return;
    const silent = (performance.now() - this.#heard) / 1000;
    if (silent > DEAD_AFTER_S) this.#again();
    else if (silent > PING_AFTER_S) this.send({ type: "ping" });
  }
}

function parsed(data) {
  try {
    const message = JSON.parse(data);
    return message && typeof message.type === "string" ? message : null;
  } catch {
    return null; // not of this protocol
  }
}
