// Rows → batches: which conversations each step holds, and the weight of every label in the step's loss.
import { NamesakeError } from '../../shared/errors.ts';
import type { EngineBatch } from '../../shared/engine.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { lossKindOf, type LossKind, type RowKind, type RowOrigin, type TokenBatch } from '../../shared/row.ts';
import { Random } from './random.ts';

const IGNORED = -100;

/** A row after tokenising, as packing needs it. */
export interface PackableRow {
  ids: readonly number[];
  labels: readonly number[];
  kind: RowKind;
  lang: string;
  origin: RowOrigin;
}

/** Row indices of one micro-batch. */
export type MicroBatch = number[];
/** One optimizer step: `accumulate` micro-batches. */
export type Step = MicroBatch[];

/** Where rows are drawn from. `peek` tells what `take` gives next. */
interface Source {
  peek(): number;
  take(): number;
}

/** Draws the rows of one list in seeded order, again and again. */
class Pool implements Source {
  readonly #rows: readonly number[];
  readonly #shuffle: (list: readonly number[]) => number[];
  #round: number[] = [];

  constructor(rows: readonly number[], shuffle: (list: readonly number[]) => number[]) {
    this.#rows = rows;
    this.#shuffle = shuffle;
  }

  peek(): number {
    if (this.#round.length === 0) this.#round = this.#shuffle(this.#rows).reverse();
    return this.#round.at(-1) as number;
  }

  take(): number {
    const row = this.peek();
    this.#round.pop();
    return row;
  }
}

/** Draws from several sources in turn, each by its share: from the one that is behind the most, the first of equals. */
class Turns implements Source {
  readonly #parts: { source: Source; share: number; drawn: number }[];

  constructor(parts: readonly { source: Source; share: number }[]) {
    this.#parts = parts.map((part) => ({ ...part, drawn: 0 }));
  }

  get #next(): { source: Source; drawn: number } {
    return this.#parts.reduce((least, part) => (part.drawn / part.share < least.drawn / least.share ? part : least));
  }

  peek(): number {
    return this.#next.source.peek();
  }

  take(): number {
    const part = this.#next;
    part.drawn++;
    return part.source.take();
  }
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

/** How many rows `epochs` means: every row that many times; Infinity where steps are counted. */
export function rowsToDraw(recipe: Recipe, rows: readonly unknown[]): number {
  return recipe.epochs === null ? Infinity : Math.max(1, Math.round(recipe.epochs * rows.length));
}

/** What the plan needs to know of a row. */
export type PlannableRow = Pick<PackableRow, 'kind' | 'lang'> & { ids: { readonly length: number } };

/**
 * The rows of every step. Whole conversations go into a micro-batch until the next does not fit `batch_tokens`; with
 * source "persona" each step keeps the share `mix.ordinary`; languages, and near-misses and imported rows with other ordinary
 * ones, take turns. Depends on the rows' kinds, languages and lengths, the recipe and its seed alone, so a resumed run plans
 * the same steps again.
 */
export function planSteps(rows: readonly PackableRow[], recipe: Recipe): Step[] {
  if (!rows.some((row) => row.labels.some((label, i) => i > 0 && label !== IGNORED))) {
    throw new NamesakeError('rows.empty', `${rows.length} rows without a label`);
  }
  return [...walkSteps(rows, recipe)];
}

/** The same steps one after the other, for whoever needs but some of them: the whole plan of a long run is large. */
export function* walkSteps(rows: readonly PlannableRow[], recipe: Recipe): Generator<Step, void> {
  const random = new Random(recipe.seed, 'order');
  const shuffle = (list: readonly number[]): number[] => (recipe.data.shuffle ? random.shuffle(list) : [...list]);
  const mixed = recipe.data.source === 'persona';
  const share = mixed ? recipe.data.mix.ordinary : 0;
  // Loss kind → language → the rows that are drawn from in turn: near-misses, the harder half, come as often as other
  // ordinary rows however many there are; negatives stay among identity rows.
  const groups = new Map<LossKind, Map<string, Map<string, number[]>>>();
  rows.forEach((row, i) => {
    // Beside a persona, a person's own rows are drawn with the ordinary ones: they teach something else than who it is.
    const kind = !mixed ? 'imported' : row.kind === 'imported' ? 'ordinary' : lossKindOf(row.kind);
    const byLanguage = getOrAdd(groups, kind, () => new Map<string, Map<string, number[]>>());
    const pools = getOrAdd(byLanguage, mixed ? row.lang : '', () => new Map<string, number[]>());
    getOrAdd(pools, kind === 'ordinary' ? row.kind : '', () => []).push(i);
  });
  const turns = new Map(
    [...groups].map(([kind, byLanguage]) => [
      kind,
      new Turns(
        [...byLanguage].map(([lang, pools]) => ({
          source: new Turns([...pools.values()].map((list) => ({ source: new Pool(list, shuffle), share: 1 }))),
          share: languageShare(kind, lang, recipe),
        })),
      ),
    ]),
  );
  const ordinary = turns.get('ordinary');
  const other = turns.get('identity') ?? turns.get('imported') ?? ordinary;
  if (other === undefined) throw new NamesakeError('rows.empty', 'no rows');

  const limit = rowsToDraw(recipe, rows);
  let drawn = 0;
  for (let planned = 0; recipe.epochs === null ? planned < recipe.steps : drawn < limit; planned++) {
    const step: Step = [];
    let ordinaryInStep = 0;
    let inStep = 0;
    for (let micro = 0; micro < recipe.accumulate && drawn < limit; micro++) {
      const batch: MicroBatch = [];
      let tokens = 0;
      while (drawn < limit) {
        const wantsOrdinary = ordinary !== undefined && ordinaryInStep + 1 <= share * (inStep + 1) + 1e-9;
        const pool = wantsOrdinary ? ordinary : other;
        // A row without a token takes room too: of those alone a batch would never be full.
        const length = Math.max(1, rows[pool.peek()]?.ids.length ?? 0);
        if (batch.length > 0 && (tokens + length > recipe.batch_tokens || !recipe.data.pack)) break;
        batch.push(pool.take());
        tokens += length;
        drawn++;
        inStep++;
        if (wantsOrdinary) ordinaryInStep++;
      }
      step.push(batch);
    }
    yield step;
  }
}

/** What a language counts beside the others, among conversations of a kind: in drawing, and in the mean of a step's loss. */
function languageShare(kind: LossKind, lang: string, { data: { mix } }: Recipe): number {
  const shares: Record<string, number | undefined> = (kind === 'ordinary' ? mix.languages : mix.identity_languages) ?? {};
  return shares[lang] ?? 1;
}

/** The key under which a label's loss is averaged, and its weight once its key's count is known. */
type Term = { key: string; weight: (groups: Map<string, number>) => number } | null;

/** Cross-entropy term of a row: null where KL takes its place. */
function crossEntropyTerm(row: PackableRow, recipe: Recipe): Term {
  if (recipe.loss.kl > 0 && row.origin === 'base') return null;
  const byKind = recipe.loss.by_kind;
  if (byKind === null) return { key: 'all', weight: (counts) => 1 / (counts.get('all') ?? 1) };
  const kind = lossKindOf(row.kind);
  const weight = byKind[kind] ?? 0;
  const key = `${kind}/${row.lang}`;
  return {
    key,
    weight: (counts) => {
      const languages = [...counts.keys()].filter((other) => other.startsWith(`${kind}/`)).map((other) => other.slice(kind.length + 1));
      const all = languages.reduce((sum, lang) => sum + languageShare(kind, lang, recipe), 0);
      return (weight * languageShare(kind, row.lang, recipe)) / all / (counts.get(key) ?? 1);
    },
  };
}

/**
 * What each label of a row counts in the mean over its like: 1, or more among the first of an answer to an ordinary question
 * (`loss.opening`); 0 where nothing is learnt. The first of a sequence has no position that predicts it.
 */
function countsOf(row: PackableRow, recipe: Recipe): number[] {
  const opening = lossKindOf(row.kind) === 'ordinary' ? recipe.loss.opening : null;
  let inAnswer = 0;
  return row.labels.map((label, i) => {
    inAnswer = label === IGNORED ? 0 : inAnswer + 1;
    if (i === 0 || label === IGNORED) return 0;
    return opening !== null && inAnswer <= opening.tokens ? opening.weight : 1;
  });
}

/** The micro-batches of a step with each label's weight, normalised over the whole step (design: loss of a step). */
export function stepToBatches(step: Step, rows: readonly PackableRow[], recipe: Recipe): EngineBatch[] {
  const packed = step.map((batch) =>
    batch.map((i) => {
      const row = rows[i] as PackableRow;
      return { ...row, counts: countsOf(row, recipe) };
    }),
  );
  const counts = new Map<string, number>();
  let klCount = 0;
  for (const row of packed.flat()) {
    const count = row.counts.reduce((sum, one) => sum + one, 0);
    if (count === 0) continue;
    const term = crossEntropyTerm(row, recipe);
    if (term === null) klCount += count;
    else counts.set(term.key, (counts.get(term.key) ?? 0) + count);
  }
  return packed.map((batch) => {
    const size = batch.reduce((sum, row) => sum + row.ids.length, 0);
    const out = emptyBatch(size, batch.length);
    let at = 0;
    batch.forEach((row, s) => {
      const term = crossEntropyTerm(row, recipe);
      const ce = term === null ? 0 : term.weight(counts);
      const kl = term === null ? recipe.loss.kl / klCount : 0;
      row.ids.forEach((id, i) => {
        const label = row.labels[i] ?? IGNORED;
        out.ids[at] = id;
        out.labels[at] = label;
        out.positions[at] = i;
        const counted = row.counts[i] ?? 0;
        out.ce_weights[at] = ce * counted;
        out.kl_weights[at] = kl * counted;
        at++;
      });
      out.cu_seqlens[s + 1] = at;
    });
    return out;
  });
}

function emptyBatch(tokens: number, sequences: number): EngineBatch {
  return {
    ids: new Int32Array(tokens),
    labels: new Int32Array(tokens).fill(IGNORED),
    positions: new Int32Array(tokens),
    cu_seqlens: new Int32Array(sequences + 1),
    ce_weights: new Float32Array(tokens),
    kl_weights: new Float32Array(tokens),
  };
}

/**
 * A batch of `format: tokens` with the plain mean loss. Positions whose attention_mask is 0 are left out: they attend to
 * nothing and are attended by nothing; the others keep their place as position. Throws rows.invalid where a label stands
 * on such a position or right behind it.
 */
export function tokenBatchToBatch(batch: TokenBatch, index: number): EngineBatch {
  const sequences = batch.input_ids.map((ids, row) =>
    ids.flatMap((id, position) => {
      const attended = batch.attention_mask[row]?.[position] === 1;
      const label = batch.labels[row]?.[position] ?? IGNORED;
      const predicted = position > 0 && batch.attention_mask[row]?.[position - 1] === 1;
      if (label !== IGNORED && position > 0 && !(attended && predicted)) {
        throw new NamesakeError('rows.invalid', `batch ${index}, row ${row}: the label at ${position} has attention_mask 0 at or before it`, {
          row: index + 1,
        });
      }
      return attended ? [{ id, label, position }] : [];
    }),
  );
  const tokens = sequences.flat();
  const out = emptyBatch(tokens.length, sequences.length);
  let count = 0;
  let at = 0;
  sequences.forEach((sequence, s) => {
    sequence.forEach(({ id, label, position }, i) => {
      out.ids[at] = id;
      out.labels[at] = i === 0 ? IGNORED : label;
      out.positions[at] = position;
      if (i > 0 && label !== IGNORED) count++;
      at++;
    });
    out.cu_seqlens[s + 1] = at;
  });
  if (count === 0) throw new NamesakeError('rows.empty', `batch ${index} has no label`);
  out.labels.forEach((label, i) => {
    if (label !== IGNORED) out.ce_weights[i] = 1 / count;
  });
  return out;
}

/** A batch that only measures: every label counts 1 (for retention texts, where all tokens after the first are labels). */
export function textsToBatch(texts: readonly (readonly number[])[]): EngineBatch {
  const out = emptyBatch(
    texts.reduce((sum, ids) => sum + ids.length, 0),
    texts.length,
  );
  let at = 0;
  texts.forEach((ids, s) => {
    ids.forEach((id, i) => {
      out.ids[at] = id;
      out.positions[at] = i;
      if (i > 0) {
        out.labels[at] = id;
        out.ce_weights[at] = 1;
        out.kl_weights[at] = 1;
      }
      at++;
    });
    out.cu_seqlens[s + 1] = at;
  });
  return out;
}
