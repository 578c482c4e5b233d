// Recipe fields: every field of shared/recipe.ts as the page shows it: in which group, how it is typed, within which bounds. A
// test walks the recipe's schema: a field that is missing here, or has other bounds, fails it. (The schema itself would bring
// a parser into the page.)
import type { Recipe } from '../../../shared/recipe.ts';
import type { MessageKey } from '../../state/words.svelte.ts';

interface Bounds {
  /** At least this. */
  least?: number;
  /** More than this. */
  above?: number;
  most?: number;
  /** An empty entry means null. */
  nullable?: boolean;
}

export type Field =
  | ({ kind: 'whole' | 'number' } & Bounds)
  | { kind: 'switch' }
  /** Options that this version can do; a test holds them against those that are refused. */
  | { kind: 'choice'; options: readonly string[] | readonly number[] }
  /** Typed as JSON: lists and shares by name. */
  | { kind: 'json' }
  /** Said and not changed here: chosen on another screen, or the only one that there is. */
  | { kind: 'fixed' };

/** How the frozen weights can be held. */
export const precisions = ['as-stored', 'nf4', 'bf16', 'f32'] as const satisfies readonly Recipe['model']['precision'][];

const share: Bounds = { least: 0, most: 1 };
/** A field that cannot be changed here. */
export const fixed = { kind: 'fixed' } as const;

export const recipeFields = {
  steps: { kind: 'whole', least: 1, most: 1_000_000 },
  'optim.lr': { kind: 'number', above: 0, most: 1 },
  seed: { kind: 'whole', least: 0, most: Number.MAX_SAFE_INTEGER },
  epochs: { kind: 'number', above: 0, most: 1000, nullable: true },
  batch_tokens: { kind: 'whole', least: 8, most: 1_048_576 },
  accumulate: { kind: 'whole', least: 1, most: 1024 },
  activation_bits: { kind: 'choice', options: [32, 16] },
  device: { kind: 'choice', options: ['auto', 'cpu', 'cuda', 'reference'] },
  name: fixed,
  version: fixed,
  'model.ref': fixed,
  'model.precision': { kind: 'choice', options: precisions },
  'method.kind': fixed,
  'method.rank': { kind: 'whole', least: 1, most: 1024 },
  'method.alpha': { kind: 'number', above: 0, most: 65_536 },
  'method.dropout': fixed,
  'method.targets': fixed,
  'method.layers': { kind: 'whole', least: 1, most: 1024, nullable: true },
  'method.init_adapter': fixed,
  'data.source': fixed,
  'data.format': fixed,
  'data.persona': fixed,
  'data.mix.ordinary': { kind: 'number', least: 0, most: 0.95 },
  'data.mix.languages': { kind: 'json' },
  'data.mix.identity_languages': { kind: 'json' },
  'data.mix.negatives': { kind: 'switch' },
  'data.mix.near_misses': { kind: 'switch' },
  'data.systems': { kind: 'json' },
  'data.max_length': { kind: 'whole', least: 8, most: 131_072 },
  'data.pack': { kind: 'switch' },
  'data.shuffle': { kind: 'switch' },
  'loss.by_kind': { kind: 'json' },
  'loss.kl': { kind: 'number', least: 0 },
  'loss.opening': { kind: 'json' },
  'optim.name': fixed,
  'optim.schedule': { kind: 'choice', options: ['linear', 'cosine', 'constant'] },
  'optim.warmup_steps': { kind: 'whole', least: 0 },
  'optim.loraplus_lr_ratio': { kind: 'number', above: 0, most: 64 },
  'optim.weight_decay': { kind: 'number', ...share },
  'optim.clip': { kind: 'number', above: 0, nullable: true },
  'optim.betas': { kind: 'json' },
  'optim.eps': { kind: 'number', above: 0 },
  'optim.state_bits': { kind: 'choice', options: [32, 8] },
  'evaluate.every_steps': { kind: 'whole', least: 1 },
  'evaluate.from_step': { kind: 'whole', least: 1 },
  'evaluate.stop_when_right': { kind: 'switch' },
  'evaluate.limits.recall': { kind: 'json' },
  'evaluate.limits.leak': { kind: 'json' },
  'evaluate.questions': fixed,
  'checkpoint.every_steps': { kind: 'whole', least: 1, nullable: true },
  'checkpoint.keep': { kind: 'whole', least: 1 },
} as const satisfies Record<string, Field>;

export type FieldPath = keyof typeof recipeFields;
export const fieldPaths = Object.keys(recipeFields) as FieldPath[];

/** What a person may want to change without knowing how training works; the others are details. */
export const plainPaths = ['steps', 'optim.lr', 'seed'] as const satisfies readonly FieldPath[];

export const fieldGroups = ['length', 'model', 'data', 'loss', 'optim', 'evaluate', 'checkpoint'] as const;
export type FieldGroup = (typeof fieldGroups)[number];

/** The group in which a field is shown. */
export function groupOf(path: FieldPath): FieldGroup {
  const [first] = path.split('.');
  if (first === 'model' || first === 'method' || path === 'device' || path === 'name' || path === 'version') return 'model';
  return (fieldGroups as readonly (string | undefined)[]).includes(first) ? (first as FieldGroup) : 'length';
}

/** What an adapter that training begins from brings along. */
const ofAdapter: readonly FieldPath[] = ['method.rank', 'method.alpha', 'method.layers'];

/** The field as its type says it, whatever the table above narrowed it to; of a recipe that begins from an adapter, its size is fixed. */
export function fieldOf(path: FieldPath, recipe: Recipe): Field {
  return recipe.method.init_adapter !== null && ofAdapter.includes(path) ? fixed : recipeFields[path];
}

/** What a recipe has at a path; undefined where its parent is null ("never"). */
export function valueAt(recipe: Recipe, path: FieldPath): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | null | undefined)?.[key], recipe);
}

/** The recipe with another value at a path. */
export function withValue(recipe: Recipe, path: FieldPath, value: unknown): Recipe {
  const put = (target: Record<string, unknown>, [key = '', ...rest]: readonly string[]): Record<string, unknown> => ({
    ...target,
    [key]: rest.length === 0 ? value : put((target[key] ?? {}) as Record<string, unknown>, rest),
  });
  return put(recipe as unknown as Record<string, unknown>, path.split('.')) as unknown as Recipe;
}

/** A value as it is shown and typed. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  return JSON.stringify(value);
}

export type Entry = { value: unknown } | { wrong: MessageKey; values: Record<string, string | number> };

/** What was typed as a field's value, or what is wrong with it. */
export function parseEntry(field: Field, text: string): Entry {
  const typed = text.trim();
  switch (field.kind) {
    case 'whole':
    case 'number':
      return parseNumber(field, typed);
    case 'json':
      try {
        return { value: typed === '' ? null : (JSON.parse(typed) as unknown) };
      } catch {
        return { wrong: 'entry.json', values: {} };
      }
    case 'choice': {
      const value = [...field.options].find((option) => String(option) === typed);
      return value !== undefined ? { value } : { wrong: 'entry.choice', values: { options: field.options.join(', ') } };
    }
    case 'switch':
    case 'fixed':
      return { value: typed };
  }
}

function parseNumber({ kind, least, above, most, nullable = false }: Extract<Field, { kind: 'whole' | 'number' }>, typed: string): Entry {
  if (typed === '' && nullable) return { value: null };
  const value = typed === '' ? NaN : Number(typed);
  if (!Number.isFinite(value)) return { wrong: 'entry.number', values: {} };
  if (kind === 'whole' && !Number.isSafeInteger(value)) return { wrong: 'entry.whole', values: {} };
  if (least !== undefined && value < least) return { wrong: 'entry.least', values: { least } };
  if (above !== undefined && value <= above) return { wrong: 'entry.above', values: { above } };
  if (most !== undefined && value > most) return { wrong: 'entry.most', values: { most: String(most) } };
  return { value };
}

/** What is wrong between fields of a recipe, at the field that should change; null where nothing is. */
export function conflict({ batch_tokens, data }: Recipe): { path: FieldPath; wrong: MessageKey; values: Record<string, number> } | null {
  if (batch_tokens >= data.max_length || data.format === 'tokens') return null;
  return { path: 'batch_tokens', wrong: 'entry.batch', values: { length: data.max_length } };
}
