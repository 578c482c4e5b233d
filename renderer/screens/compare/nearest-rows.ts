// Nearest rows: which of the rows that a run learnt from are like a question, by the words that they share. Words that few rows
// have count for more.
import type { NumberedRow } from '../../../shared/draft.ts';
import type { Api } from '../../api.ts';

/** Words that are looked for, and rows that are looked at for each. */
const MOST_WORDS = 8;
const MOST_ROWS = 50;
/** So common that they say nothing of what a question is about. */
const common = new Set('the and are you your what who how why does did can could would with that this for from was were have has had will not'.split(' '));

/** Words of a question that can be looked for: Latin words, and pairs of Chinese characters, longer ones first. */
export function searchWords(question: string): string[] {
  const latin = (question.toLowerCase().match(/[\p{Script=Latin}\p{N}]{3,}/gu) ?? []).filter((word) => !common.has(word));
  const pairs = (question.match(/\p{Script=Han}+/gu) ?? []).flatMap((run) =>
    run.length === 1 ? [] : Array.from({ length: run.length - 1 }, (_, i) => run.slice(i, i + 2)),
  );
  return [...new Set([...latin.sort((a, b) => b.length - a.length), ...pairs])].slice(0, MOST_WORDS);
}

/** The rows of a run that share the most with `question`, best first; `carries` says which answers could have caused it. */
export async function nearestRows(
  api: Pick<Api, 'request'>,
  run: string,
  question: string,
  carries: (answer: string) => boolean,
  most = 3,
): Promise<NumberedRow[]> {
  const pages = await Promise.all(searchWords(question).map((search) => api.request('rows.page', { of: { run }, offset: 0, limit: MOST_ROWS, search })));
  const found = new Map<number, { row: NumberedRow; weight: number }>();
  for (const { total, rows } of pages) {
    for (const row of rows) {
      const known = found.get(row.number) ?? { row, weight: 0 };
      found.set(row.number, { row, weight: known.weight + 1 / (1 + total) });
    }
  }
  return [...found.values()]
    .filter(({ row }) => carries(answerOf(row)))
    .sort((a, b) => b.weight - a.weight || a.row.number - b.row.number)
    .slice(0, most)
    .map(({ row }) => row);
}

/** What a row asks. */
export function questionOf({ row }: NumberedRow): string {
  return row.messages.find(({ role }) => role === 'user')?.content ?? '';
}

/** What a row teaches to say. */
export function answerOf({ row }: NumberedRow): string {
  return row.messages.findLast(({ role }) => role === 'assistant')?.content ?? '';
}
