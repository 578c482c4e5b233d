// Python's str.strip: chat templates are written for it, and JavaScript's trim() takes other blanks off.

/** What is stripped where nothing else is asked for; JavaScript differs in U+001C to U+001F, U+0085 and U+FEFF. */
const BLANKS =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';

export type Sides = 'left' | 'right' | 'both';

/** `text` without `characters` (of one UTF-16 unit each) at its sides. */
export function pythonStrip(text: string, sides: Sides, characters = BLANKS): string {
  let [start, end] = [0, text.length];
  while (sides !== 'right' && start < end && characters.includes(text.charAt(start))) start++;
  while (sides !== 'left' && end > start && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}
