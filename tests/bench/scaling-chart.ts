// The picture of tests/bench/scaling.ts: panels of lines and points, as SVG that a README can show.
export interface Line {
  name: string;
  points: { x: number; y: number }[];
  /** Points alone otherwise. */
  joined: boolean;
}

export interface Panel {
  title: string;
  xName: string;
  yName: string;
  /** Each step to the right is a factor. */
  logarithmic: boolean;
  lines: Line[];
}

const WIDTH = 1000;
const HEIGHT = 300;
const PLOT = { left: 90, right: 24, top: 64, bottom: 52 };
const COLOURS = ['#0a58ca', '#bc4c00', '#1a7f37', '#8250df'];

const escape = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const text = (x: number, y: number, words: string, style = '', anchor = 'start'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${style === '' ? '' : ` class="${style}"`}>${escape(words)}</text>`;

/** A round number of at most five steps from 0 to `most`: 1, 2 or 5 times a power of ten. */
function stepOf(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 5));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => most / step <= 5) ?? most;
}

function panel({ title, xName, yName, logarithmic, lines }: Panel, left: number, top: number, width: number): string {
  const points = lines.flatMap((line) => line.points);
  if (points.length === 0) return '';
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const scale = (x: number): number => (logarithmic ? Math.log2(x) : x);
  const [low, high] = [logarithmic ? scale(xs[0] ?? 1) : 0, scale(xs.at(-1) ?? 1)];
  const top_y = Math.max(...points.map(({ y }) => y)) * 1.05;
  const x = (value: number): number => left + PLOT.left + ((scale(value) - low) / (high - low || 1)) * (width - PLOT.left - PLOT.right);
  const y = (value: number): number => top + HEIGHT - PLOT.bottom - (value / top_y) * (HEIGHT - PLOT.top - PLOT.bottom);
  const out = [text(left + 24, top + 30, title, 'head')];
  for (let value = 0; value <= top_y; value += stepOf(top_y)) {
    out.push(`<line x1="${left + PLOT.left}" x2="${left + width - PLOT.right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}"/>`);
    out.push(text(left + PLOT.left - 8, y(value) + 4, String(Number(value.toPrecision(3))), 'small', 'end'));
  }
  const step = stepOf(xs.at(-1) ?? 1);
  const marks = logarithmic ? xs : Array.from({ length: Math.floor((xs.at(-1) ?? 1) / step) + 1 }, (_, i) => i * step);
  for (const mark of marks) out.push(text(x(mark), top + HEIGHT - PLOT.bottom + 18, mark.toLocaleString('en'), 'small', 'middle'));
  out.push(text(left + width - PLOT.right, top + HEIGHT - 14, xName, 'small', 'end'), text(left + 24, top + 50, yName, 'small'));
  lines.forEach((line, i) => {
    const colour = COLOURS[i % COLOURS.length] ?? '';
    const at = line.points.toSorted((a, b) => a.x - b.x).map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`);
    if (line.joined) out.push(`<polyline points="${at.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const place of at) out.push(`<circle cx="${place.split(',')[0]}" cy="${place.split(',')[1]}" r="3.5" fill="${colour}"/>`);
    out.push(`<rect x="${left + 24 + i * 130}" y="${top + HEIGHT - 24}" width="10" height="10" fill="${colour}"/>`, text(left + 40 + i * 130, top + HEIGHT - 14, line.name, 'small'));
  });
  return out.join('\n');
}

/** Panels two to a row below a title. */
export function chart(title: string, panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / 2);
  const height = 60 + rows * HEIGHT;
  const body = panels.map((each, i) => panel(each, i % 2 === 0 ? 0 : WIDTH / 2, 50 + Math.floor(i / 2) * HEIGHT, WIDTH / 2));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">
<style>text{font:15px system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;fill:#1f2328}.head{font-weight:700}.small{font-size:12px}line{stroke:#d0d7de}</style>
<rect width="${WIDTH}" height="${height}" rx="10" fill="#fff" stroke="#d0d7de"/>
${text(24, 34, title, 'head')}
${body.join('\n')}
</svg>
`;
}
