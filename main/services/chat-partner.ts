// Chat partner: who a conversation is with, from what a person names to an open engine.
import { resolve } from 'node:path';
import type { Side } from '../../shared/api.ts';
import type { EngineClient } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Home } from '../home.ts';
import type { ChatPartner } from '../store/chats.ts';
import type { RunStore } from '../store/runs.ts';
import { isFileRef, type ModelService } from './model.ts';
import { openToAnswer } from './placement.ts';
import type { ComputeOptions } from './run.ts';

/** A run's assistant (as it was at a checkpoint, where `step` says so), or a model with or without an adapter folder. */
export type ChatTarget =
  | { run: string; step?: number | null }
  | { model: string; adapter?: string | null; precision?: Recipe['model']['precision']; device?: Recipe['device'] };

/** A partner whose engine is open. */
export interface OpenPartner {
  engine: EngineClient;
  /** Tokens that prompt and answer may have together. */
  context: number;
  /** Ends the engine. */
  close(): Promise<void>;
}

/** Who can answer: the base alone, or the base and what was made of it. */
export function sidesOf({ run, adapter }: ChatPartner): Side[] {
  return run === null && adapter === null ? ['before'] : ['before', 'after'];
}

export class ChatPartners {
  readonly #home: Home;
  readonly #runs: RunStore;
  readonly #models: ModelService;
  readonly #startEngine: () => EngineClient;
  readonly #compute: () => ComputeOptions;

  constructor(home: Home, runs: RunStore, models: ModelService, startEngine: () => EngineClient, compute: () => ComputeOptions) {
    this.#home = home;
    this.#runs = runs;
    this.#models = models;
    this.#startEngine = startEngine;
    this.#compute = compute;
  }

  /** The partner that a target names. `system` undefined = the run's own, or the template's default. Throws run.unknown. */
  find(target: ChatTarget, system: string | null | undefined): ChatPartner {
    if (!('run' in target)) {
      const { model, adapter = null, precision = 'as-stored', device = 'auto' } = target;
      return { model: isFileRef(model) ? resolve(model) : model, run: null, step: null, adapter: adapter === null ? null : resolve(adapter), system: system ?? null, precision, device };
    }
    const { model, device, data } = this.#runs.get(target.run).recipe;
    return {
      model: model.ref,
      run: target.run,
      step: target.step ?? null,
      adapter: null,
      system: system === undefined ? (data.systems[0] ?? null) : system,
      precision: model.precision,
      device,
    };
  }

  /**
   * Opens model and adapter in an engine host of its own. Where nobody asked for a card by name (`anywhere`: who was made on one, and
   * device auto), it answers on the processor where the card is gone or full. Throws run.unknown, run.no_checkpoint, or what finding and loading a
   * model throws.
   */
  async open(partner: ChatPartner, anywhere = partner.run !== null || partner.device === 'auto'): Promise<OpenPartner> {
    const folder = partner.run === null ? partner.adapter : this.#adapterOf(partner.run, partner.step);
    const model = await this.#models.locate(partner.model);
    const release = this.#models.use(model);
    const { precision, device } = partner;
    let end = (): Promise<void> => Promise.resolve();
    const close = async (): Promise<void> => {
      await end();
      release();
    };
    try {
      const { engine, info } = await openToAnswer(this.#startEngine, { path: model.path, precision, device, ...this.#compute() }, anywhere);
      end = () => engine.dispose();
      if (folder !== null) await engine.useAdapter({ kind: 'folder', folder });
      return { engine, context: info.context, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  #adapterOf(run: string, step: number | null): string {
    const { chosen_step } = this.#runs.get(run);
    const folder = this.#home.run(run);
    if (step === null) {
      if (chosen_step === null) throw new NamesakeError('run.no_checkpoint', 'no adapter was chosen', { run });
      return folder.adapter;
    }
    if (!this.#runs.checkpoints(run).some((checkpoint) => checkpoint.step === step && checkpoint.kept)) {
      throw new NamesakeError('run.no_checkpoint', `no checkpoint of step ${step}`, { run });
    }
    return folder.checkpoint(step);
  }
}
