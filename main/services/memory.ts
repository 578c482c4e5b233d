// Memory service: what a model and a recipe would take, by the engine's own plan. It answers whether something "fits" for every
// screen and command, for models that are here and for catalogue models that are not.
import { existsSync } from 'node:fs';
import { modelPath } from '../../tools/fetch-model.mjs';
import type { EngineClient } from '../../shared/engine.ts';
import type { MemoryBudget, MemoryModel, MemoryQuestion } from '../../shared/memory.ts';
import type { CatalogueModel } from '../../shared/model.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Home } from '../home.ts';
import { loadCatalogue } from '../resources.ts';
import type { ModelService } from './model.ts';
import { recipeForPersona } from './recipe.ts';
import type { ComputeOptions } from './run.ts';

/** What is asked beside how the engine computes. */
export type MemoryOptions = Omit<MemoryQuestion, keyof ComputeOptions>;

/** What a recipe asks of the memory. */
function optionsOf(recipe: Recipe): MemoryOptions {
  return {
    precision: recipe.model.precision,
    device: recipe.device,
    rank: recipe.method.rank,
    batch_tokens: recipe.batch_tokens,
    max_length: recipe.data.max_length,
    answers: recipe.evaluate !== null,
    recompute: null,
  };
}

/** The recipe that `make` takes; whose assistant it makes says nothing about memory. */
function shippedRecipe(name: string): Recipe {
  return recipeForPersona(name, { owner: 'A', name: 'B', languages: ['en'] }, () => undefined);
}

export class MemoryService {
  readonly #home: Home;
  readonly #models: Pick<ModelService, 'locate'>;
  readonly #startEngine: () => EngineClient;
  readonly #compute: () => ComputeOptions;
  /** One host for the questions that are asked at the same time. */
  #engine: EngineClient | null = null;
  #asking = 0;

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
    const entry = loadCatalogue().models.find(({ id }) => id === ref);
    return this.#plan(entry === undefined ? (await this.#models.locate(ref)).path : this.#catalogueModel(entry), options);
  }

  /** The budget of a run of this recipe. Throws as budget() does. */
  ofRecipe(recipe: Recipe): Promise<MemoryBudget> {
    return this.budget(recipe.model.ref, optionsOf(recipe));
  }

  /**
   * What making an assistant takes with the model's own recipe, of a catalogue entry or of a file that is here; null where it
   * cannot be told (no file, or one that the engine does not read).
   */
  async need(
    { path, here }: { path: string; here: boolean },
    entry: CatalogueModel | null,
  ): Promise<{ needs: number; available: number } | null> {
    const model = entry !== null ? this.#catalogueModel(entry) : here ? path : null;
    if (model === null) return null;
    try {
      const { total, available } = await this.#plan(model, optionsOf(shippedRecipe(entry?.recipe ?? defaultRecipe())));
      return { needs: total, available };
    } catch {
      return null;
    }
  }

  #catalogueModel(entry: CatalogueModel): MemoryModel {
    const path = modelPath(this.#home.folder, entry);
    return existsSync(path) ? path : { shape: entry.shape, file_bytes: entry.size_bytes };
  }

  async #plan(model: MemoryModel, options: MemoryOptions): Promise<MemoryBudget> {
    const engine = (this.#engine ??= this.#startEngine());
    this.#asking++;
    try {
      return await engine.planMemory(model, { ...options, ...this.#compute() });
    } finally {
      if (--this.#asking === 0) {
        this.#engine = null;
        await engine.dispose();
      }
    }
  }
}

function defaultRecipe(): string {
  const { default: id, models } = loadCatalogue();
  return models.find((model) => model.id === id)?.recipe ?? '';
}
