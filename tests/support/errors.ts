// Errors that tests expect.
import { NamesakeError } from '../../shared/errors.ts';

/** The NamesakeError that `work` throws. Fails where it throws nothing, or something else. */
export function thrownBy(work: () => unknown): NamesakeError {
  let result: unknown;
  try {
    result = work();
  } catch (error) {
    if (error instanceof NamesakeError) return error;
    throw new Error(`not a NamesakeError: ${String(error)}`, { cause: error });
  }
  throw new Error(`nothing was thrown, the result is ${JSON.stringify(result)?.slice(0, 200)}`);
}
