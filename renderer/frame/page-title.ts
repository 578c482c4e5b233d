// Page title: what the window, the tab and the task bar say: whose page this is, and how far it is.
import type { ListedRun } from '../state/runs.svelte.ts';
import type { Place } from '../state/route.svelte.ts';
import { t } from '../state/words.svelte.ts';

const PROGRAM = 'Namesake';

/** The title of a place; `run` is the one that it shows, as far as it is known. */
export function pageTitle({ screen, subject }: Place, run: Pick<ListedRun, 'name' | 'status' | 'step' | 'steps'> | null): string {
  const titled = (words: string): string => `${words} – ${PROGRAM}`;
  if (screen === 'settings') return titled(t('page.settings'));
  if (screen === 'assistants') return titled(t('sidebar.all'));
  if (run !== null) {
    const done = run.status === 'running' && run.steps > 0 ? ` · ${t('sidebar.running', { percent: Math.floor((100 * run.step) / run.steps) })}` : '';
    return titled(run.name + done);
  }
  return subject === null || screen === null ? titled(t('page.new')) : titled(t(`steps.${screen}`));
}
