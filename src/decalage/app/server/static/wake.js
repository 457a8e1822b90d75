/** The screen stays on while somebody speaks or reads. */

let wanted = false;
let lock = null;

/** Asks for it, or gives it back; a browser that cannot is left alone. */
export async function keepAwake(awake) {
  wanted = awake;
  if (!awake) {
    lock?.release();
    lock = null;
  } else if (!lock && document.visibilityState === "visible") {
    try {
      lock = (await navigator.wakeLock?.request("screen")) ?? null;
      lock?.addEventListener("release", () => (lock = null));
      if (!wanted) keepAwake(false);
    } catch {
      lock = null; // a battery that is low, or a browser that does not
    }
  }
}

document.addEventListener("visibilitychange", () => wanted && keepAwake(true));
