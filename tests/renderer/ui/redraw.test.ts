// Drawing at most once a frame, and not while nobody sees it.
import { expect, test } from 'vitest';
import { Redraw, type Frames } from '../../../renderer/ui/redraw.ts';

class TestFrames implements Frames {
  hidden = false;
  #next: (() => void)[] = [];
  #shown: (() => void)[] = [];

  request(draw: () => void): void {
    this.#next.push(draw);
  }

  onShown(listener: () => void): () => void {
    this.#shown.push(listener);
    return () => void (this.#shown = this.#shown.filter((one) => one !== listener));
  }

  frame(): void {
    const now = this.#next;
    this.#next = [];
    for (const draw of now) draw();
  }

  hide(hidden: boolean): void {
    this.hidden = hidden;
    for (const listener of this.#shown) listener();
  }
}

test('many wishes within a frame are one drawing', () => {
  const frames = new TestFrames();
  let drawn = 0;
  const redraw = new Redraw(() => drawn++, frames);
  for (let i = 0; i < 10; i++) redraw.want();
  expect(drawn).toBe(0);
  frames.frame();
  frames.frame();
  expect(drawn).toBe(1);
  redraw.want();
  frames.frame();
  expect(drawn).toBe(2);
});

test('while the page is hidden nothing is drawn; when it is seen again, once', () => {
  const frames = new TestFrames();
  let drawn = 0;
  const redraw = new Redraw(() => drawn++, frames);
  redraw.want();
  frames.hide(true);
  frames.frame();
  for (let i = 0; i < 10; i++) redraw.want();
  frames.frame();
  expect(drawn).toBe(0);
  frames.hide(false);
  frames.frame();
  frames.frame();
  expect(drawn).toBe(1);
});

test('what is closed draws no more', () => {
  const frames = new TestFrames();
  let drawn = 0;
  const redraw = new Redraw(() => drawn++, frames);
  redraw.want();
  redraw.close();
  frames.frame();
  frames.hide(false);
  frames.frame();
  expect(drawn).toBe(0);
});
