/** How the page is read: size of the text, colours, which languages, full screen. */

import { byId } from "./dom.js";
import { choices } from "./remembered.js";

const SIZES_PX = [14, 16, 18, 20, 23, 26, 30, 36, 44, 54, 66];
const USUAL = 3;

/** Puts the remembered settings in force and the controls to work. */
export function applySettings() {
  textSize();
  theme();
  shown();
  fullScreen();
}

function textSize() {
  let step = Math.min(SIZES_PX.length - 1, Math.max(0, Number(choices.get("size", USUAL)) || 0));
  const apply = () => {
    document.documentElement.style.setProperty("--size", `${SIZES_PX[step]}px`);
    byId("smaller").disabled = step === 0;
    byId("larger").disabled = step === SIZES_PX.length - 1;
  };
  const change = (by) => {
    step = Math.min(SIZES_PX.length - 1, Math.max(0, step + by));
    choices.set("size", step);
    apply();
  };
  byId("smaller").addEventListener("click", () => change(-1));
  byId("larger").addEventListener("click", () => change(1));
  apply();
}

/** The system's colours, until the reader wants the others. */
function theme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = byId("theme");
  const isDark = () => (choices.get("theme") ?? (system.matches ? "dark" : "light")) === "dark";
  const apply = () => {
    const chosen = choices.get("theme");
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    button.setAttribute("aria-pressed", String(isDark()));
  };
  button.addEventListener("click", () => {
    const wanted = isDark() ? "light" : "dark";
    if ((wanted === "dark") === system.matches) choices.forget("theme");
    else choices.set("theme", wanted);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

function shown() {
  const select = byId("show");
  const apply = () => (document.body.dataset.show = select.value);
  select.value = choices.get("show", "both");
  if (!select.value) select.value = "both";
  select.addEventListener("change", () => {
    choices.set("show", select.value);
    apply();
  });
  apply();
}

/** Captions alone; where the browser has no full screen, as on some phones, within its window. */
function fullScreen() {
  const button = byId("fullscreen");
  const set = (full) => {
    document.body.classList.toggle("full", full);
    button.setAttribute("aria-pressed", String(full));
  };
  button.addEventListener("click", async () => {
    const full = !document.body.classList.contains("full");
    set(full);
    try {
      if (full) await document.documentElement.requestFullscreen?.();
      else if (document.fullscreenElement) await document.exitFullscreen();
    } catch {
      // not allowed here: the captions fill the window
    }
  });
  document.addEventListener("fullscreenchange", () => !document.fullscreenElement && set(false));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (document.fullscreenElement) document.exitFullscreen();
    else set(false);
  });
}
