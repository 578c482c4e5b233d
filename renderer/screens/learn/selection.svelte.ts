// Selection: the rows that are chosen, by their numbers, and the one that the keyboard is at, by its place. Numbers stay a row's
// own while others come and go; places do not.
/* eslint-disable svelte/prefer-svelte-reactivity -- sets are put in place of one another here, never changed where they are seen */
import type { RowPages } from './row-pages.svelte.ts';

/** How a row is chosen: alone; with all between it and the last one; or beside the others, or no more. */
export type Choice = 'alone' | 'through' | 'toggle';

export class Selection {
  #numbers = $state.raw<ReadonlySet<number>>(new Set());
  /** null = no row. */
  #cursor = $state.raw<number | null>(null);
  #anchor = 0;
  #choosing = 0;
  readonly #pages: Pick<RowPages, 'at' | 'range' | 'total'>;

  constructor(pages: Pick<RowPages, 'at' | 'range' | 'total'>) {
    this.#pages = pages;
  }

  get numbers(): ReadonlySet<number> {
    return this.#numbers;
  }

  /** Place of the row that the keyboard is at; null where there is none. */
  get cursor(): number | null {
    const total = this.#pages.total ?? 0;
    return this.#cursor === null || total === 0 ? null : Math.min(this.#cursor, total - 1);
  }

  /** Number of the row at the cursor; null where none is, or where it is not read yet. */
  get current(): number | null {
    return this.cursor === null ? null : (this.#pages.at(this.cursor)?.number ?? null);
  }

  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  /** Goes to a place and chooses there. Throws NamesakeError where rows in between cannot be had. */
  async choose(index: number, how: Choice): Promise<void> {
    const mine = ++this.#choosing;
    const from = how === 'through' ? this.#anchor : index;
    this.#cursor = index;
    if (how !== 'through') this.#anchor = index;
    const known = this.#pages.at(index);
    const rows = from === index && known !== null ? [known] : await this.#pages.range(Math.min(from, index), Math.max(from, index));
    if (rows === null || mine !== this.#choosing) return;
    const numbers = rows.map(({ number }) => number);
    if (how !== 'toggle') this.#numbers = new Set(numbers);
    else this.#numbers = new Set(numbers.some((number) => this.has(number)) ? [...this.#numbers].filter((number) => !numbers.includes(number)) : [...this.#numbers, ...numbers]);
  }

  /** Goes to a place and leaves what is chosen. */
  move(index: number): void {
    this.#choosing++;
    this.#cursor = index;
    this.#anchor = index;
  }

  /** No row is chosen; the cursor stays. */
  clear(): void {
    this.#choosing++;
    this.#numbers = new Set();
  }

  /** Other rows: nothing of these is chosen, and the cursor is nowhere. */
  reset(): void {
    this.clear();
    this.#cursor = null;
    this.#anchor = 0;
  }
}
