/** The page of somebody who speaks, or has a recording translated. */

import { Board } from "./board.js";
import { keptS } from "./connection.js";
import { byId, fill } from "./dom.js";
import { Refused, takeFiles, translateFile } from "./files.js";
import { LanguageChoice } from "./languages.js";
import { inputDevices, prepareRecording } from "./microphone.js";
import { hush, notice } from "./notice.js";
import { choices } from "./remembered.js";
import { Speaking, pastSession } from "./speaking.js";
import { setState, state } from "./state.js";
import {
  closedText,
  droppedText,
  errorText,
  journalText,
  languageNames,
  microphoneText,
  waitingText,
} from "./texts.js";
import { askToken, takeToken, token } from "./token.js";
import { keepAwake } from "./wake.js";

const FINISHING = "Finishing: the last words are still being captioned…";
const LEAST_DB = -60;
const MAY_LEAVE_MS = 8000; // after so long in "ending" the button leaves at once

/** `#start` is the one button: it starts, stops, goes on, or leaves, as the state is. */
export class Booth {
  #info = null;
  #languages = new LanguageChoice();
  #speaking = null;
  #file = null;
  #board = new Board(() => this.#now());
  #start = byId("start");
  #device = byId("device");

  constructor() {
    takeToken(() => hush("token"));
  }

  /** The page works with what the server has. */
  async open(info) {
    this.#info = info;
    this.#languages.offer(info);
    if (info.token && !token()) askToken();
    this.#journal(info.journal);
    this.#prompted("stability");
    this.#prompted("prompt");
    await prepareRecording();
    await this.#devices();
    this.#device.addEventListener("change", () => this.#changeDevice());
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#devices());
    this.#start.addEventListener("click", () => this.#pressed());
    takeFiles(byId("file"), byId("drop-veil"), (file) => this.#translate(file));
    this.#enter("idle", "Ready");
    if (!window.isSecureContext) notice(microphoneText("insecure"), "microphone");
    const past = pastSession();
    if (past) await this.#resume(past);
  }

  #now() {
    return ["live", "reconnecting", "ending"].includes(state()) ? (this.#speaking?.now ?? null) : null;
  }

  #pressed() {
    switch (state()) {
      case "idle":
      case "over":
        return this.#begin();
      case "live":
      case "reconnecting":
        return this.#speaking.recording ? this.#stop() : this.#record();
      case "ending":
        return this.#leave("Stopped");
      case "file":
        return this.#file.abort();
      default:
        return undefined;
    }
  }

  async #begin() {
    if (!this.#allowed()) return;
    hush();
    this.#enter("starting", "Starting the microphone…");
    this.#speaking = this.#speaker();
    try {
      await this.#speaking.start(this.#wish(), this.#device.value);
    } catch (error) {
      this.#speaking.abandon();
      this.#speaking = null;
      this.#trouble(error.kind);
      return this.#enter(byId("captions").childElementCount ? "over" : "idle", "Ready");
    }
    byId("player").pause();
    byId("player").hidden = true;
    this.#board.clear("Listening…");
    this.#enter("starting", "Connecting…");
    return this.#devices();
  }

  async #resume(past) {
    this.#board.clear("Listening…");
    this.#speaking = this.#speaker();
    this.#enter("reconnecting", "Going on with the session…");
    await this.#speaking.resume(past, token());
    await this.#devices();
  }

  /** Sound again, in a session that a reload left without. */
  async #record() {
    hush("microphone");
    try {
      await this.#speaking.record(this.#device.value);
      this.#enter("live", "Live");
    } catch (error) {
      this.#trouble(error.kind);
    }
  }

  async #stop() {
    const speaking = this.#speaking;
    this.#enter("ending", FINISHING);
    setTimeout(() => {
      if (this.#speaking === speaking && state() === "ending") this.#start.disabled = false;
    }, MAY_LEAVE_MS);
    await speaking.stop();
  }

  #leave(text) {
    this.#speaking?.abandon();
    this.#speaking = null;
    this.#finish(text);
  }

  #speaker() {
    return new Speaking({
      ready: (message) => this.#ready(message),
      event: (event) => this.#board.take(event),
      waiting: (seconds) => this.#waiting(seconds),
      level: (decibels) => this.#level(decibels),
      dropped: (seconds) => notice(droppedText(seconds), "dropped"),
      trouble: (kind) => this.#trouble(kind),
      over: (how) => this.#over(how),
    });
  }

  #ready({ source, targets, listen_id, languages, resumed, journal }) {
    const pairs = languages?.pairs ?? this.#info.languages.pairs;
    this.#board.languages(source, targets, { id: listen_id, pairs });
    document.title = `${languageNames(targets)} – décalage`;
    if (resumed) this.#board.replaying();
    if (journal !== undefined) this.#journal(journal);
    hush("server");
    if (state() === "ending") return this.#enter("ending", FINISHING);
    return this.#enter("live", this.#speaking?.recording ? "Live" : "Connected; the microphone is off");
  }

  #waiting(seconds) {
    const { recording, droppedS } = this.#speaking;
    const text = waitingText(seconds, recording ? keptS(this.#info.limits ?? {}) : 0, droppedS);
    this.#enter(state() === "ending" ? "ending" : "reconnecting", text);
    if (state() === "ending") this.#start.disabled = false;
  }

  #over({ reason, code, message }) {
    this.#speaking = null;
    const text = code ? errorText(code, message) : closedText(reason);
    if (code === "not-allowed") askToken();
    if (code) notice(text, code === "not-allowed" ? "token" : "session");
    else if (reason !== "end") notice(text, "session");
    this.#finish(code ? "Not connected" : "Finished");
  }

  #finish(text) {
    this.#board.finish();
    this.#level(LEAST_DB);
    this.#enter(byId("captions").childElementCount || !byId("summary").hidden ? "over" : "idle", text);
  }

  async #translate(file) {
    if (!["idle", "over"].includes(state()) || !this.#allowed()) return;
    hush();
    const { source, targets } = this.#languages;
    this.#file = new AbortController();
    this.#board.clear("Waiting for the first captions…");
    const name = file.name.replace(/\.[^.]*$/, "") || "captions";
    this.#board.languages(source, targets, { id: null, pairs: [], name });
    this.#play(file);
    this.#enter("file", `Translating ${file.name}`);
    try {
      const request = { source, targets, token: token(), signal: this.#file.signal };
      await translateFile(file, request, (event) => this.#board.take(event));
      this.#finish("Finished");
    } catch (error) {
      if (error instanceof Refused && error.status === 401) askToken();
      if (error.name !== "AbortError") notice(fileText(error), "file");
      this.#finish(error.name === "AbortError" ? "Stopped" : "Not translated");
    }
    this.#file = null;
  }

  /** The recording can be heard beside its captions, where the browser can play it. */
  #play(file) {
    const player = byId("player");
    if (player.src) URL.revokeObjectURL(player.src);
    player.hidden = true;
    player.src = URL.createObjectURL(file);
    player.onloadedmetadata = () => (player.hidden = false);
  }

  #wish() {
    const wish = {
      from: this.#languages.source,
      to: this.#languages.targets,
      stability: byId("stability").value,
    };
    const prompt = byId("prompt").value.trim();
    if (prompt) wish.prompt = prompt;
    return token() ? { ...wish, token: token() } : wish;
  }

  #allowed() {
    if (!this.#info.token || token()) return true;
    notice("Enter the token of this server first.", "token");
    askToken();
    return false;
  }

  async #changeDevice() {
    choices.set("device", this.#device.value);
    if (!this.#speaking?.recording) return;
    try {
      await this.#speaking.change(this.#device.value);
      hush("microphone");
    } catch (error) {
      this.#trouble(error.kind);
    }
  }

  async #devices() {
    const devices = await inputDevices();
    const wanted = this.#device.value || choices.get("device", "");
    fill(this.#device, [["", "System default"], ...devices], wanted);
    byId("setup").classList.toggle("devices", devices.length > 1);
  }

  #trouble(kind) {
    if (kind === null) return hush("microphone");
    return notice(microphoneText(kind), "microphone");
  }

  #level(decibels) {
    const level = Math.round(Math.max(LEAST_DB, Math.min(0, decibels)));
    byId("level").setAttribute("aria-valuenow", level);
    byId("level-bar").style.transform = `scaleX(${(level - LEAST_DB) / -LEAST_DB})`;
  }

  #journal(kept) {
    byId("journal").textContent = journalText(Boolean(kept));
  }

  #prompted(id) {
    const field = byId(id);
    field.value = choices.get(id, field.value);
    field.addEventListener("change", () => choices.set(id, field.value));
  }

  #enter(next, text) {
    setState(next, text);
    const running = !["idle", "over"].includes(next);
    keepAwake(running);
    this.#languages.disabled = running;
    const silent = running && this.#speaking && !this.#speaking.recording;
    const labels = { starting: "Starting…", live: "Stop", reconnecting: "Stop", ending: "Leave now", file: "Stop" };
    this.#start.textContent = silent && next !== "starting" && next !== "ending" ? "Go on" : (labels[next] ?? "Start");
    this.#start.classList.toggle("stop", running && !silent);
    this.#start.disabled = next === "starting" || next === "ending" || (!running && !window.isSecureContext);
    byId("file").disabled = running;
    if (!running) document.title = "décalage";
  }
}

function fileText(error) {
  if (!(error instanceof Refused)) return "The connection was lost before all of the recording was translated.";
  if (error.status === 401 || error.status === 403) return errorText("not-allowed");
  return `The recording could not be translated: ${error.message}`;
}

