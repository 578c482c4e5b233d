// Rows of a draft: as a window sends them, and how a test finds them.
import type { DraftService } from '../../main/services/drafts.ts';
import type { NumberedRow } from '../../shared/draft.ts';
import { rowSchema, type Row } from '../../shared/row.ts';

/** Turns of a conversation. */
export const user = (content: string) => ({ role: 'user' as const, content });
export const assistant = (content: string) => ({ role: 'assistant' as const, content });

/** A row as a window sends it. */
export const sent = (messages: unknown[], change: object = {}): Row => rowSchema.parse({ id: 'new', messages, ...change });

/** All rows, page by page. */
export function allRows(drafts: DraftService, draft: string): NumberedRow[] {
  const rows: NumberedRow[] = [];
  for (let total = 1; rows.length < total; ) {
    const page = drafts.page({ draft }, { offset: rows.length, limit: 200 });
    rows.push(...page.rows);
    total = page.total;
    if (page.rows.length === 0) break;
  }
  return rows;
}
