/** Sound that may have to be sent again: PCM16 on the stream clock, from the last acknowledgement on. */

/** So much sound is kept at most. */
export const KEPT_S = 90;

/**
 * Positions are samples of the session at `rate`. At most 90 s of sound are held; the oldest go first.
 * Between two frames sound may be missing that was never recorded: a hole.
 *
 *     0 ─────────── first ──────┤ hole ├──── end
 *       acknowledged      held here           ▲ push
 */
export class Tape {
  #frames = [];
  #first = 0;
  #end = 0;
  #held = 0;
  #dropped = 0;

  /** `rate` in Hertz; the first sample that is pushed is due at `startS`. */
  constructor(rate, startS = 0) {
    this.rate = rate;
    this.#first = this.#end = this.at(startS);
  }

  /** Position of the first sample that is held. */
  get first() {
    return this.#first;
  }

  /** Position after the newest sample. */
  get end() {
    return this.#end;
  }

  /** Seconds of sound that were never acknowledged and had to go. */
  get droppedS() {
    return this.#dropped / this.rate;
  }

  /** The position at `seconds`. */
  at(seconds) {
    return Math.round(seconds * this.rate);
  }

  /** The next `seconds` were not recorded. */
  skip(seconds) {
    this.#end += this.at(seconds);
    if (!this.#frames.length) this.#first = this.#end;
  }

  /**
   * For a session that begins only now: of what is held the last `mostS` seconds stay, and what went before
   * becomes a hole at the beginning, of `holeS` seconds at most.
   */
  rebase(mostS, holeS) {
    this.#drop(this.#end - this.at(mostS));
    const shift = Math.max(0, this.#first - this.at(holeS));
    for (const frame of this.#frames) frame.first -= shift;
    this.#first -= shift;
    this.#end -= shift;
  }

  /** Adds an `Int16Array`. */
  push(samples) {
    this.#frames.push({ first: this.#end, samples });
    this.#end += samples.length;
    this.#held += samples.length;
    while (this.#held > this.at(KEPT_S)) this.#drop(after(this.#frames[0]));
  }

  /** What lies before `seconds` is safe elsewhere. */
  acknowledge(seconds) {
    this.#trim(this.at(seconds));
  }

  /**
   * Samples from `position` on, at most `most` of them and none from behind a hole; `position` is one that
   * is held, or where a hole begins.
   */
  read(position, most) {
    const taken = new Int16Array(Math.min(most, this.#end - position));
    let filled = 0;
    for (const { first, samples } of this.#frames) {
      if (first + samples.length <= position) continue;
      if (first > position + filled || filled === taken.length) break;
      const from = Math.max(0, position - first);
      const part = samples.subarray(from, from + taken.length - filled);
      taken.set(part, filled);
      filled += part.length;
    }
    return taken.subarray(0, filled);
  }

  #drop(before) {
    const held = this.#held;
    this.#trim(before);
    this.#dropped += held - this.#held;
  }

  #trim(before) {
    while (this.#frames.length && after(this.#frames[0]) <= before) {
      this.#held -= this.#frames.shift().samples.length;
    }
    this.#first = this.#frames.length ? this.#frames[0].first : this.#end;
  }
}

function after({ first, samples }) {
  return first + samples.length;
}
