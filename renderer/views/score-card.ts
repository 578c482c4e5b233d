// Score card: what the chosen checkpoint scored, against the base.
import type { RunDetails } from '../../shared/api.ts';
import { languages } from '../languages.ts';
import { h } from '../dom.ts';
import { percent, t } from '../words.ts';
import type { MessageKey } from '../../shared/i18n/translate.ts';

type Shown = Pick<RunDetails, 'checkpoints' | 'chosen_step' | 'right' | 'missed' | 'step'>;

/** The verdict in a sentence; null where nothing was evaluated. */
function verdict({ right, missed, chosen_step, step }: Shown): string | null {
  if (right === null || chosen_step === null) return null;
  const where = { step: chosen_step, steps: step };
  if (right) return t('result.right', where);
  const words = missed.map((limit) => {
    const [language = '', what = ''] = limit.split('.');
    return t(`missed.${what}` as MessageKey, { language: t(`language.${language}` as MessageKey) });
  });
  return t('result.not_right', { ...where, missed: words.join(t('punctuation.list')) });
}

/** The card as elements, in the language of the moment; empty before the first evaluation. */
export function scoreCard(run: Shown): HTMLElement[] {
  const base = run.checkpoints.find(({ step }) => step === 0)?.scores ?? null;
  const scored = run.checkpoints.filter(({ step, scores }) => step > 0 && scores !== null);
  const now = (scored.find(({ step }) => step === run.chosen_step) ?? scored.at(-1))?.scores ?? base;
  if (now === null) return [];
  const was = (value: number, before: number | undefined): string =>
    before === undefined || now === base ? percent(value) : t('score.was', { now: percent(value), before: percent(before) });
  const rows = languages.flatMap((language) => {
    const score = now[language];
    if (score === undefined) return [];
    return [
      h('tr', {},
        h('th', { scope: 'row' }, t(`language.${language}`)),
        h('td', {}, was(score.recall, base?.[language]?.recall)),
        h('td', {}, was(score.leak, base?.[language]?.leak)),
      ),
    ];
  });
  const said = verdict(run);
  return [
    h('h3', {}, t('score.title')),
    ...(said === null ? [] : [h('p', { class: run.right === true ? 'verdict good' : 'verdict' }, said)]),
    h('table', { class: 'scores' },
      h('caption', {}, t('score.intro')),
      h('thead', {}, h('tr', {}, h('td'), h('th', { scope: 'col' }, t('score.recall')), h('th', { scope: 'col' }, t('score.leak')))),
      h('tbody', {}, ...rows),
    ),
    h('p', { class: 'quiet' }, t('score.ratio', { ratio: now.retention.perplexity_ratio.toFixed(2) })),
  ];
}
