// Token groups: tokens with the text that they stand for. A character that takes several tokens has them all under it: alone, none
// of them is text.
import type { RowToken } from '../../../shared/row-life.ts';

export interface TokenGroup {
  text: string;
  tokens: { token: RowToken; index: number }[];
}

/** What a token's text has where it holds but a part of a character. */
const PART = '\uFFFD';

/** The tokens of a template's text in order, each with its own text, or several with theirs together. */
export function groupsOf(template: string, tokens: readonly RowToken[]): TokenGroup[] {
  const groups: TokenGroup[] = [];
  let at = 0;
  let open: TokenGroup | null = null;
  tokens.forEach((token, index) => {
    if (token.piece.includes(PART)) {
      if (open === null) groups.push((open = { text: '', tokens: [] }));
      open.tokens.push({ token, index });
      return;
    }
    // Behind parts of characters, the text goes on where this piece begins: they are at least one character.
    const found = template.indexOf(token.piece, open === null ? at : at + 1);
    if (open !== null) open.text = template.slice(at, found < 0 ? at : found);
    open = null;
    // A mark that the template itself does not write stands before it.
    if (found >= 0) at = found + token.piece.length;
    groups.push({ text: token.piece, tokens: [{ token, index }] });
  });
  const last = groups.at(-1);
  if (open !== null && last !== undefined) last.text = template.slice(at);
  return groups;
}
