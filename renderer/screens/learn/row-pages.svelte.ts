// Row pages: the rows of a draft or a run as a long list of which only the pages in sight are read, one at a time. After a change
// of the rows the old ones stay in sight until the new ones come.
/* eslint-disable svelte/prefer-svelte-reactivity -- maps are put in place of one another here, never changed where they are seen */
import type { RowsPage, NumberedRow } from '../../../shared/draft.ts';
import { toNamesakeError, type NamesakeError } from '../../../shared/errors.ts';
import type { RowKind } from '../../../shared/row.ts';
import type { Api } from '../../api.ts';

export type Subject = { draft: string } | { run: string };

/** What is shown of the rows; null = all. */
export interface RowFilter {
  kind: RowKind | null;
  lang: string | null;
  /** As it is typed: a blank at its end may be the one before the next word. */
  search: string;
}

export const everything: RowFilter = { kind: null, lang: null, search: '' };

/** Rows a page, and pages that are kept. */
export const PAGE = 100;
const KEPT = 40;

interface Page {
  rows: readonly NumberedRow[];
  /** Of which reading of the rows. */
  reading: number;
}

export class RowPages {
  /** null before the first page came. */
  #total = $state.raw<number | null>(null);
  #pages = $state.raw<ReadonlyMap<number, Page>>(new Map());
  #filter = $state.raw<RowFilter>(everything);
  #error = $state.raw<NamesakeError | null>(null);
  readonly #api: Pick<Api, 'request'>;
  readonly #of: Subject;
  /** Counts up with every change of the rows or the filter: answers to older questions are not taken. */
  #reading = 0;
  /** Pages of another filter are in sight: the first answer takes the place of all. */
  #otherRows = false;
  /** The first and the last page in sight. */
  #sight: [number, number] = [0, 0];
  #asking = false;
  #closed = false;

  /** Reads the first page at once. */
  constructor(api: Pick<Api, 'request'>, of: Subject) {
    this.#api = api;
    this.#of = of;
    void this.#read();
  }

  get total(): number | null {
    return this.#total;
  }

  get filter(): RowFilter {
    return this.#filter;
  }

  /** Why rows cannot be had; null where they can. */
  get error(): NamesakeError | null {
    return this.#error;
  }

  /** The row at a place of the list; null where it is not read yet. */
  at(index: number): NumberedRow | null {
    return this.#pages.get(Math.floor(index / PAGE))?.rows[index % PAGE] ?? null;
  }

  /** The place of a row among those that are read; -1 where it is not. */
  indexOf(number: number): number {
    for (const [page, { rows }] of this.#pages) {
      const place = rows.findIndex((row) => row.number === number);
      if (place >= 0) return page * PAGE + place;
    }
    return -1;
  }

  /** The rows from one place to another are in sight now. */
  show(from: number, to: number): void {
    this.#sight = [Math.floor(Math.max(0, from) / PAGE), Math.floor(Math.max(0, to) / PAGE)];
    void this.#read();
  }

  /** Shows other rows, from the first. */
  find(filter: RowFilter): void {
    this.#filter = filter;
    this.#otherRows = true;
    this.#sight = [0, 0];
    this.invalidate();
  }

  /** The rows were changed: those in sight are read again. */
  invalidate(): void {
    this.#reading++;
    this.#error = null;
    void this.#read();
  }

  /** All rows from one place to another, read where they are not; null where they were changed meanwhile. Throws NamesakeError. */
  async range(from: number, to: number): Promise<NumberedRow[] | null> {
    const reading = this.#reading;
    const rows: NumberedRow[] = [];
    for (let page = Math.floor(from / PAGE); page <= Math.floor(to / PAGE); page++) {
      const known = this.#pages.get(page);
      const found = known?.reading === reading ? known.rows : (await this.#ask(page)).rows;
      if (this.#reading !== reading) return null;
      rows.push(...found.slice(Math.max(0, from - page * PAGE), to - page * PAGE + 1));
    }
    return rows;
  }

  /** Nothing is read any more. */
  close(): void {
    this.#closed = true;
  }

  #ask(page: number): Promise<RowsPage> {
    const { kind, lang } = this.#filter;
    const search = this.#filter.search.trim();
    const filter = { ...(kind !== null && { kind }), ...(lang !== null && { lang }), ...(search !== '' && { search }) };
    return this.#api.request('rows.page', { of: this.#of, offset: page * PAGE, limit: PAGE, ...filter });
  }

  /** The next page in sight that is not of this reading. */
  #missing(): number | null {
    const [first, last] = this.#sight;
    const end = this.#total === null || this.#otherRows ? 0 : Math.floor(Math.max(0, this.#total - 1) / PAGE);
    for (let page = Math.min(first, end); page <= Math.min(last, end); page++) {
      if (this.#pages.get(page)?.reading !== this.#reading) return page;
    }
    return null;
  }

  /** Reads page after page until all in sight are there. One at a time: who scrolls far passes most of them by. */
  async #read(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (let page = this.#missing(); page !== null && !this.#closed; page = this.#missing()) {
        const reading = this.#reading;
        try {
          const { total, rows } = await this.#ask(page);
          if (reading === this.#reading) this.#take(page, total, rows);
        } catch (error) {
          if (reading !== this.#reading) continue;
          this.#error = toNamesakeError(error);
          return;
        }
      }
    } finally {
      this.#asking = false;
    }
  }

  #take(page: number, total: number, rows: readonly NumberedRow[]): void {
    const pages = new Map(this.#otherRows ? [] : this.#pages);
    this.#otherRows = false;
    const last = Math.floor(Math.max(0, total - 1) / PAGE);
    for (const known of [...pages.keys()]) if (known > last) pages.delete(known);
    pages.set(page, { rows, reading: this.#reading });
    if (pages.size > KEPT) {
      const [first] = this.#sight;
      const [farthest = page] = [...pages.keys()].sort((a, b) => Math.abs(b - first) - Math.abs(a - first));
      pages.delete(farthest);
    }
    this.#pages = pages;
    this.#total = total;
    this.#error = null;
  }
}
