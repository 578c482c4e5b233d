// Rows service: the rows of a recipe, with the base model's own answers where they are asked for.
import type { AnswerRequest, EngineClient } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { greedy } from '../../shared/chat.ts';
import type { Persona } from '../../shared/persona.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { isPending, type Message, type Row, type TokenBatch } from '../../shared/row.ts';
import { importRows, importTokenBatches } from '../pipeline/import-rows.ts';
import { personaToRows, withBaseAnswers, type BaseAnswer } from '../pipeline/persona-to-rows.ts';
import { Random } from '../pipeline/random.ts';
import type { PackableRow } from '../pipeline/rows-to-batches.ts';
import { readText } from '../disk.ts';
import { loadLanguages } from '../resources.ts';
import type { ModelStore } from '../store/models.ts';
import type { LocalModel } from './model.ts';

/** Answers are cut here, in rows and probes alike. */
export const ANSWER_TOKENS = 48;
/** Rows that the base answers, per language: more would be asked than a run of a few dozen steps ever draws. */
const BASE_ROWS_PER_LANGUAGE = 240;
const ASK_AT_ONCE = 64;

/** A model as its answers hang on it: the same file says other things in another precision. */
export interface BaseModel extends LocalModel {
  precision: Recipe['model']['precision'];
}

/** What answers are remembered by. */
function answersOf({ sha256, precision }: BaseModel): string {
  return precision === 'as-stored' ? sha256 : `${sha256} ${precision}`;
}

export type OnProgress = (done: number, total: number) => void;

/** The persona of a recipe whose source is "persona". */
export function personaOf(recipe: Recipe): Persona | null {
  return recipe.data.source === 'persona' ? recipe.data.persona : null;
}

/** The system text that probes, compare and chat use: the first of the recipe's. */
export function systemMessages(system: string | null | undefined): Message[] {
  return system === null || system === undefined ? [] : [{ role: 'system', content: system }];
}

/** The system text of a row; null where it has none. */
function systemOf(row: Row): string | null {
  return row.messages[0]?.role === 'system' ? row.messages[0].content : null;
}

/** A row with the recipe's first system text, unless it has one of its own. */
export function withSystem(row: Row, recipe: Recipe): Row {
  return row.messages[0]?.role === 'system' ? row : { ...row, messages: [...systemMessages(recipe.data.systems[0]), ...row.messages] };
}

/** Of each language's base rows a seeded choice, ordinary and near-miss in proportion; other rows stay. */
function limitBaseRows(rows: readonly Row[], seed: number): Row[] {
  const base = rows.filter((row) => row.origin === 'base');
  const kept = new Set<Row>();
  for (const lang of new Set(base.map((row) => row.lang))) {
    const random = new Random(seed, `base/${lang}`);
    random
      .shuffle(base.filter((row) => row.lang === lang))
      .slice(0, BASE_ROWS_PER_LANGUAGE)
      .forEach((row) => kept.add(row));
  }
  return rows.filter((row) => row.origin !== 'base' || kept.has(row));
}

/** Rows of a persona as far as no model is needed: rows of origin `base` have no answer yet. Each row has its system text. */
export function draftRows(recipe: Recipe, model: Pick<LocalModel, 'weak_languages'>, words = loadLanguages()): Row[] {
  const persona = personaOf(recipe);
  if (persona === null) throw new NamesakeError('recipe.invalid', 'source "persona" needs a persona');
  const { mix, systems } = recipe.data;
  const rows = personaToRows(persona, words, {
    seed: recipe.seed,
    negatives: mix.negatives,
    near_misses: mix.near_misses,
    weak_languages: model.weak_languages,
  });
  const random = new Random(recipe.seed, 'systems');
  return limitBaseRows(rows, recipe.seed).map((row) => ({
    ...row,
    messages: [...systemMessages(random.pick(systems)), ...row.messages],
  }));
}

/** The order of a run's rows. By code units: the system's language must not decide it. */
export function byId(a: Row, b: Row): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

export class RowsService {
  readonly #store: ModelStore;

  constructor(store: ModelStore) {
    this.#store = store;
  }

  /**
   * The base model's greedy answers to questions under one system text; what was asked before is remembered. A cancelled
   * call throws `cancelled` and keeps what is complete.
   */
  async baseAnswers(
    engine: EngineClient,
    model: BaseModel,
    system: string | null,
    questions: readonly string[],
    onProgress: OnProgress,
  ): Promise<Map<string, BaseAnswer>> {
    const known = this.#store.baseAnswers(answersOf(model), system, ANSWER_TOKENS);
    const missing = [...new Set(questions)].filter((question) => !known.has(question));
    for (let at = 0; at < missing.length; at += ASK_AT_ONCE) {
      onProgress(at, missing.length);
      const part = missing.slice(at, at + ASK_AT_ONCE);
      const { answers } = await engine.generate(
        'base',
        part.map((question): AnswerRequest => ({
          messages: [...systemMessages(system), { role: 'user', content: question }],
          max_tokens: ANSWER_TOKENS,
          sampling: greedy,
          adapter: false,
        })),
        'together',
      );
      const complete = answers.flatMap((answer, i): [string, BaseAnswer][] =>
        answer.stop === 'cancelled' ? [] : [[part[i] as string, { text: answer.text, cut: answer.stop === 'length' }]],
      );
      this.#store.addBaseAnswers(answersOf(model), system, ANSWER_TOKENS, complete);
      for (const [question, answer] of complete) known.set(question, answer);
      if (complete.length < part.length) throw new NamesakeError('cancelled', 'while the base model was asked');
    }
    if (missing.length > 0) onProgress(missing.length, missing.length);
    return known;
  }

  /**
   * Rows as far as the base's answers are remembered already: those that it has yet to answer stay without one, null stands
   * for a row that it has nothing to say to. No engine is asked.
   */
  remembered(rows: readonly Row[], model: BaseModel): (Row | null)[] {
    const known = new Map<string | null, Map<string, BaseAnswer>>();
    return rows.map((row) => {
      if (!isPending(row)) return row;
      const system = systemOf(row);
      const answers = known.get(system) ?? this.#store.baseAnswers(answersOf(model), system, ANSWER_TOKENS);
      known.set(system, answers);
      if (!answers.has(row.messages.at(-1)?.content ?? '')) return row;
      return withBaseAnswers([row], answers)[0] ?? null;
    });
  }

  /** Rows of a persona recipe, complete. */
  async fromPersona(recipe: Recipe, model: LocalModel, engine: EngineClient, onProgress: OnProgress): Promise<Row[]> {
    return this.complete(draftRows(recipe, model), { ...model, precision: recipe.model.precision }, engine, onProgress);
  }

  /**
   * Rows with the base model's answers in those that wait for one; the order is that of their ids. Rows that the base has
   * nothing to say to (nothing at all, the same in circles, or who it is itself) are left out. Throws `cancelled`.
   */
  async complete(rows: readonly Row[], model: BaseModel, engine: EngineClient, onProgress: OnProgress): Promise<Row[]> {
    const bySystem = new Map<string | null, Row[]>();
    for (const row of rows) {
      const system = systemOf(row);
      const same = bySystem.get(system);
      if (same === undefined) bySystem.set(system, [row]);
      else same.push(row);
    }
    const out: Row[] = [];
    for (const [system, own] of bySystem) {
      const asked = own.filter(isPending).map((row) => row.messages.at(-1)?.content ?? '');
      const answers = asked.length === 0 ? new Map<string, BaseAnswer>() : await this.baseAnswers(engine, model, system, asked, onProgress);
      for (const row of withBaseAnswers(own, answers)) out.push(row);
    }
    return out.sort(byId);
  }

  /** Rows of a file. Throws rows.unreadable or rows.invalid. */
  fromFile(recipe: Recipe): Row[] {
    const format = recipe.data.format === 'tokens' ? 'auto' : recipe.data.format;
    return importRows(readText(recipe.data.source, 'rows.unreadable'), format).map((row) => withSystem(row, recipe));
  }

  /** Batches of a `format: tokens` file. */
  tokenBatches(recipe: Recipe): TokenBatch[] {
    return importTokenBatches(readText(recipe.data.source, 'rows.unreadable'));
  }

  /** Rows after template and tokenizer. Throws rows.too_long with the row's number. */
  async tokenize(rows: readonly Row[], recipe: Recipe, engine: EngineClient): Promise<(PackableRow & { pieces: string[] })[]> {
    const tokenized = await engine.tokenize(
      rows.map((row) => row.messages),
      recipe.data.max_length,
    );
    return tokenized.map((row, i) => {
      const { kind, lang, origin } = rows[i] as Row;
      return { ...row, kind, lang, origin };
    });
  }
}
