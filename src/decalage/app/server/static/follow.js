/** Scrolling that goes with the newest text until the reader scrolls up. */

const NEAR_PX = 40;

/** `button` is shown while the view does not follow; it, or scrolling down to the end, follows again. */
export class Follow {
  #scroller;
  #button;
  #following = true;
  #last = 0;
  #frame = 0;

  constructor(scroller, button) {
    this.#scroller = scroller;
    this.#button = button;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => {
      this.resume();
      scroller.focus({ preventScroll: true });
    });
    new ResizeObserver(() => this.keep()).observe(scroller);
    this.#set(true);
  }

  /** Follows from now on. */
  resume() {
    this.#set(true);
    this.keep();
  }

  /** To be called when text came: scrolls to it with the next frame, unless the reader is elsewhere. */
  keep() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (!this.#following) return;
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      this.#last = this.#scroller.scrollTop;
    });
  }

  /** Growing text only moves the view down: a view that moved up was moved by its reader. */
  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (atEnd) this.#set(true);
    else if (scrollTop < this.#last - 2) this.#set(false);
    this.#last = scrollTop;
  }

  #set(following) {
    this.#following = following;
    this.#button.hidden = following;
    // Old rows go at the top: the browser keeps a reader's place, which must not look like a reader's move.
    this.#scroller.classList.toggle("following", following);
  }
}
