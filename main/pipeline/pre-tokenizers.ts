// Pre-tokenizers: how a byte-level vocabulary parts text into words before anything is joined. A wrong one tokenises
// numbers or blanks differently without an error, so an unknown one is refused.

/** One way to part text. */
export interface PreTokenizer {
  /** Each parts what the one before left; what matches and what lies between are pieces alike. */
  steps: readonly RegExp[];
  /** Text is brought to Unicode's form C first. */
  nfc: boolean;
  /** A word that is a token as it stands is not taken apart. */
  wholeWords: boolean;
  /** Whether a file that does not say starts with a beginning of sequence. */
  addBos: boolean;
}

// Python's patterns are Oniguruma's, whose \s is Unicode's White_Space; JavaScript's is not (U+0085, U+FEFF).

/** GPT-2's words. */
const words = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
/** One digit a piece, as Python's `Digits(individual_digits)` finds them: every Unicode numeric. */
const digits = /\p{N}/gu;

/**
 * The words of Llama 3 and Qwen, which differ in how many digits stand together. Their (?i:'s|…) ignores case as Unicode
 * folds it: U+017F is an s.
 */
function wordsWithDigits(numbers: string): RegExp {
  return new RegExp(
    "'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])" +
      `|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\p{White_Space}\\p{L}\\p{N}]+[\\r\\n]*` +
      '|\\p{White_Space}*[\\r\\n]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+',
    'gu',
  );
}

const plain = { nfc: false, wholeWords: false, addBos: false };
const llama3: PreTokenizer = { steps: [wordsWithDigits('\\p{N}{1,3}')], nfc: false, wholeWords: true, addBos: true };

/** By GGUF's name, which is all that a GGUF file stores of it. */
export const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map([
  ['gpt-2', { ...plain, steps: [words] }],
  ['smollm', { ...plain, steps: [digits, words] }],
  ['qwen2', { ...plain, steps: [wordsWithDigits('\\p{N}')], nfc: true }],
  ['llama-bpe', llama3],
  ['llama3', llama3],
  ['llama-v3', llama3],
  ['smaug-bpe', { ...llama3, wholeWords: false, addBos: false }],
]);

/** The pieces of a text, in order; together they are the text. */
export function splitWords(text: string, { steps, nfc }: PreTokenizer): string[] {
  let pieces = [nfc ? text.normalize('NFC') : text];
  for (const step of steps) pieces = pieces.flatMap((piece) => isolate(piece, step));
  return pieces;
}

function isolate(text: string, pattern: RegExp): string[] {
  const pieces: string[] = [];
  let done = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (index > done) pieces.push(text.slice(done, index));
    pieces.push(match);
    done = index + match.length;
  }
  if (done < text.length) pieces.push(text.slice(done));
  return pieces;
}
