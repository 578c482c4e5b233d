// @ts-check
/**
 * A change to a kernel's source that its tests must notice.
 * @typedef {object} Mutant
 * @property {string} key the file, the kind, the place among its like, and the words that it changes: stays while others come and go
 * @property {string} text the file with the change
 */

/** What is taken away: a kind, where it stands in a line, and what takes its place. */
const RULES = [
  { kind: 'barrier', where: /__sync(?:threads|warp)\([^)]*\);/g, instead: ';' },
  { kind: 'wait', where: /copies_wait<[^>]*>\(\);/g, instead: ';' },
  // A guard: if (row >= args.M) return;
  { kind: 'bound', where: /if \((?:[^()]|\((?:[^()]|\([^()]*\))*\))*[<>](?:[^()]|\((?:[^()]|\([^()]*\))*\))*\) (?:return|continue|break);/g, instead: ';' },
  // A choice: col + j < cols ? x : 0
  { kind: 'bound', where: /[\w.[\]]+(?: [+*] [\w.[\]]+)* < [\w.[\]]+(?: [-+*] [\w.[\]]+)*(?= (?:\?|&&[^;]*\?))/g, instead: 'true' },
];

/** Lines that are no code of a kernel, or decide at compile time. */
const PASSED_OVER = /^\s*(?:\/\/|#|using |static_assert)|constexpr/;

/**
 * Every barrier, wait for asynchronous copies and check of a bound in a source, each taken away.
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
        const changed = line.slice(0, match.index) + instead + line.slice(match.index + match[0].length);
        mutants.push({ key: `${what} (${count})`, text: lines.with(number, changed).join('\n') });
      }
    }
  });
  return mutants;
}
