// Thinking: the block that some models write before an answer, between <think> and </think>. It is not the answer: it is shown
// folded, never scored, copied or learnt from.

const OPEN = '<think>';
const CLOSE = '</think>';

export interface Parts {
  /** What was thought; null where nothing was. */
  thinking: string | null;
  /** Whether it had not come to the end of its thinking where the text ends. */
  open: boolean;
  /** What follows. */
  answer: string;
}

/** How much of a mark's beginning a text ends with: the rest of it may be on its way. */
function begun(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length--) if (mark.startsWith(text.slice(-length))) return length;
  return 0;
}

/**
 * Parts an answer at its thinking. A template may have written the opening mark itself, so one that only ends counts as thought
 * from its beginning. `growing`: more text may follow, and a mark may be half there. A block without words is none.
 */
export function partsOf(text: string, growing = false): Parts {
  const begin = text.trimStart();
  const isMarked = begin.startsWith(OPEN);
  if (growing && !isMarked && begin !== '' && OPEN.startsWith(begin)) return { thinking: '', open: true, answer: '' };
  const end = text.indexOf(CLOSE);
  if (!isMarked && (end < 0 || text.slice(0, end).includes(OPEN))) return { thinking: null, open: false, answer: text };
  const from = isMarked ? text.length - begin.length + OPEN.length : 0;
  const open = end < 0;
  const to = open ? text.length - (growing ? begun(text.slice(from), CLOSE) : 0) : end;
  const thinking = text.slice(from, to).trim();
  return { thinking: thinking === '' && !open ? null : thinking, open, answer: open ? '' : text.slice(end + CLOSE.length).trimStart() };
}

/** What an answer says when its thinking is left out. */
export function answerOf(text: string): string {
  return partsOf(text).answer;
}
