// Number option: values of options that must be whole numbers; anything else is bad usage.
import { InvalidArgumentError, Option } from 'commander';

/** A parser of whole numbers from `least` on. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
    }
    return value;
  };
}

/** --layers, for a recipe's method.layers; null where nothing is said. */
export function layersOption(): Option {
  return new Option('--layers <n>', 'layers that have LoRA factors, from the top; all where it is left out').argParser(wholeNumber(1)).default(null);
}
