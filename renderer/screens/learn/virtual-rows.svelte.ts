// Virtual rows: which rows of a long list are in sight, and where. The library keeps its own state; this makes it reactive.
import { untrack } from 'svelte';
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, type VirtualItem } from '@tanstack/svelte-virtual';

/** Height of a row in px: two lines of text. One that is being typed in is measured. */
export const ROW_HEIGHT = 60;
/** Rows beside those in sight that are there already. */
const BESIDE = 8;

export class VirtualRows {
  #items = $state.raw<readonly VirtualItem[]>([]);
  #height = $state.raw(0);
  readonly #virtualizer: Virtualizer<HTMLElement, HTMLElement>;
  #element: HTMLElement | null = null;

  /** `onsight` hears the first and the last row in sight. */
  constructor(onsight: (from: number, to: number) => void) {
    const take = (): void => {
      // What is written here must not be read here: an effect that leads here would run again and again.
      const items = this.#virtualizer.getVirtualItems();
      this.#items = items;
      this.#height = this.#virtualizer.getTotalSize();
      const [first, last] = [items[0], items.at(-1)];
      // Whoever draws the rows does not hang on what is read for them.
      if (first !== undefined && last !== undefined) untrack(() => onsight(first.index, last.index));
    };
    this.#virtualizer = new Virtualizer<HTMLElement, HTMLElement>({
      count: 0,
      getScrollElement: () => this.#element,
      estimateSize: () => ROW_HEIGHT,
      overscan: BESIDE,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      onChange: take,
    });
  }

  get items(): readonly VirtualItem[] {
    return this.#items;
  }

  /** Of the whole list, in px. */
  get height(): number {
    return this.#height;
  }

  /** The element that scrolls, as a Svelte attachment. */
  readonly scroller = (element: HTMLElement): (() => void) => {
    this.#element = element;
    const unmount = this.#virtualizer._didMount();
    this.#virtualizer._willUpdate();
    return () => {
      unmount();
      this.#element = null;
    };
  };

  /** Measures a row that is not as high as the others; its element names its place in data-index. */
  readonly measured = (element: HTMLElement): (() => void) => {
    this.#virtualizer.measureElement(element);
    return () => this.#virtualizer.measure();
  };

  /** The list has so many rows. */
  resize(count: number): void {
    const { options } = this.#virtualizer;
    if (options.count === count) return;
    this.#virtualizer.setOptions({ ...options, count });
    this.#virtualizer._willUpdate();
    options.onChange(this.#virtualizer, false);
  }

  /** Brings a row into sight. */
  reveal(index: number): void {
    this.#virtualizer.scrollToIndex(index, { align: 'auto' });
  }

  /** How many rows are in sight at once. */
  get page(): number {
    return Math.max(1, Math.floor((this.#element?.clientHeight ?? ROW_HEIGHT) / ROW_HEIGHT) - 1);
  }
}
