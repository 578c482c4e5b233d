// Own instructions: what a model's template writes before a conversation that brings no system text of its own.
import type { Api } from '../../api.ts';

/** Read off a row that the run learnt from, which went through the same template; null where no row shows it. */
export async function ownInstructions(api: Pick<Api, 'request'>, run: string): Promise<string | null> {
  const { rows } = await api.request('rows.page', { of: { run }, offset: 0, limit: 1 });
  const [row] = rows;
  if (row === undefined) return null;
  const { standard, text } = await api.request('rows.life', { of: { run }, number: row.number });
  const first = standard[0];
  if (text === null || first?.role !== 'user') return null;
  const at = text.template.indexOf(first.content);
  return at > 0 ? text.template.slice(0, at).trimEnd() : null;
}
