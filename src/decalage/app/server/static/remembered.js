/** What outlives the page: choices in localStorage, the running session in sessionStorage. */

const PREFIX = "decalage.";

/** Values of one storage as JSON. Where the browser forbids storage nothing is remembered. */
class Remembered {
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  get(name, otherwise = null) {
    try {
      const text = this.#storage().getItem(PREFIX + name);
      return text === null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  }

  set(name, value) {
    try {
      this.#storage().setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      // full or forbidden: the page works without
    }
  }

  forget(name) {
    try {
      this.#storage().removeItem(PREFIX + name);
    } catch {
      // as above
    }
  }
}

/** For good: theme, size of the text, languages, microphone. */
export const choices = new Remembered(() => window.localStorage);

/** For as long as this tab lives: the session's secret, the token. */
export const tab = new Remembered(() => window.sessionStorage);
