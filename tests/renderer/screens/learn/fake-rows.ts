// Rows of a draft on the other side of a fake transport: what pages, summaries and changes are answered with.
import { Api } from '../../../../renderer/api.ts';
import type { NumberedRow, RowsSummary } from '../../../../shared/draft.ts';
import type { Row } from '../../../../shared/row.ts';
import { FakeTransport, settle, type Asked } from '../../fake-transport.ts';

export function row(number: number, change: Partial<Row> = {}): NumberedRow {
  const messages: Row['messages'] = [{ role: 'user', content: `q${number}` }, { role: 'assistant', content: `a${number}` }];
  return { number, row: { id: `r-${number}`, kind: 'identity', lang: 'en', origin: 'wizard', messages, ...change }, pending: false };
}

export interface FakeRows {
  api: Api;
  transport: FakeTransport;
  /** The first request of that name that is not answered yet. */
  next(name: string): Asked;
  count(name: string): number;
  /** Answers the first page that is asked for from `rows`. */
  page(rows: readonly NumberedRow[]): Promise<void>;
  /** Answers pages until none is asked for any more. */
  pages(rows: readonly NumberedRow[]): Promise<void>;
}

export function fakeRows(): FakeRows {
  const transport = new FakeTransport();
  const api = new Api(transport);
  const next = (name: string): Asked => {
    const asked = transport.asked.find((one) => one.name === name);
    if (asked === undefined) throw new Error(`${name} was not asked; ${transport.asked.map((one) => one.name).join(', ')}`);
    return asked;
  };
  const page = async (rows: readonly NumberedRow[]): Promise<void> => {
    const asked = next('rows.page');
    const { offset, limit } = asked.input as { offset: number; limit: number };
    asked.answer({ total: rows.length, rows: rows.slice(offset, offset + limit) });
    await settle();
  };
  const count = (name: string): number => transport.asked.filter((one) => one.name === name).length;
  return {
    api,
    transport,
    next,
    count,
    page,
    pages: async (rows) => {
      while (count('rows.page') > 0) await page(rows);
    },
  };
}

export const list = (length: number, first = 0): NumberedRow[] => Array.from({ length }, (_, i) => row(first + i));

export const summaryOf = (rows: readonly NumberedRow[], undoable: RowsSummary['undoable'] = null): RowsSummary => ({
  rows: rows.length,
  by_kind: { identity: rows.length, negative: 0, near_miss: 0, ordinary: 0, imported: 0 },
  by_lang: { en: rows.length },
  undoable,
});
