// Node version: an older Node crashes in better-sqlite3's prebuilt binary without a word, so it is refused before that loads.
import { NamesakeError } from '../../shared/errors.ts';

const LEAST = [22, 12] as const;

/** Throws node.too_old for a version ("20.19.1") below the least. */
export function checkNode(found: string): void {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return;
  const least = LEAST.join('.');
  throw new NamesakeError('node.too_old', `Node ${found}, not ${least}`, { found, least });
}
