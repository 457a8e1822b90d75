/** Sound that may have to be sent again: PCM16 on the stream clock, from the last acknowledgement on. */

const KEPT_S = 90;

/**
 * Positions are samples of the session at `rate`. At most 90 s are held; the oldest go first.
 *
 *     0 ─────────── first ────────────── end
 *       acknowledged      held here        ▲ push
 */
export class Tape {
  #frames = [];
  #first = 0;
  #end = 0;

  /** `rate` in Hertz; the first sample that is pushed is due at `startS`. */
  constructor(rate, startS = 0) {
    this.rate = rate;
    this.begin(startS);
  }

  /** Position of the first sample that is held. */
  get first() {
    return this.#first;
  }

  /** Position after the newest sample. */
  get end() {
    return this.#end;
  }

  /** The position at `seconds`. */
  at(seconds) {
    return Math.round(seconds * this.rate);
  }

  /** Forgets everything: the next sample is due at `startS`. */
  begin(startS) {
    this.#frames = [];
    this.#first = this.#end = this.at(startS);
  }

  /** Renumbers what is held, of which only the last `mostS` seconds stay, to begin at 0. */
  rebase(mostS) {
    this.#trim(this.#end - this.at(mostS));
    const shift = this.#first;
    for (const frame of this.#frames) frame.first -= shift;
    this.#first -= shift;
    this.#end -= shift;
  }

  /** Adds an `Int16Array`. */
  push(samples) {
    this.#frames.push({ first: this.#end, samples });
    this.#end += samples.length;
    this.#trim(this.#end - this.at(KEPT_S));
  }

  /** What lies before `seconds` is safe elsewhere. */
  acknowledge(seconds) {
    this.#trim(this.at(seconds));
  }

  /** Samples from `position` on, at most `most` of them; `position` is one that is held. */
  read(position, most) {
    const taken = new Int16Array(Math.min(most, this.#end - position));
    let filled = 0;
    for (const { first, samples } of this.#frames) {
      if (first + samples.length <= position) continue;
      const from = Math.max(0, position - first);
      const part = samples.subarray(from, from + taken.length - filled);
      taken.set(part, filled);
      filled += part.length;
      if (filled === taken.length) break;
    }
    return taken;
  }

  #trim(before) {
    while (this.#frames.length && this.#frames[0].first + this.#frames[0].samples.length <= before) {
      this.#frames.shift();
    }
    this.#first = this.#frames.length ? this.#frames[0].first : this.#end;
  }
}
