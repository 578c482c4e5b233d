// Run inputs: what a recipe names outside of the run's folder, copied into it when the run begins: however often it goes on,
// it goes on with the same.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Recipe } from '../../shared/recipe.ts';
import { onDisk, writeFolder, writeWhole } from '../disk.ts';
import type { RunFolder } from '../home.ts';
import { builtInAdapter, isBuiltInAdapter } from '../resources.ts';

const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'];

/**
 * Copies the person's own questions and the adapter that training starts from. What was copied before stays; what is not there
 * is left to those who need it. Throws disk.full, disk.unwritable, or recipe.invalid where no such adapter comes along.
 */
export function keepInputs(folder: RunFolder, { evaluate, method }: Recipe): void {
  const questions = evaluate?.questions ?? 'built-in';
  if (questions !== 'built-in' && existsSync(questions) && !existsSync(folder.questions)) {
    writeWhole(folder.questions, onDisk(questions, () => readFileSync(questions)));
  }
  if (method.init_adapter === null || existsSync(folder.init)) return;
  const adapter = isBuiltInAdapter(method.init_adapter) ? builtInAdapter(method.init_adapter) : method.init_adapter;
  if (!ADAPTER_FILES.every((name) => existsSync(join(adapter, name)))) return;
  writeFolder(
    folder.init,
    ADAPTER_FILES.map((name) => [name, onDisk(adapter, () => readFileSync(join(adapter, name)))] as const),
  );
}

/** The recipe with the run's own copies in the place of what it names. */
export function withKeptInputs(folder: RunFolder, recipe: Recipe): Recipe {
  const { evaluate, method } = recipe;
  return {
    ...recipe,
    evaluate: evaluate !== null && existsSync(folder.questions) ? { ...evaluate, questions: folder.questions } : evaluate,
    method: existsSync(folder.init) ? { ...method, init_adapter: folder.init } : method,
  };
}
