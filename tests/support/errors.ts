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

/** The NamesakeError that a promise rejects with. Fails where it comes true, or rejects with something else. */
export async function rejectedBy(work: Promise<unknown>): Promise<NamesakeError> {
  let result: unknown;
  try {
    result = await work;
  } catch (error) {
    if (error instanceof NamesakeError) return error;
    throw new Error(`not a NamesakeError: ${String(error)}`, { cause: error });
  }
  throw new Error(`nothing was thrown, the result is ${JSON.stringify(result)?.slice(0, 200)}`);
}
