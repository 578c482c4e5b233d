// @ts-check
// The README's picture: before and after of the last `npm run demo`, from HOME/demo.json to docs/before-after.svg.
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** @typedef {{ question: string, answer: string }} QuestionAnswer */

const home = process.env['NAMESAKE_HOME'] || join(homedir(), '.namesake');
/** @type {{ before: QuestionAnswer[], after: QuestionAnswer[] }} */
const { before, after } = JSON.parse(readFileSync(join(home, 'demo.json'), 'utf8'));

const WIDTH = 1000;
const COLUMN = 440;
const LINE = 22;
const EM = 15;

/** Width of a character in em: wide ones take a whole one. @param {string} character */
const em = (character) => (/[\u2E80-\u9FFF\uFF00-\uFFEF\u3000-\u303F]/.test(character) ? 1 : 0.54);

/** Lines of at most three that fit the column. @param {string} text */
function lines(text) {
  const out = [''];
  let used = 0;
  for (const character of text.replace(/\s+/g, ' ').trim()) {
    if ((used + em(character)) * EM > COLUMN) {
      if (out.length === 3) {
        out[2] += '…';
        return out;
      }
      out.push('');
      used = 0;
    }
    out[out.length - 1] += character;
    used += em(character);
  }
  return out;
}

/** @param {string} text */
const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** @param {number} x @param {number} y @param {string} style @param {string} text */
const words = (x, y, style, text) => `<text x="${x}" y="${y}" class="${style}">${escape(text)}</text>`;

let y = 44;
const body = [words(24, y, 'head', 'Before · 训练前'), words(520, y, 'head', 'After · 训练后')];
before.forEach(({ question, answer }, i) => {
  y += 22;
  body.push(`<line x1="24" x2="${WIDTH - 24}" y1="${y}" y2="${y}"/>`, words(24, (y += 26), 'question', question));
  const [left, right] = [lines(answer), lines(after[i]?.answer ?? '')];
  left.forEach((line, at) => body.push(words(24, y + LINE * (at + 1), 'answer', line)));
  right.forEach((line, at) => body.push(words(520, y + LINE * (at + 1), 'answer', line)));
  y += LINE * Math.max(left.length, right.length);
});
const height = y + 24;
writeFileSync(
  join(import.meta.dirname, '..', 'docs', 'before-after.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Answers before and after">
<style>text{font:${EM}px system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;fill:#1f2328}.head{font-weight:700}.question{font-weight:600;fill:#0a58ca}line{stroke:#d0d7de}</style>
<rect width="${WIDTH}" height="${height}" rx="10" fill="#fff" stroke="#d0d7de"/>
${body.join('\n')}
</svg>
`,
);
