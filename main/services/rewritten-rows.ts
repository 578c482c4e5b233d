// Rewritten rows: a draft's rows after its persona changed, as the wizard writes them now; what the person did to them stays.
import type { Recipe } from '../../shared/recipe.ts';
import type { Row } from '../../shared/row.ts';
import type { DraftRow, RowChange } from '../store/drafts.ts';
import { withFollowing } from './beginning.ts';

/** Writes the wizard's rows of a draft anew: `present` as they are, `old` as the wizard wrote them, `next` as it would now. */
export function rewrite(present: readonly DraftRow[], old: readonly Row[], next: readonly Row[], sameModel: boolean, change: RowChange): void {
  const before = new Map(old.map((row) => [row.id, row]));
  const after = new Map(next.map((row) => [row.id, row]));
  for (const { number, row } of present) {
    const [was, becomes] = [before.get(row.id), after.get(row.id)];
    after.delete(row.id);
    if (becomes === undefined) change.delete(number);
    else if (was === undefined || !isAsWritten(row, was)) continue;
    else if (!sameModel || !isAsWritten(row, becomes)) change.put(number, 'wizard', becomes);
  }
  // A row that the wizard had written and that is no longer there was deleted: it stays so.
  for (const row of after.values()) if (!before.has(row.id)) change.add('wizard', row);
}

/** Whether a row is what the wizard wrote, the base model's answer aside. */
function isAsWritten(row: Row, written: Row): boolean {
  const asked = row.origin === 'base' && written.origin === 'base' && row.messages.length === written.messages.length + 1;
  const messages = asked ? row.messages.slice(0, -1) : row.messages;
  return JSON.stringify({ ...row, messages }) === JSON.stringify(written);
}

/**
 * A recipe with what the wizard writes from taken from another one; the rest is the person's present choice, but for what follows from
 * the model where that is another.
 */
export function withWizardInputs(present: Recipe, other: Recipe): Recipe {
  const { name, model, data, seed } = other;
  const { source, persona, mix, systems } = data;
  return {
    ...(model.ref === present.model.ref ? present : withFollowing(present, other)),
    name,
    seed,
    model: model.ref === present.model.ref ? present.model : model,
    data: { ...present.data, source, persona, mix, systems },
  };
}
