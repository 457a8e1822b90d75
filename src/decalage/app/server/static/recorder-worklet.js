/** In the audio thread: what the microphone gives, as mono PCM16 in frames of 100 ms. */

const FRAMES_A_SECOND = 10;

/**
 * Posts `{samples: Int16Array, at}`, `at` the wall clock in ms after the last sample. An input without a
 * device is silence, so that the clock runs on. `finish` posts what is left and then `{finished: true}`.
 */
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Int16Array(Math.round(sampleRate / FRAMES_A_SECOND));
    this.filled = 0;
    this.running = true;
    this.port.onmessage = ({ data }) => data === "finish" && this.finish();
  }

  process([channels], [output]) {
    if (!this.running) return false;
    const length = channels[0]?.length ?? output?.[0]?.length ?? 128;
    for (let index = 0; index < length; index += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[index];
      const sample = channels.length ? sum / channels.length : 0;
      this.frame[this.filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
      this.filled += 1;
      if (this.filled === this.frame.length) this.post();
    }
    return true;
  }

  post() {
    const samples = this.frame.slice(0, this.filled);
    this.filled = 0;
    this.port.postMessage({ samples, at: Date.now() }, [samples.buffer]);
  }

  finish() {
    if (this.filled) this.post();
    this.running = false;
    this.port.postMessage({ finished: true });
  }
}

registerProcessor("recorder", Recorder);
