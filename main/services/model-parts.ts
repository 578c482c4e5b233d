// Model parts: the files of a folder in Hugging Face's layout that make the model what it is: configuration, weights, tokenizer and
// chat template. What else lies there (a README, a cache, weights in other formats) is not the model.
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface ModelPart {
  name: string;
  path: string;
  size: number;
}

/** Without this there is no model in a folder. */
const CONFIG = 'config.json';

const NAMED: ReadonlySet<string> = new Set([
  ...[CONFIG, 'generation_config.json', 'model.safetensors.index.json'],
  ...['tokenizer.json', 'tokenizer.model', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'vocab.json', 'merges.txt'],
  ...['chat_template.jinja', 'chat_template.json'],
]);

/** Weights, whatever an index calls its shards; an adapter beside them is another thing. */
function isWeights(name: string): boolean {
  return name.endsWith('.safetensors') && !name.startsWith('adapter_');
}

/** Whether a file of this name belongs to the model of its folder. */
export function isModelPart(name: string): boolean {
  return NAMED.has(name) || isWeights(name);
}

/** Whether a path is a folder with a model. */
export function isModelFolder(path: string): boolean {
  return statSync(join(path, CONFIG), { throwIfNoEntry: false })?.isFile() === true;
}

/** A folder's parts by name (code units); none where it holds no model. Throws what the file system says. */
export function modelParts(folder: string): ModelPart[] {
  if (!isModelFolder(folder)) return [];
  return readdirSync(folder)
    .filter(isModelPart)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      const found = statSync(path);
      return found.isFile() ? [{ name, path, size: found.size }] : [];
    });
}

/** One sha256 for a folder: of its parts' names, sizes and sha256, a line each in the order of `modelParts`. */
export function partsSha256(parts: readonly (Pick<ModelPart, 'name' | 'size'> & { sha256: string })[]): string {
  const hash = createHash('sha256');
  for (const { name, size, sha256 } of parts) hash.update(`${name}\t${size}\t${sha256}\n`);
  return hash.digest('hex');
}

/** Bytes of the model at a path, a file or a folder; null where there is none. */
export function modelBytes(path: string): number | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (!found.isDirectory()) return found.size;
  const parts = modelParts(path);
  return parts.length === 0 ? null : parts.reduce((sum, { size }) => sum + size, 0);
}
