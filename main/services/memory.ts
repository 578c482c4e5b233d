// Memory service: what a model and a recipe would take, by the engine's own plan. It answers whether something "fits" for every
// screen and command, for models that are here and for catalogue models that are not. Where the model is here, a persona's
// conversations are looked at: what they share is computed once. Elsewhere they count as if they shared nothing.
import { existsSync } from 'node:fs';
import { modelPath } from '../../tools/fetch-model.mjs';
import type { EngineClient } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { MemoryBudget, MemoryModel, MemoryQuestion } from '../../shared/memory.ts';
import type { CatalogueModel } from '../../shared/model.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { isPending, type Row } from '../../shared/row.ts';
import type { Home } from '../home.ts';
import { largestBatch, mostRowsInStep } from '../pipeline/batch-size.ts';
import { walkSteps, type PackableRow } from '../pipeline/rows-to-batches.ts';
import { isBuiltInAdapter, loadCatalogue } from '../resources.ts';
import { beginningOf, isQuantised, recipeOn, type Sized } from './beginning.ts';
import type { LocalModel, ModelService } from './model.ts';
import type { MemoryNeed } from './model-cards.ts';
import { isModelFolder } from './model-parts.ts';
import { ANSWER_TOKENS, draftRows, personaOf } from './rows.ts';
import type { ComputeOptions } from './run.ts';

/** What is asked beside how the engine computes. */
export type MemoryOptions = Omit<MemoryQuestion, keyof ComputeOptions>;

/** What a recipe asks of the memory. */
function optionsOf(recipe: Recipe): MemoryOptions {
  return {
    precision: recipe.model.precision,
    device: recipe.device,
    rank: recipe.method.rank,
    // An adapter of this machine has its own, of all at most; one that comes along has the recipe's.
    layers: recipe.method.init_adapter === null || isBuiltInAdapter(recipe.method.init_adapter) ? recipe.method.layers : null,
    state_bits: recipe.optim.state_bits,
    activation_bits: recipe.activation_bits,
    batch_tokens: recipe.batch_tokens,
    packed_tokens: null,
    max_length: recipe.data.max_length,
    // Not only by probes: a persona's ordinary rows are answered by the base.
    answers: recipe.evaluate !== null || personaOf(recipe) !== null,
    recompute: null,
  };
}

/**
 * Steps that are looked at for the largest batch, of shorter runs too: rows get answers of other lengths than were counted, and
 * lie in other batches then. More steps find hardly a larger one.
 */
const STEPS_LOOKED_AT = 200;
/** Rows that are drawn for that at most: some tenths of a second. */
const MOST_DRAWN = 500_000;
/** Of so many rows their tokens are looked at: all of a persona's, but not all that a draft may hold. */
const MOST_ROWS = 20_000;
/** Sets of rows that are remembered. */
const MOST_REMEMBERED = 2;

/** Rows that a run would be started with. */
export interface PreparedRows {
  /** Another one whenever they are other rows. */
  version: string;
  /** How many, where that is known before they are made. */
  count?: number;
  make: () => readonly Row[] | Promise<readonly Row[]>;
}

function personaRows(recipe: Recipe, weak_languages: LocalModel['weak_languages']): PreparedRows {
  return {
    version: JSON.stringify([recipe.data, recipe.seed, weak_languages]),
    make: () => draftRows(recipe, { weak_languages }),
  };
}

function isCrash(error: unknown): error is NamesakeError {
  return error instanceof NamesakeError && error.code === 'engine.crashed';
}

/** A row that waits for the base's answer with the longest that it can get. */
function answered(row: Row): Row {
  return isPending(row) ? { ...row, messages: [...row.messages, { role: 'assistant', content: ' a'.repeat(ANSWER_TOKENS) }] } : row;
}

export class MemoryService {
  readonly #home: Home;
  readonly #models: Pick<ModelService, 'locate'>;
  readonly #startEngine: () => EngineClient;
  readonly #compute: () => ComputeOptions;
  /** One host for the questions that are asked at the same time. */
  #engine: EngineClient | null = null;
  #asking = 0;
  /** Tokenised rows by what they were made from, the oldest first. */
  readonly #rows = new Map<string, Promise<PackableRow[]>>();

  constructor(
    home: Home,
    models: Pick<ModelService, 'locate'>,
    startEngine: () => EngineClient,
    compute: () => ComputeOptions,
  ) {
    this.#home = home;
    this.#models = models;
    this.#startEngine = startEngine;
    this.#compute = compute;
  }

  /**
   * The budget of a model by its REF; a catalogue model is not fetched for it. Throws what ModelService.locate and opening a
   * model throw, recipe.unsupported and device.unavailable.
   */
  async budget(ref: string, options: MemoryOptions): Promise<MemoryBudget> {
    return this.#plan((await this.#model(ref)).model, options);
  }

  /**
   * The budget of a run of this recipe, on rows that the person prepared where they are given, else on those that a persona
   * makes; of very many rows, or very large steps, as if they shared nothing. Throws as budget() does.
   */
  async ofRecipe(recipe: Recipe, prepared: PreparedRows | null = null): Promise<MemoryBudget> {
    const { model, weak_languages } = await this.#model(recipe.model.ref);
    const rows = prepared ?? (personaOf(recipe) === null ? null : personaRows(recipe, weak_languages));
    const packed_tokens = typeof model === 'string' && rows !== null ? await this.#packedTokens(model, recipe, rows) : null;
    return this.#plan(model, { ...optionsOf(recipe), packed_tokens });
  }

  async #model(ref: string): Promise<Pick<LocalModel, 'weak_languages'> & { model: MemoryModel }> {
    const entry = loadCatalogue().models.find(({ id }) => id === ref);
    if (entry !== undefined) return { model: this.#catalogueModel(entry), weak_languages: entry.weak_languages };
    const { path, weak_languages } = await this.#models.locate(ref);
    return { model: path, weak_languages };
  }

  /** Tokens that are computed of the largest micro-batch, at most; null where a run would be refused, or it is too much to look at. */
  async #packedTokens(path: string, recipe: Recipe, rows: PreparedRows): Promise<number | null> {
    if ((rows.count ?? 0) > MOST_ROWS) return null;
    try {
      const packable = await this.#tokenized(path, recipe, rows);
      const counted = { ...recipe, epochs: null };
      const looked = Math.min(STEPS_LOOKED_AT, Math.floor(MOST_DRAWN / mostRowsInStep(packable, counted)));
      if (looked === 0) return null;
      const steps = walkSteps(packable, { ...counted, steps: looked });
      return Math.min(recipe.batch_tokens, largestBatch(steps, packable).packed);
    } catch (error) {
      if (error instanceof NamesakeError) return null;
      throw error;
    }
  }

  /** Rows after template and tokenizer, remembered: only the rest of a recipe changes while a person tries what fits. */
  #tokenized(path: string, recipe: Recipe, rows: PreparedRows): Promise<PackableRow[]> {
    const key = JSON.stringify([path, rows.version, recipe.data.max_length]);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const asked = this.#tokenize(path, recipe, rows);
    asked.catch(() => this.#rows.delete(key));
    this.#rows.set(key, asked);
    for (const oldest of this.#rows.keys()) if (this.#rows.size > MOST_REMEMBERED) this.#rows.delete(oldest);
    return asked;
  }

  async #tokenize(path: string, recipe: Recipe, { make }: PreparedRows): Promise<PackableRow[]> {
    const rows = (await make()).map(answered);
    const engine = this.#startEngine();
    try {
      // Only its tokenizer is asked: no card has to take the weights for that.
      await engine.open({ path, precision: 'as-stored', device: 'cpu', ...this.#compute() });
      const tokenized = await engine.tokenize(
        rows.map(({ messages }) => messages),
        recipe.data.max_length,
      );
      return tokenized.map(({ ids, labels }, i) => {
        const { kind, lang, origin } = rows[i] as Row;
        return { ids, labels, kind, lang, origin };
      });
    } finally {
      await engine.dispose();
    }
  }

  /**
   * What making an assistant takes with what a run of the model begins with, of a catalogue entry or of a model that is here, and
   * whether it is stored in blocks of few bits; null where it cannot be told (nothing there, or what the engine does not read).
   */
  async need(
    { id, path, here }: { id: string; path: string; here: boolean },
    entry: CatalogueModel | null,
  ): Promise<MemoryNeed | null> {
    const model = entry !== null ? this.#catalogueModel(entry) : here ? path : null;
    if (model === null) return null;
    try {
      const sized = entry !== null ? { ...entry.shape, file_bytes: entry.size_bytes } : await this.shape(path);
      const beginning = { ...beginningOf(sized), ...(entry !== null && { recipe: entry.recipe }) };
      // Whose assistant it makes says nothing about memory.
      const recipe = recipeOn(id, beginning, { owner: 'A', name: 'B', languages: ['en'] });
      const { total, available, fits, device, card, no_card } = await this.#plan(model, optionsOf(recipe));
      return { needs: total, available, fits, placement: { device, card, no_card }, quantised: isQuantised(sized) };
    } catch {
      return null;
    }
  }

  /** The shapes that a model on this machine states. Throws what the engine says of one that it does not read. */
  shape(path: string): Promise<Sized> {
    return this.#ask((engine) => engine.shape(path));
  }

  #catalogueModel(entry: CatalogueModel): MemoryModel {
    const path = modelPath(this.#home.folder, entry);
    const here = entry.file === '' ? isModelFolder(path) : existsSync(path);
    return here ? path : { shape: entry.shape, file_bytes: entry.size_bytes };
  }

  async #plan(model: MemoryModel, options: MemoryOptions): Promise<MemoryBudget> {
    const question = { ...options, ...this.#compute() };
    try {
      return await this.#ask((engine) => engine.planMemory(model, question));
    } catch (error) {
      if (question.device !== 'auto' || !isCrash(error)) throw error;
      // Nothing of a plan but a card's driver can bring an engine down.
      const plan = await this.#ask((engine) => engine.planMemory(model, { ...question, device: 'cpu' }));
      return { ...plan, no_card: { code: 'gpu.driver_unusable', detail: `${error.code}: ${error.detail}` } };
    }
  }

  async #ask<T>(question: (engine: EngineClient) => Promise<T>): Promise<T> {
    const engine = (this.#engine ??= this.#startEngine());
    this.#asking++;
    try {
      return await question(engine);
    } catch (error) {
      // The next question is for a host that lives.
      if (isCrash(error) && this.#engine === engine) this.#engine = null;
      throw error;
    } finally {
      if (--this.#asking === 0) {
        const last = this.#engine;
        this.#engine = null;
        await last?.dispose();
      }
    }
  }
}
