/** The link to read along, its QR code, and the files of a session. */

import { byId, fill } from "./dom.js";
import { targetOptions, targetsOf } from "./languages.js";
import { languageName } from "./texts.js";

const LOCAL = /^(localhost|127\.|\[::1\]$)/;

/** The menus `#share` and `#downloads`. */
export class Share {
  #transcript;
  #session = null;
  #over = false;

  constructor(transcript) {
    this.#transcript = transcript;
    byId("share-to").addEventListener("change", () => this.#link());
    byId("share-copy").addEventListener("click", () => copy(byId("share-link")));
    byId("download-what").addEventListener("change", () => this.#files());
    for (const link of this.#links()) link.addEventListener("click", (event) => this.#download(event, link));
    closeMenus();
  }

  /** A session of the server, or with `id` null a recording that only this page knows. */
  offer({ id, source, targets, pairs, name = "captions" }) {
    this.#session = { id, name };
    this.#over = id === null;
    byId("share").hidden = id === null;
    byId("downloads").hidden = false;
    fill(byId("download-what"), filesOf(source, targets));
    this.#files();
    if (id === null) return;
    const readable = [...new Set([...targets, ...targetsOf(pairs, source)])];
    fill(byId("share-to"), targetOptions(readable, source), targets[0]);
    byId("share-local").hidden = !LOCAL.test(location.hostname);
    this.#link();
  }

  /** The session has ended: the server forgets it, this page does not yet. */
  finish() {
    this.#over = true;
    byId("share").hidden = true;
  }

  /** Nothing to share. */
  clear() {
    byId("share").hidden = true;
    byId("downloads").hidden = true;
  }

  #link() {
    const { id } = this.#session;
    const to = byId("share-to").value;
    const link = `${location.origin}/?${new URLSearchParams({ listen: id, to })}`;
    for (const anchor of [byId("share-link"), byId("share-qr-link")]) anchor.href = link;
    byId("share-link").textContent = link;
    const path = `/v1/sessions/${encodeURIComponent(id)}/qr.svg`;
    byId("share-qr").src = `${path}?${new URLSearchParams({ to })}`;
    byId("overlay-link").href = `/overlay?${new URLSearchParams({ session: id, to })}`;
  }

  #links() {
    return ["srt", "vtt", "txt", "json"].map((format) => byId(`download-${format}`));
  }

  /** `{show, to}` as chosen. */
  #what() {
    const [show, to] = byId("download-what").value.split(" ");
    return { show, to };
  }

  #files() {
    const { id, name } = this.#session;
    for (const link of this.#links()) {
      const { format } = link.dataset;
      const query = new URLSearchParams({ format, ...this.#what() });
      link.href = id === null ? "#" : `/v1/sessions/${encodeURIComponent(id)}/transcript?${query}`;
      link.download = `${name}.${format}`;
    }
  }

  /** Of a session that is over the server's file if it is still there, else one that is made here. */
  async #download(event, link) {
    if (!this.#over) return;
    event.preventDefault();
    const answer = this.#session.id === null ? null : await fetch(link.href).catch(() => null);
    const made = () => new Blob([this.#transcript.written(link.dataset.format, this.#what())], { type: "text/plain" });
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(answer?.ok ? await answer.blob() : made());
    anchor.download = link.download;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
  }
}

/** What can be in a file: each translation, the original, both together. */
function filesOf(source, targets) {
  const translations = targets.filter((target) => target !== source);
  const original = source === "auto" ? "Original" : languageName(source);
  return [
    ...translations.map((target) => [`target ${target}`, languageName(target)]),
    [`source ${targets[0]}`, original],
    ...translations.map((target) => [`both ${target}`, `${original} and ${languageName(target)}`]),
  ];
}

async function copy(link) {
  const button = byId("share-copy");
  const usual = "Copy the link";
  try {
    await navigator.clipboard.writeText(link.href);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(link); // a page without HTTPS may not: the reader presses the keys
    button.textContent = "Selected; copy it with Ctrl+C";
  }
  setTimeout(() => (button.textContent = usual), 3000);
}

/** A menu closes on Esc and when something else is pressed; one is open at a time. */
function closeMenus() {
  const menus = [byId("share"), byId("downloads")];
  document.addEventListener("pointerdown", ({ target }) => {
    for (const menu of menus) if (!menu.contains(target)) menu.open = false;
  });
  document.addEventListener("keydown", ({ key }) => {
    const open = menus.find((menu) => menu.open);
    if (key !== "Escape" || !open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });
}
