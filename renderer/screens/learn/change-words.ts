// Change in words: what a change of the rows did, for undo.
import type { RowsChange } from '../../../shared/draft.ts';
import { t } from '../../state/words.svelte.ts';

/** "3 rows deleted", in the page's language. */
export function changeInWords({ added, edited, deleted, rewritten }: RowsChange): string {
  if (rewritten) return t('learn.change_rewritten');
  const parts = [
    ...(added > 0 ? [t('learn.change_added', { rows: added })] : []),
    ...(edited > 0 ? [t('learn.change_edited', { rows: edited })] : []),
    ...(deleted > 0 ? [t('learn.change_deleted', { rows: deleted })] : []),
  ];
  return parts.join(t('punctuation.list'));
}
