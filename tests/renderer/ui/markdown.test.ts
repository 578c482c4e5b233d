import { describe, expect, it } from 'vitest';
import { markdownTags, markdownTree, type MarkdownNode } from '../../../renderer/ui/markdown.ts';

/** A tree as lines of what it is, for people to compare. */
function drawn(nodes: readonly MarkdownNode[]): string {
  return nodes
    .map((node) => {
      switch (node.kind) {
        case 'text':
          return node.text;
        case 'break':
          return '⏎';
        case 'rule':
          return '<hr>';
        case 'code':
          return `\`${node.text}\``;
        case 'block':
          return `[${node.language}: ${node.text}]`;
        case 'heading':
          return `#${drawn(node.children)}#`;
        case 'link':
          return `${drawn(node.children)}→${node.address}`;
        case 'element':
          return `<${node.tag}${node.start === null ? '' : ` ${node.start}`}>${drawn(node.children)}</>`;
      }
    })
    .join('');
}

/** All that a tree says and all that it points to. */
function all(nodes: readonly MarkdownNode[]): MarkdownNode[] {
  return nodes.flatMap((node) => [node, ...('children' in node ? all(node.children) : [])]);
}

describe('a model’s words', () => {
  it.each([
    ['Hello', '<p>Hello</>'],
    ['One\ntwo\n\nthree', '<p>One⏎two</><p>three</>'],
    ['**I** am *Bo* and ~~gone~~', '<p><strong>I</> am <em>Bo</> and <s>gone</></>'],
    ['- a\n- b', '<ul><li>a</><li>b</></>'],
    ['3. a\n4. b', '<ol 3><li>a</><li>b</></>'],
    ['- a\n\n- b', '<ul><li><p>a</></><li><p>b</></></>'],
    ['## Title\ntext', '#Title#<p>text</>'],
    ['`x < 1`', '<p>`x < 1`</>'],
    ['```py\nprint(1)\n\nx\n```', '[py: print(1)\n\nx]'],
    ['> said', '<blockquote><p>said</></>'],
    ['| a | b |\n|---|:-:|\n| 1 | 2 |', '<table><thead><tr><th>a</><th>b</></></><tbody><tr><td>1</><td>2</></></></>'],
    ['[a place](https://example.com/x)', '<p>a place→https://example.com/x</>'],
    ['a\n\n---\n\nb', '<p>a</><hr><p>b</>'],
    ['![a cat](https://example.com/cat.png "t")', '<p>a cat</>'],
    ['1 &lt; 2 &amp; 3', '<p>1 < 2 & 3</>'],
    ['', ''],
  ])('%s', (text, tree) => {
    expect(drawn(markdownTree(text))).toBe(tree);
  });

  it('are shown while they are still being spoken, whatever is open at that moment', () => {
    const whole = 'Look **here**:\n\n```js\nconst a = [1](x) ![y](z);\n```\n\n1. one\n2. [two](http://a.b)\n\n| a |\n|---|\n| 1 |';
    for (let length = 0; length <= whole.length; length++) expect(() => drawn(markdownTree(whole.slice(0, length)))).not.toThrow();
    expect(drawn(markdownTree('```js\nconst a'))).toBe('[js: const a]');
  });
});

describe('words that want to be more than words', () => {
  const hostile = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg onload=alert(1)><script>alert(1)</script></svg>',
    '<style>*{display:none}</style>',
    '<p style="position:fixed" onclick="alert(1)">x</p>',
    '<iframe src="javascript:alert(1)"></iframe>',
    '<a href="javascript:alert(1)">x</a>',
    '<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
    'text <b onmouseover=alert(1)>bold</b> <!-- comment --> <?php ?> <![CDATA[x]]>',
    '```html"><img src=x onerror=alert(1)>\n</code></pre><script>alert(1)</script>\n```',
    '`<script>alert(1)</script>`',
    '| <img src=x onerror=alert(1)> |\n|---|\n| <script>1</script> |',
  ];
  it.each(hostile)('%s is text', (text) => {
    const nodes = all(markdownTree(text));
    for (const node of nodes) if (node.kind === 'element') expect(markdownTags).toContain(node.tag);

    // Nothing is lost: what looks like an element is there to be read.
    const said = nodes.map((node) => ('text' in node ? node.text : '')).join('');
    expect(said).toContain(/<(script|img|svg|style|p|iframe|a|math|b)\b/.exec(text.replace(/^```.*/, ''))?.[0]);

  });

  it.each([
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](&#106;avascript:alert(1))',
    '[x](java&#10;script:alert(1))',
    '[x](vbscript:msgbox(1))',
    '[x](data:text/html,<script>alert(1)</script>)',
    '[x](file:///etc/passwd)',
    '<javascript:alert(1)>',
    '<data:text/html,x>',
    '[x]: javascript:alert(1)\n\n[x]',
  ])('%s is no link', (text) => {
    for (const node of all(markdownTree(text))) {
      expect(node.kind === 'link' ? node.address : '').not.toMatch(/^\s*(javascript|vbscript|data|file):/i);
    }
  });

  it('what a code block says of its language is a word', () => {
    const [block] = markdownTree('```js" onload="alert(1)\nx\n```');
    expect(block).toEqual({ kind: 'block', text: 'x', language: 'js' });
  });
});
