// Comparison: what was asked before and after, side by side.
import type { QuestionAnswer } from '../../shared/run.ts';
import { h } from '../dom.ts';
import { t } from '../words.ts';

/** The table in the language of the moment; empty where nothing was compared. */
export function comparison(before: readonly QuestionAnswer[], after: readonly QuestionAnswer[]): HTMLElement[] {
  if (after.length === 0) return [];
  const rows = after.map(({ question, answer }, i) =>
    h('tr', {}, h('th', { scope: 'row', dir: 'auto' }, question), h('td', { dir: 'auto' }, before[i]?.answer ?? ''), h('td', { dir: 'auto' }, answer)),
  );
  const head = (['compare.question', 'result.before', 'result.after'] as const).map((key) => h('th', { scope: 'col' }, t(key)));
  return [
    h('h3', {}, t('compare.title')),
    h('div', { class: 'wide' }, h('table', { class: 'comparison' }, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows))),
  ];
}
