/** Every sentence the page says that depends on what happened, and how values are written. */

const NAMES = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

/** Languages of the recognizer that a browser may have no name for. */
const LESS_KNOWN = { ba: "Bashkir", bo: "Tibetan", haw: "Hawaiian", ln: "Lingala", nn: "Norwegian Nynorsk", oc: "Occitan" };

/** The BCP 47 tag for a `lang` attribute: two of the recognizer's codes are its own. */
export function languageTag(code) {
  return code === "jw" ? "jv" : code;
}

/** A language by its English name. */
export function languageName(code) {
  if (code === "auto") return "Detect the language";
  try {
    const name = LESS_KNOWN[code] ?? NAMES.of(languageTag(code));
    return name.charAt(0).toUpperCase() + name.slice(1);
  } catch {
    return code;
  }
}

/** Several languages in one phrase. */
export function languageNames(codes) {
  return new Intl.ListFormat("en").format(codes.map(languageName));
}

/** `m:ss`, from an hour on `h:mm:ss`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Seconds with the digits that are of use; a dash where there is no value. */
export function duration(seconds) {
  if (typeof seconds !== "number") return "–";
  return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
}

const GAP_CAUSES = {
  overload: "the server could not keep up",
  device: "no sound came from the microphone or over the connection",
  lost: "it could not be kept",
};

const REJECTIONS = {
  "no-speech": "A sound that was no speech",
  "no-text": "Speech in which no words were found",
  loop: "Speech that could not be made out",
};

const STAGES = { capture: "recording", vad: "finding speech", asr: "recognition", mt: "translation" };

/** What stands in the place of an utterance that has no caption. */
export function noticeText(event) {
  const length = (event.end - event.start).toFixed(1);
  switch (event.type) {
    case "gap":
      return `${length} s of sound were lost: ${GAP_CAUSES[event.cause] ?? event.cause}.`;
    case "rejected":
      return `${REJECTIONS[event.reason] ?? "No speech"} (${length} s)`;
    case "failure":
      return `Not captioned, ${STAGES[event.stage] ?? event.stage} failed: ${event.error}`;
    default:
      return event.before
        ? `From here on ${languageName(event.language)}, before it ${languageName(event.before)}`
        : `${languageName(event.language)} is spoken`;
  }
}

/** What a fatal error of the server means to the person at the page. */
export function errorText(code, message) {
  const told = {
    "not-allowed": "The server wants a token, or another one than this.",
    "unknown-session": "The session is over: the connection was away for too long.",
    "taken-over": "This session goes on in another window.",
    "too-fast": "The server was sent more sound than it takes.",
    busy: "All places on this server are taken.",
    internal: "The server had a defect.",
  }[code];
  return told ?? `The server says: ${message || code}`;
}

/** What a reader is told when nothing more comes. */
export function closedText(reason) {
  const told = {
    end: "The speaker has ended the session.",
    idle: "The session was ended: no sound came for a long time.",
    "too-long": "The session was ended: it has reached the longest time that the server allows.",
    draining: "The server is being stopped.",
    expired: "The session is over: the speaker's connection was lost.",
  }[reason];
  return told ?? "The session is over.";
}

/** What to do about a microphone that cannot be had; `kind` is that of a `MicrophoneError`. */
export function microphoneText(kind) {
  switch (kind) {
    case "insecure":
      return (
        "The browser gives the microphone only to pages that came over HTTPS or from this computer. Open " +
        `https://${location.host}, if the server has a certificate, or on the server's own machine ` +
        `http://localhost:${location.port || 80}. A file can be translated here all the same.`
      );
    case "click":
      return "The page was loaded again. Press Go on to speak.";
    case "denied":
      return (
        "This page may not use the microphone. Allow it by the sign beside the address, " +
        "or in the settings of the browser and the system, then press Start again."
      );
    case "none":
      return "No microphone was found. Connect one and press Start again, or drop a recording.";
    case "busy":
      return "The microphone does not answer; another program may be using it. Close that, or choose another one.";
    case "gone":
      return "The microphone was unplugged. Connect it again or choose another one; until then there is silence.";
    case "silent":
      return "No sound comes from this microphone. It may be muted; otherwise choose another one.";
    default:
      return "The browser cannot record sound.";
  }
}

/** While there is no connection: when it is tried again, and what becomes of what is said meanwhile. */
export function waitingText(seconds, keptS, droppedS) {
  const when = seconds < 2 ? "connecting again…" : `trying again in ${Math.round(seconds)} s.`;
  if (!keptS) return `Connection lost, ${when}`;
  const older = droppedS ? `; ${Math.ceil(droppedS)} s before them are lost` : "";
  return `Connection lost, ${when} The last ${keptS} s of your words are kept${older}.`;
}

/** What could not be kept while there was no connection. */
export function droppedText(seconds) {
  return `${Math.ceil(seconds)} s of your words were lost: there was no connection for too long.`;
}

/** Whether the server keeps sound. */
export function journalText(kept) {
  return kept ? "This server keeps the sound of each session." : "Nothing is kept on this server.";
}

/** What a server that cannot keep up gives up. */
export function overloadText(shedding) {
  const given = (Array.isArray(shedding) ? shedding : [shedding]).filter(Boolean);
  if (!given.length) return "";
  const told = {
    partials: "growing captions are left out",
    speculation: "nothing is begun before the end of a phrase",
    beam: "the search is narrow",
    model: "the smaller model listens",
    sound: "sound is being dropped",
  };
  return `The server cannot keep up: ${given.map((each) => told[each] ?? each).join(", ")}.`;
}
