// Choice service: another checkpoint of a run that came to its end takes the place of the one that was kept.
import { existsSync } from 'node:fs';
import { NamesakeError } from '../../shared/errors.ts';
import type { RunResult } from '../../shared/run-events.ts';
import { activeStatuses, type QuestionAnswer } from '../../shared/run.ts';
import type { Home } from '../home.ts';
import { missedLimits } from '../pipeline/probes.ts';
import type { RunStore } from '../store/runs.ts';
import type { ChatPartners } from './chat-partner.ts';
import { isAsSaved } from './checkpoint.ts';
import { languagesOf, placeAdapter } from './closing.ts';
import { compare } from './compare.ts';
import { ANSWER_TOKENS } from './rows.ts';
import { asTrainer } from './trainer-lock.ts';

/**
 * Puts the adapters in place whose choice was written down; one whose checkpoint is gone is given up. The caller holds the
 * trainer's lock. Throws disk.full or disk.unwritable.
 */
export function settleChoices(home: Home, store: RunStore): void {
  for (const { run, step } of store.choosing()) {
    const folder = home.run(run);
    if (existsSync(folder.checkpoint(step))) {
      placeAdapter(folder, step);
      store.choose(run);
    } else store.endChoosing(run);
  }
}

export class ChoiceService {
  readonly #home: Home;
  readonly #runs: RunStore;
  readonly #partners: ChatPartners;

  constructor(home: Home, runs: RunStore, partners: ChatPartners) {
    this.#home = home;
    this.#runs = runs;
    this.#partners = partners;
  }

  /**
   * Keeps the checkpoint of `step` in place of the chosen one: it is asked what is shown before and after, then its adapter is
   * put in place. A kill at any moment leaves one choice or the other, whole. Throws run.unknown, run.active, run.no_checkpoint
   * where it is not there or the run kept nothing, checkpoint.invalid, engine.busy where another run goes on, and what asking
   * it throws.
   */
  async choose(run: string, step: number): Promise<void> {
    const { result, recipe } = this.#ready(run, step);
    if (result.chosen_step === step) return;
    const after: QuestionAnswer[] = [];
    const questions = result.after.map(({ question }) => question);
    if (questions.length > 0) {
      await compare(this.#partners, { run, step }, questions, ANSWER_TOKENS, ({ question, after: answer }) => after.push({ question, answer }));
    }
    await asTrainer(this.#home, async () => {
      // Meanwhile it may have been resumed, deleted or chosen anew.
      const now = this.#ready(run, step);
      if (!(await isAsSaved(this.#runs, run, this.#home.run(run), step))) {
        throw new NamesakeError('checkpoint.invalid', `the checkpoint of step ${step} is not what was saved`);
      }
      const { scores, right } = now.checkpoint;
      const missed = scores === null || recipe.evaluate === null ? [] : missedLimits(scores, languagesOf(recipe), recipe.evaluate.limits);
      this.#runs.beginChoosing(run, { ...now.result, chosen_step: step, right: scores === null ? null : right, missed, scores, after });
      settleChoices(this.#home, this.#runs);
    });
  }

  #ready(run: string, step: number): { result: RunResult; recipe: ReturnType<RunStore['get']>['recipe']; checkpoint: ReturnType<RunStore['checkpoints']>[number] } {
    const { status, result, chosen_step, recipe } = this.#runs.get(run);
    if (activeStatuses.includes(status)) throw new NamesakeError('run.active', run, { run });
    const checkpoint = this.#runs.checkpoints(run).find((known) => known.step === step && known.kept);
    if (result === null || chosen_step === null || checkpoint === undefined) {
      throw new NamesakeError('run.no_checkpoint', `no checkpoint of step ${step} to keep`, { run });
    }
    return { result, recipe, checkpoint };
  }
}
