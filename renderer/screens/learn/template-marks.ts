// Template marks: the text of a template in pieces, the model's own marks apart from what is said.
import type { RowToken } from '../../../shared/row-life.ts';

/** The text parted at the marks that are among its tokens; all pieces together are the text. */
export function withMarks(text: string, tokens: readonly RowToken[]): { text: string; mark: boolean }[] {
  const marks = tokens.filter(({ special }) => special).map(({ piece }) => piece);
  const pieces: { text: string; mark: boolean }[] = [];
  let at = 0;
  // In their order: the same letters typed by a person are text, and its tokens are no marks.
  for (const mark of marks) {
    const found = text.indexOf(mark, at);
    if (found < 0) continue;
    if (found > at) pieces.push({ text: text.slice(at, found), mark: false });
    pieces.push({ text: mark, mark: true });
    at = found + mark.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), mark: false });
  return pieces;
}
