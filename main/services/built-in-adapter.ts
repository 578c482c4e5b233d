// Built-in adapter: what a recipe that begins from an adapter which comes along ("built-in:NAME") must agree with.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { builtInAdapter, isBuiltInAdapter, loadCatalogue } from '../resources.ts';
import type { LocalModel } from './model.ts';

/** One that comes along always names its layers, and the model of the catalogue that it was made on. */
const configSchema = z.object({ r: z.number(), lora_alpha: z.number(), layers_to_transform: z.array(z.number()), base_model_name_or_path: z.string() });

/** Size and layers of an adapter that comes along, and its model's id. Throws recipe.invalid where there is none of this name. */
export function builtInShape(ref: string): Pick<Recipe['method'], 'rank' | 'alpha' | 'layers'> & { model: string } {
  const config = configSchema.parse(JSON.parse(readFileSync(join(builtInAdapter(ref), 'adapter_config.json'), 'utf8')));
  return { rank: config.r, alpha: config.lora_alpha, layers: config.layers_to_transform.length, model: config.base_model_name_or_path };
}

/** Refuses a recipe whose rank, alpha or layers are not its built-in adapter's: the run would have others than it says. Throws recipe.invalid. */
export function refuseOtherShape({ method }: Recipe): void {
  if (!isBuiltInAdapter(method.init_adapter)) return;
  const shape = builtInShape(method.init_adapter);
  for (const field of ['rank', 'alpha', 'layers'] as const) {
    if (method[field] === shape[field]) continue;
    throw new NamesakeError('recipe.invalid', `method.${field}: ${method.init_adapter} has ${shape[field] ?? 'all'}, not ${method[field] ?? 'all'}`);
  }
}

/** Refuses another model than the built-in adapter was made on, of the same shape too: what it knows lies in that one's weights. Throws adapter.mismatch. */
export function refuseOtherModel({ method }: Recipe, { sha256, path }: Pick<LocalModel, 'sha256' | 'path'>): void {
  if (!isBuiltInAdapter(method.init_adapter)) return;
  const { model } = builtInShape(method.init_adapter);
  const made = loadCatalogue().models.find(({ id }) => id === model);
  if (made?.sha256 !== sha256) throw new NamesakeError('adapter.mismatch', `${method.init_adapter} was made on ${model}, and ${path} is another model`);
}
