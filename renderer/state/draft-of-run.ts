// Draft of a run: how every screen makes another assistant out of one that there is, and goes on with it.
import type { Recipe } from '../../shared/recipe.ts';
import type { App } from './app.svelte.ts';

/** What it needs of the app. */
export interface RunDraftApp {
  api: Pick<App['api'], 'request'>;
  notices: Pick<App['notices'], 'fail'>;
  route: Pick<App['route'], 'go'>;
}

/**
 * Makes a draft of a run's recipe and rows, with its recipe `changed` where that is given, and goes to the draft's `screen`.
 * Tells why it cannot be made, and stays then. The run is left as it is.
 */
export async function draftOfRun(app: RunDraftApp, run: string, screen: 'name' | 'learn' | 'train', changed?: (recipe: Recipe) => Recipe): Promise<void> {
  try {
    const { draft, recipe } = await app.api.request('drafts.from_run', { run });
    if (changed !== undefined) await app.api.request('drafts.change', { draft, recipe: changed(recipe) });
    app.route.go({ screen, subject: { draft } });
  } catch (error) {
    app.notices.fail(error);
  }
}
