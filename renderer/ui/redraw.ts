// Redraw: draws at most once per frame of the screen, and not at all while nobody sees the page.

/** What a redraw needs of the page. */
export interface Frames {
  readonly hidden: boolean;
  request(draw: () => void): void;
  onShown(listener: () => void): () => void;
}

/** The page's own frames. */
export const pageFrames: Frames = {
  get hidden() {
    return document.hidden;
  },
  request(draw) {
    requestAnimationFrame(draw);
  },
  onShown(listener) {
    document.addEventListener('visibilitychange', listener);
    return () => document.removeEventListener('visibilitychange', listener);
  },
};

export class Redraw {
  readonly #draw: () => void;
  readonly #frames: Frames;
  readonly #forget: () => void;
  #wanted = false;
  #coming = false;
  #closed = false;

  /** `draw` draws everything as it is at that moment. */
  constructor(draw: () => void, frames: Frames = pageFrames) {
    this.#draw = draw;
    this.#frames = frames;
    this.#forget = frames.onShown(() => this.#schedule());
  }

  /** Something changed: it is drawn in the next frame, or when the page is seen again. */
  want(): void {
    this.#wanted = true;
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#forget();
  }

  #schedule(): void {
    if (!this.#wanted || this.#coming || this.#frames.hidden) return;
    this.#coming = true;
    this.#frames.request(() => {
      this.#coming = false;
      if (this.#closed || this.#frames.hidden) return;
      this.#wanted = false;
      this.#draw();
    });
  }
}
