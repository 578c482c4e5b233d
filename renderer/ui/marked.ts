// Marked: a text in parts, those marked that are words of the persona. A word counts as it does where answers are scored:
// case and width mean nothing, and one that begins or ends with a Latin letter or a digit stands alone.
export interface Part {
  text: string;
  marked: boolean;
}

const LATIN = '[\\p{Script=Latin}\\p{N}]';
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** NFKC and case folded: upper case first, so that ß meets SS and both of Greek's small sigmas meet. */
function folded(text: string): string {
  return text.normalize('NFKC').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
}

/** One pattern for all words, longer ones first: one that begins with another is found whole. null where there are none. */
function patternOf(words: readonly (string | undefined)[]): RegExp | null {
  const known = [...new Set(words.map((word) => folded(word ?? '').trim()))].filter((word) => word !== '').sort((a, b) => b.length - a.length);
  if (known.length === 0) return null;
  const alone = (word: string): string => {
    const before = new RegExp(`^${LATIN}`, 'u').test(word) ? `(?<!${LATIN})` : '';
    const after = new RegExp(`${LATIN}$`, 'u').test(word) ? `(?!${LATIN})` : '';
    return before + word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&') + after;
  };
  return new RegExp(known.map(alone).join('|'), 'gu');
}

/** Splits `text` at every one of `words`. */
export function markedParts(text: string, words: readonly (string | undefined)[]): Part[] {
  const pattern = patternOf(words);
  if (pattern === null || text === '') return [{ text, marked: false }];
  // Folding may change lengths: each place in the folded text remembers where it comes from.
  let body = '';
  const from: number[] = [];
  for (const { segment, index } of graphemes.segment(text)) {
    const piece = folded(segment);
    for (let i = 0; i < piece.length; i++) from.push(index);
    body += piece;
  }
  from.push(text.length);
  const parts: Part[] = [];
  let at = 0;
  for (const { 0: word, index } of body.matchAll(pattern)) {
    const [start, end] = [from[index] ?? text.length, from[index + word.length] ?? text.length];
    if (start > at) parts.push({ text: text.slice(at, start), marked: false });
    if (end > start) parts.push({ text: text.slice(start, end), marked: true });
    at = Math.max(at, end);
  }
  if (at < text.length) parts.push({ text: text.slice(at), marked: false });
  return parts;
}
