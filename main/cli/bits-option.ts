// Bits options: in how many bits something is held, out of a few.
import { InvalidArgumentError, Option } from 'commander';

/** The first of `choices` where nothing is said. */
function bitsOption<Bits extends number>(flag: string, what: string, choices: readonly [Bits, ...Bits[]]): Option {
  const texts = choices.map(String);
  return new Option(`${flag} <n>`, what).choices(texts).default(choices[0]).argParser((text): Bits => {
    const chosen = choices[texts.indexOf(text)];
    if (chosen === undefined) throw new InvalidArgumentError(`Allowed choices are ${texts.join(', ')}.`);
    return chosen;
  });
}

/** --state-bits, for a recipe's optim.state_bits. */
export const stateBitsOption = (): Option => bitsOption('--state-bits', 'bits of the optimizer', [32, 8]);

/** --activation-bits, for a recipe's activation_bits. */
export const activationBitsOption = (): Option => bitsOption('--activation-bits', 'bits of the widest that is kept of the forward pass', [32, 16]);
