// Device option: what is to compute, as every command takes it.
import { InvalidArgumentError, Option } from 'commander';
import { deviceSchema, type Recipe } from '../../shared/recipe.ts';

const NAMES = 'auto, cpu, cuda (the card with the most free memory), cuda:N (the card that doctor counts as N), reference';

/** --device; `purpose` is said before the names that it takes. It has no default: where it needs one, the command says so. */
export function deviceOption(purpose = ''): Option {
  return new Option('--device <device>', `${purpose}${NAMES}`).argParser((text): Recipe['device'] => {
    const { data } = deviceSchema.safeParse(text);
    if (data === undefined) throw new InvalidArgumentError(`It must be one of: ${NAMES}.`);
    return data;
  });
}
