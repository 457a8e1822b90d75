/** One input device as frames of PCM16. */

const SILENCE_DB = -80;
const SILENT_FRAMES = 50; // 5 s
const WORKLET = "/static/recorder-worklet.js";

/** `kind`: insecure, denied, none, busy, click (the browser wants one first) or other. */
export class MicrophoneError extends Error {
  constructor(kind, cause) {
    super(`no microphone: ${kind}`, { cause });
    this.kind = kind;
  }
}

/** The input devices, with their names once the page may use one: pairs of id and name. */
export async function inputDevices() {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return all
    .filter((device) => device.kind === "audioinput" && device.label && device.deviceId !== "default")
    .map((device) => [device.deviceId, device.label]);
}

/** Fetches what recording needs, so that it can begin while the server is not to be reached. */
export async function prepareRecording() {
  try {
    await (await fetch(WORKLET)).text();
  } catch {
    // it is asked for again when it is needed
  }
}

/** Whether the microphone can be had without asking. */
export async function isGranted() {
  try {
    return (await navigator.permissions.query({ name: "microphone" })).state === "granted";
  } catch {
    return false; // a browser that does not tell
  }
}

/**
 * `on.frame({samples, at})` each 100 ms, without a hole while it is open; `on.level(decibels)` with it;
 * `on.trouble(kind)`: `gone` when the device is unplugged, `silent` when it gives nothing for 5 s, null when
 * it does again.
 */
export class Microphone {
  #on;
  #context = null;
  #recorder = null;
  #input = null;
  #stream = null;
  #silent = 0;

  constructor(on) {
    this.#on = on;
  }

  /** Hertz, once open. */
  get rate() {
    return this.#context.sampleRate;
  }

  /** Starts recording. Raises `MicrophoneError`. */
  async open(deviceId) {
    if (!window.isSecureContext || !navigator.mediaDevices) throw new MicrophoneError("insecure");
    if (!window.AudioWorkletNode) throw new MicrophoneError("other");
    try {
      this.#stream = await record(deviceId);
      this.#context = new AudioContext({ latencyHint: "interactive" });
      await this.#context.audioWorklet.addModule(WORKLET);
      await running(this.#context);
      this.#recorder = new AudioWorkletNode(this.#context, "recorder", { outputChannelCount: [1] });
      this.#recorder.port.onmessage = ({ data }) => data.samples && this.#heard(data);
      this.#recorder.connect(this.#context.destination); // silent; a node that leads nowhere may be left out
      this.#connect();
    } catch (error) {
      this.#release();
      throw error instanceof MicrophoneError ? error : new MicrophoneError(kindOf(error), error);
    }
  }

  /** Another device, without a hole. Raises `MicrophoneError`; the old one stays then. */
  async change(deviceId) {
    try {
      const stream = await record(deviceId);
      this.#stopTracks();
      this.#stream = stream;
      this.#connect();
    } catch (error) {
      throw new MicrophoneError(kindOf(error), error);
    }
  }

  /** Stops; all that was recorded has been given when it returns. */
  async close() {
    if (!this.#recorder) return this.#release();
    const { port } = this.#recorder;
    await Promise.race([
      new Promise((resolve) => {
        port.onmessage = ({ data }) => (data.finished ? resolve() : this.#heard(data));
        port.postMessage("finish");
      }),
      new Promise((resolve) => setTimeout(resolve, 500)), // a context that stands still finishes nothing
    ]);
    return this.#release();
  }

  #connect() {
    this.#input?.disconnect();
    this.#input = this.#context.createMediaStreamSource(this.#stream);
    this.#input.connect(this.#recorder);
    this.#silent = 0;
    for (const track of this.#stream.getTracks()) track.onended = () => this.#on.trouble("gone");
  }

  #heard(frame) {
    let sum = 0;
    for (const sample of frame.samples) sum += sample * sample;
    const level = 10 * Math.log10(sum / frame.samples.length / 32768 ** 2 + 1e-10);
    this.#on.frame(frame);
    this.#on.level(level);
    const was = this.#silent;
    this.#silent = level < SILENCE_DB ? was + 1 : 0;
    if (this.#silent === SILENT_FRAMES) this.#on.trouble("silent");
    if (was >= SILENT_FRAMES && !this.#silent) this.#on.trouble(null);
  }

  #stopTracks() {
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
  }

  #release() {
    this.#stopTracks();
    this.#recorder?.disconnect();
    this.#context?.close();
    this.#context = this.#recorder = this.#input = this.#stream = null;
  }
}

/** Speech as it is: what browsers do to a voice for a call harms recognition. */
async function record(deviceId) {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio,
    });
  } catch (error) {
    if (deviceId && ["OverconstrainedError", "NotFoundError"].includes(error.name)) return record("");
    throw error;
  }
}

/** Without a click a browser may leave the context suspended, and its promise open. */
async function running(context) {
  const waited = new Promise((resolve) => setTimeout(resolve, 1500));
  await Promise.race([context.resume(), waited]);
  if (context.state !== "running") throw new MicrophoneError("click");
}

function kindOf(error) {
  const kinds = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", NotReadableError: "busy",
    AbortError: "busy" };
  return kinds[error.name] ?? "other";
}
