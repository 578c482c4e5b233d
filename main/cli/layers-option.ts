// Layers option: --layers, for a recipe's method.layers.
import { Option } from 'commander';
import { wholeNumber } from './number-option.ts';

/** null where nothing is said: all. */
export function layersOption(): Option {
  return new Option('--layers <n>', 'layers that have LoRA factors, from the top; all where it is left out').argParser(wholeNumber(1)).default(null);
}
