// Beginning: what making an assistant of a model begins with where nobody says otherwise: a shipped recipe for its size, and the
// precision of its frozen weights.
import type { ModelShape } from '../../shared/model.ts';
import type { PersonaInput } from '../../shared/persona.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { isBuiltInAdapter } from '../resources.ts';
import { recipeForPersona } from './recipe.ts';

export interface Beginning {
  /** A recipe of resources/recipes. */
  recipe: string;
  precision: Recipe['model']['precision'];
}

/** A model as far as it decides how to begin. */
export type Sized = Pick<ModelShape, 'hidden' | 'layers' | 'heads' | 'kv_heads' | 'head_dim' | 'ffn' | 'vocab' | 'tied'> & { file_bytes: number };

/** The recipe for a model of so many parameters. A wider model learns from smaller steps. */
function recipeFor(parameters: number): string {
  if (parameters <= 0.25e9) return 'models_0b2_qlora_identity';
  if (parameters <= 1e9) return 'models_0b5_qlora_identity';
  return parameters <= 2.5e9 ? 'models_2b_qlora_identity' : 'models_4b_qlora_identity';
}

/** More bytes a parameter than any block format has: what is stored in 16 or 32 bits. */
const WIDE_BYTES = 1.5;
/** Below this many parameters little memory is to be saved, and 4 bits cost a small model most. */
const WORTH_PACKING = 0.25e9;

/** Parameters of a model's matrices; norms and biases are a thousandth of them. */
export function parametersOf({ hidden, layers, heads, kv_heads, head_dim, ffn, vocab, tied }: Sized): number {
  const attention = 2 * hidden * head_dim * (heads + kv_heads);
  return layers * (attention + 3 * hidden * ffn) + (tied ? 1 : 2) * vocab * hidden;
}

/** Whether a model's file holds blocks of few bits already, as most GGUF files do. */
export function isQuantised(model: Sized): boolean {
  return model.file_bytes < WIDE_BYTES * parametersOf(model);
}

/** How to begin with a model of this size. */
export function beginningOf(model: Sized): Beginning {
  const parameters = parametersOf(model);
  return { recipe: recipeFor(parameters), precision: isQuantised(model) || parameters < WORTH_PACKING ? 'as-stored' : 'nf4' };
}

/** The recipe that an assistant is made with on a model, before `change`. Throws as recipeForPersona does. */
export function recipeOn(ref: string, { recipe, precision }: Beginning, persona: PersonaInput, change: Parameters<typeof recipeForPersona>[2] = () => undefined): Recipe {
  return recipeForPersona(recipe, persona, (value) => {
    value['model'] = { ref, precision };
    change(value);
  });
}

/** What of a recipe follows from the model, by its dotted place: the rest is the person's. */
const FOLLOWING = [
  ...['model.precision', 'method.kind', 'method.rank', 'method.alpha', 'method.dropout', 'method.targets', 'method.layers', 'method.init_adapter', 'data.mix', 'loss', 'optim', 'steps', 'batch_tokens', 'accumulate', 'activation_bits', 'checkpoint'],
  ...['evaluate.every_steps', 'evaluate.from_step', 'evaluate.limits'],
] as const;

/** A recipe with what follows from the model as another recipe has it. */
export function withFollowing(recipe: Recipe, other: Recipe): Recipe {
  const changed = structuredClone(recipe);
  for (const place of FOLLOWING) put(changed, place.split('.'), valueAt(other, place.split('.')));
  return changed;
}

/** A recipe that was moved to another model: what nobody changed is as that model begins, what somebody changed stays. */
export function followModel(recipe: Recipe, from: Beginning, to: Beginning): Recipe {
  // Whose assistant it makes says nothing about these fields.
  const [old, next] = [from, to].map((beginning) => recipeOn(recipe.model.ref, beginning, { owner: 'A', name: 'B' })) as [Recipe, Recipe];
  const moved = structuredClone(recipe);
  for (const place of FOLLOWING) {
    const path = place.split('.');
    if (JSON.stringify(valueAt(moved, path)) === JSON.stringify(valueAt(old, path))) put(moved, path, valueAt(next, path));
  }
  // What it begins from decides these, whatever somebody had set: no run could have others.
  if (isBuiltInAdapter(moved.method.init_adapter)) {
    const { rank, alpha, layers } = next.method;
    moved.method = { ...moved.method, rank, alpha, layers };
  }
  return moved;
}

type Tree = Record<string, unknown> | null | undefined;

function valueAt(recipe: Recipe, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Tree)?.[key], recipe);
}

/** Nothing where the parent is left out ("never"). */
function put(recipe: Recipe, path: readonly string[], value: unknown): void {
  const parent = valueAt(recipe, path.slice(0, -1)) as Tree;
  if (parent !== null && parent !== undefined) parent[path.at(-1) as string] = value;
}
