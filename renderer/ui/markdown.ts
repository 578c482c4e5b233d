// Markdown: a model's words as a tree of what they are. No string of HTML is ever made of it: the page builds its own elements,
// so a model's words can be nothing but text, whatever they say.
import MarkdownIt from 'markdown-it';

/** Elements that a text can have; each is rendered as itself, without attributes. */
export const markdownTags = ['p', 'strong', 'em', 's', 'ul', 'ol', 'li', 'blockquote', 'table', 'thead', 'tbody', 'tr', 'th', 'td'] as const;
export type MarkdownTag = (typeof markdownTags)[number];

export type MarkdownNode =
  | { kind: 'text'; text: string }
  | { kind: 'break' }
  | { kind: 'rule' }
  /** Code within a line. */
  | { kind: 'code'; text: string }
  /** Code with lines of its own, and the language that it says it is in ('' = it does not say). */
  | { kind: 'block'; text: string; language: string }
  /** A heading: within an answer it is a line of weight, not a part of the page's own outline. */
  | { kind: 'heading'; children: MarkdownNode[] }
  /** Where a link points to is said, and nothing follows it. */
  | { kind: 'link'; address: string; children: MarkdownNode[] }
  /** `start`: the first number of an ordered list. */
  | { kind: 'element'; tag: MarkdownTag; start: number | null; children: MarkdownNode[] };

// A line break of the model's is one: it was trained on chats.
const parser = new MarkdownIt({ html: false, linkify: false, typographer: false, breaks: true });
type Token = ReturnType<typeof parser.parse>[number];

const isTag = (tag: string): tag is MarkdownTag => (markdownTags as readonly string[]).includes(tag);

/** The tree of a text. Raw HTML stays text, a picture is the words that stand for it, and nothing is ever loaded. */
export function markdownTree(text: string): MarkdownNode[] {
  return treeOf(parser.parse(text, {}));
}

function treeOf(tokens: readonly Token[]): MarkdownNode[] {
  const root: MarkdownNode[] = [];
  const open: MarkdownNode[][] = [root];
  const add = (node: MarkdownNode): void => void open.at(-1)?.push(node);
  for (const token of tokens) {
    if (token.type === 'inline') treeOf(token.children ?? []).forEach(add);
    else if (token.nesting === 1) {
      const children: MarkdownNode[] = [];
      // The paragraphs of a list without empty lines between its entries are only in name.
      const within = token.hidden ? null : elementOf(token, children);
      if (within === null) open.push(open.at(-1) ?? root);
      else {
        add(within);
        open.push(children);
      }
    } else if (token.nesting === -1) open.pop();
    else add(leafOf(token));
  }
  return root;
}

/** What an opening token opens; null where only what is inside of it is shown. */
function elementOf(token: Token, children: MarkdownNode[]): MarkdownNode | null {
  if (token.type === 'link_open') return { kind: 'link', address: String(token.attrGet('href') ?? ''), children };
  if (token.type === 'heading_open') return { kind: 'heading', children };
  if (!isTag(token.tag)) return null;
  const start = token.tag === 'ol' ? Number(token.attrGet('start') ?? 1) : null;
  return { kind: 'element', tag: token.tag, start, children };
}

function leafOf({ type, content, info }: Token): MarkdownNode {
  switch (type) {
    case 'softbreak':
    case 'hardbreak':
      return { kind: 'break' };
    case 'hr':
      return { kind: 'rule' };
    case 'code_inline':
      return { kind: 'code', text: content };
    case 'fence':
    case 'code_block':
      return { kind: 'block', text: content.replace(/\n$/, ''), language: /^[\w+#.-]+/.exec(info.trim())?.[0] ?? '' };
    default:
      // Pictures come here with the words that stand for them.
      return { kind: 'text', text: content };
  }
}
