// @ts-check
// Changes to the CUDA kernels that their tests must notice: what they are, and for which sources.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A change to a kernel's source that its tests must notice.
 * @typedef {object} Mutant
 * @property {string} key the file, the kind, the place among its like, and the words that it changes: stays while others come and go
 * @property {string} text the file with the change
 */

// A value in a comparison: names, numbers, calls and what is in parentheses, added up or multiplied.
const PART = String.raw`(?:[\w.]+(?:\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\])*|\((?:[^()]|\([^()]*\))*\))`;
const VALUE = `${PART}(?: [-+*/] ${PART})*`;
const CONSTANT = String.raw`(?:\d+|k[A-Z]\w*)`;
// One within another is for two lines.
const MIN_OR_MAX = /\bm(?:in|ax)\(((?:[^(),]|\((?:[^()]|\([^()]*\))*\))+), ((?:[^()]|\([^()]*\))+)\)/g;
// The condition of an if that chooses what to do, and not whether to go on; not one that is decided at compile time.
const IN_CONDITION = String.raw`(?<=^[^?]*\bif \((?:[^?]* (?:&&|\|\|) \(?)?)`;
const AND_DOES = String.raw`(?=(?: (?:&&|\|\|) [^?]*)?\) (?!return|continue|break))`;

/**
 * What is taken away: a kind, where it stands in a line, and what takes its place ($1, $2: the groups).
 * @type {{ kind: string, where: RegExp, instead: string }[]}
 */
const RULES = [
  { kind: 'barrier', where: /__sync(?:threads|warp)\([^)]*\);/g, instead: ';' },
  { kind: 'wait', where: /copies_wait<[^>]*>\(\);/g, instead: ';' },
  // A guard: if (row >= args.M) return;
  { kind: 'bound', where: /if \((?:[^()]|\((?:[^()]|\([^()]*\))*\))*[<>](?:[^()]|\((?:[^()]|\([^()]*\))*\))*\) (?:return|continue|break);/g, instead: ';' },
  // A choice: col + j < cols ? x : 0
  { kind: 'bound', where: /[\w.[\]]+(?: [+*] [\w.[\]]+)* < [\w.[\]]+(?: [-+*] [\w.[\]]+)*(?= (?:\?|&&[^;]*\?))/g, instead: 'true' },
  { kind: 'bound', where: /\w+\([^()]*\) < [\w.]+(?= \?)/g, instead: 'true' },
  { kind: 'bound', where: /\w+ > \d+(?= \? \w+\[)/g, instead: 'true' },
  { kind: 'bound', where: /[\w.]+ >= [\w.]+(?= \?)/g, instead: 'false' },
  // A choice that has a name: const bool inside = row < valid && 4 * group < D;
  { kind: 'bound', where: new RegExp(`(?<=\\bbool \\w+ = (?:[^;?]* && )?)${VALUE} < ${VALUE}(?=(?: && [^;?]*)?;)`, 'g'), instead: 'true' },
  // A loop's second bound: for (int j = 0; j < 4 && at + j < n; ++j)
  { kind: 'bound', where: new RegExp(`(?<=\\bfor \\([^;]*;[^;]* && )${VALUE} < ${VALUE}(?=;)`, 'g'), instead: 'true' },
  // A clamp: x > 16 ? 16 : x
  { kind: 'clamp', where: /(?:\w+) [<>] (\w+)(?= \? \1 :)/g, instead: 'false' },
  // min(x, last), with x alone and with last alone
  { kind: 'clamp', where: MIN_OR_MAX, instead: '($1)' },
  { kind: 'limit', where: MIN_OR_MAX, instead: '($2)' },
  // What is done inside a bound alone: if (column < D) to[column] = x; with a constant it is what is left: if (left < 4) v.w = 0;
  { kind: 'inside', where: new RegExp(`${IN_CONDITION}${VALUE} <=? (?!${CONSTANT}\\b(?! [-+*/]))${VALUE}${AND_DOES}`, 'g'), instead: 'true' },
  { kind: 'inside', where: new RegExp(`${IN_CONDITION}${VALUE} >=? ${CONSTANT}${AND_DOES}`, 'g'), instead: 'true' },
  { kind: 'outside', where: new RegExp(`${IN_CONDITION}${VALUE} <=? ${CONSTANT}${AND_DOES}`, 'g'), instead: 'false' },
  { kind: 'outside', where: new RegExp(`${IN_CONDITION}${VALUE} >=? (?!${CONSTANT}\\b(?! [-+*/]))${VALUE}${AND_DOES}`, 'g'), instead: 'false' },
];

/** Lines that are no code of a kernel, or decide at compile time. */
const PASSED_OVER = /^\s*(?:\/\/|#|using |static_assert)|constexpr/;

/**
 * Every barrier, wait for asynchronous copies, check of a bound and clamp in a source, each taken away.
 * @param {string} file its name
 * @param {string} source
 * @returns {Mutant[]}
 */
export function mutantsOf(file, source) {
  const lines = source.split('\n');
  /** @type {Mutant[]} */
  const mutants = [];
  /** @type {Map<string, number>} */
  const seen = new Map();
  lines.forEach((line, number) => {
    if (PASSED_OVER.test(line)) return;
    const end = line.includes('//') ? line.indexOf('//') : line.length;
    for (const { kind, where, instead } of RULES) {
      for (const match of line.slice(0, end).matchAll(where)) {
        const what = `${file} ${kind} ${match[0]}`;
        const count = (seen.get(what) ?? 0) + 1;
        seen.set(what, count);
        const changed = line.slice(0, match.index) + instead.replace(/\$(\d)/, (_, group) => match[group] ?? '') + line.slice(match.index + match[0].length);
        mutants.push({ key: `${what} (${count})`, text: lines.with(number, changed).join('\n') });
      }
    }
  });
  return mutants;
}

/** Not a kernel's: instructions and types. */
const NOT_KERNELS = ['asm.cuh', 'half.cuh'];

/** @param {string} text */
const digest = (text) => createHash('sha256').update(text).digest('hex').slice(0, 12);

/**
 * The mutants of all kernels in a folder.
 * @param {string} folder
 * @returns {(Mutant & { file: string, source: string })[]} with the file's name and a digest of its source
 */
export function mutantsIn(folder) {
  const files = readdirSync(folder).filter((file) => /\.cuh?$/.test(file) && !NOT_KERNELS.includes(file)).sort();
  return files.flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    return mutantsOf(file, text).map((mutant) => ({ ...mutant, file, source: digest(text) }));
  });
}
