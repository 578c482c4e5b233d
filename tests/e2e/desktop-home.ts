// A home with a run to go on with, made before the app starts, and what specs ask the app's page for.
import type { Page } from 'playwright-core';
import { createCore } from '../../main/core.ts';
import { startEngine } from '../../main/engine/client.ts';
import { Home } from '../../main/home.ts';
import type { ApiEvent, Reply, RequestName, RunDetails } from '../../shared/api.ts';
import { recipeSchema } from '../../shared/recipe.ts';
import type { WindowApi } from '../../shared/window-api.ts';
import { tinyRecipe } from '../support/tiny-run.ts';

/** The page's global object, as functions that run there see it. */
export type PageWindow = typeof globalThis & { api: WindowApi; heard?: ApiEvent[] };

/** A request as a page makes it; its reply. */
export function ask(page: Page, name: RequestName | string, input: unknown = {}): Promise<Reply> {
  return page.evaluate(([name, input]) => (globalThis as PageWindow).api.request(name as RequestName, input), [name, input] as const);
}

/** The result of a request; fails the test with the error's code where there is none. */
export async function result<T>(page: Page, name: RequestName, input: unknown = {}): Promise<T> {
  const reply = await ask(page, name, input);
  if (!reply.ok) throw new Error(`${name}: ${reply.error.code} ${reply.error.detail}`);
  return reply.result as T;
}

/**
 * Trains the tiny model in `home` for a few steps and pauses: a run of `steps` steps that the app can go on with. With
 * `pauseAt` null it goes to its end, undisturbed.
 */
export async function tinyRun(home: string, steps: number, pauseAt: number | null = 2): Promise<string> {
  const core = createCore(new Home(home), { startEngine: () => startEngine({ priority: 'normal' }) });
  const recipe = recipeSchema.parse(tinyRecipe(home, { steps, checkpoint: { every_steps: 20, keep: 3 } }));
  let id = '';
  await core.runs
    .start(recipe, { threads: 1, isa: 'auto' }, (event) => {
      if (event.event === 'run') id = event.run;
      if (event.event === 'step' && event.step === pauseAt) core.runs.pause(id);
    })
    .catch((error: unknown) => {
      if (pauseAt === null) throw error;
    });
  core.close();
  return id;
}

/** The run as the app tells it, once it is as `when` asks; fails after a minute with what it is. */
export async function runWhen(page: Page, run: string, when: (details: RunDetails) => boolean): Promise<RunDetails> {
  for (const end = Date.now() + 60_000; ; ) {
    const details = await result<RunDetails>(page, 'runs.get', { run });
    if (when(details)) return details;
    if (Date.now() > end) throw new Error(`the run is ${details.status} at ${details.step}/${details.steps} ${details.error_detail ?? ''}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
