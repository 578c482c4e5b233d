// How training scales: `bench train` over tokens a step, threads and sizes of models, as JSON and as docs/scaling.svg.
//
//   npm run bench:scaling [-- --only packed,long,shapes] [--work FOLDER] [--fresh] [--no-picture]
//
// packed  the default model, 128 to 8,192 tokens of short conversations a step, on one thread and on two
// long    the same model, one conversation of 128 to 2,048 tokens
// shapes  random weights in the shape of larger models (up to 4 GB on the disk at a time), one step of 512 tokens
//
// nf4 weights, LoRA of rank 16. Each point is kept in FOLDER/points.json as soon as it is measured, and not measured again without
// --fresh. The default model must be here.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultModel } from '../support/default-model.ts';
import { root } from '../support/files.ts';
import { chart } from './scaling-chart.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'packed,long,shapes' },
    work: { type: 'string', default: join(root, 'test-results', 'scaling') },
    fresh: { type: 'boolean', default: false },
    'no-picture': { type: 'boolean', default: false },
  },
});

interface Asked {
  kind: 'packed' | 'long' | 'shapes';
  model: string;
  tokens: number;
  threads: number;
  steps: number;
}

interface Point extends Asked {
  seconds_per_1000_tokens: number;
  tokens_per_second: number;
  share_of_peak: number | null;
  useful_tflops: number;
  isa: string;
  recompute: boolean;
  peak_rss_bytes: number | null;
  planned_bytes: number;
  cpu: string;
  /** Of the machine just before: 0 is a machine of one's own. */
  load: number;
}

const DEFAULT = 'smollm2-135m';
const SHAPES = ['smollm2-360m', 'qwen2.5-0.5b', 'qwen2.5-1.5b', 'internlm2-1.8b'];
/** As many tokens as make a figure steady, and few enough for a quarter of an hour in all. */
const stepsOf = (tokens: number): number => Math.max(1, Math.ceil(4096 / tokens));
const ladder = (most: number): number[] => [128, 256, 512, 1024, 2048, 4096, 8192].filter((tokens) => tokens <= most);

const points: Asked[] = [
  ...[2, 1].flatMap((threads) => ladder(8192).map((tokens): Asked => ({ kind: 'packed', model: DEFAULT, tokens, threads, steps: stepsOf(tokens) }))),
  ...ladder(2048).map((tokens): Asked => ({ kind: 'long', model: DEFAULT, tokens, threads: 2, steps: stepsOf(tokens) })),
  ...SHAPES.map((model): Asked => ({ kind: 'shapes', model, tokens: 512, threads: 2, steps: 1 })),
];

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const work = resolve(values.work);
const file = join(work, 'points.json');
const cpu = cpus()[0]?.model ?? 'unknown processor';
const keyOf = ({ kind, model, tokens, threads }: Asked): string => `${kind} ${model} ${tokens} tokens ${threads} threads`;

/** One conversation of `tokens`, its last half learnt, as a file that --tokens takes. */
function longConversation(tokens: number): string {
  const ids = Array.from({ length: tokens }, (_, i) => 300 + ((i * 104_729) % 20_000));
  const path = join(work, `long-${tokens}.json`);
  writeFileSync(path, JSON.stringify([{ input_ids: [ids], labels: [ids.map((id, i) => (i < tokens / 2 ? -100 : id))], attention_mask: [ids.map(() => 1)] }]));
  return path;
}

/** The path of a model; a shape's weights are made, and go with `drop`. */
function modelOf(model: string): { path: string; drop: () => void } {
  if (model === DEFAULT) return { path: defaultModel, drop: () => undefined };
  const path = join(work, model);
  const drop = (): void => rmSync(path, { recursive: true, force: true });
  try {
    execFileSync(process.execPath, [join(root, 'tests', 'bench', 'model_shape.mjs'), path, '--shape', model], { stdio: 'ignore' });
  } catch (error) {
    drop();
    throw error;
  }
  return { path, drop };
}

function measure(asked: Asked): Point {
  const { path, drop } = modelOf(asked.model);
  const load = loadavg()[0] ?? 0;
  try {
    const batch = asked.kind === 'long' ? ['--tokens', longConversation(asked.tokens)] : ['--batch-tokens', String(asked.tokens)];
    const args = ['bench', 'train', '--model', path, '--device', 'cpu', '--precision', 'nf4', '--rank', '16', ...batch];
    const options = ['--steps', String(asked.steps), '--threads', String(asked.threads), '--home', join(work, 'home'), '--json'];
    const out = execFileSync(process.execPath, [join(root, 'out', 'main', 'cli.js'), ...args, ...options], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    const result = JSON.parse(out.trim().split('\n').at(-1) ?? '') as Omit<Point, keyof Asked | 'cpu' | 'load' | 'seconds_per_1000_tokens'>;
    const { tokens_per_second, share_of_peak, useful_tflops, isa, recompute, peak_rss_bytes, planned_bytes } = result;
    return { ...asked, seconds_per_1000_tokens: 1000 / tokens_per_second, tokens_per_second, share_of_peak, useful_tflops, isa, recompute, peak_rss_bytes, planned_bytes, cpu, load };
  } finally {
    drop();
  }
}

/** How far points lie from the straight line that fits them best: the farthest, as a share of its own height. */
function farthestFromLine(points: readonly { x: number; y: number }[]): { slope: number; farthest: number } {
  const mean = (of: 'x' | 'y'): number => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [mx, my] = [mean('x'), mean('y')];
  const slope = points.reduce((sum, { x, y }) => sum + (x - mx) * (y - my), 0) / points.reduce((sum, { x }) => sum + (x - mx) ** 2, 0);
  return { slope, farthest: Math.max(...points.map(({ x, y }) => Math.abs(y / (my + slope * (x - mx)) - 1))) };
}

/** What the bench is for, in words. */
function conclude(measured: readonly Point[]): void {
  for (const threads of [1, 2]) {
    const costs = measured.filter((point) => point.kind === 'packed' && point.threads === threads && point.tokens >= 512 && point.tokens <= 4096).map((point) => point.seconds_per_1000_tokens);
    if (costs.length < 2) continue;
    const spread = Math.max(...costs) / Math.min(...costs) - 1;
    say(`cost of a token from 512 to 4,096 a step, ${threads} thread(s): the dearest ${(100 * spread).toFixed(1)} % over the cheapest (bar 15 %)`);
  }
  const kept = measured.filter(({ kind, threads, recompute, peak_rss_bytes }) => kind === 'packed' && threads === 2 && !recompute && peak_rss_bytes !== null);
  if (kept.length > 2) {
    const { slope, farthest } = farthestFromLine(kept.map(({ tokens, peak_rss_bytes }) => ({ x: tokens, y: peak_rss_bytes ?? 0 })));
    say(`memory: ${(slope / 1e6).toFixed(3)} MB a token of a step; the farthest point is ${(100 * farthest).toFixed(1)} % off a straight line`);
  }
}

function draw(measured: readonly Point[]): void {
  const line = (name: string, of: (point: Point) => boolean, y: (point: Point) => number, joined = true, x = (point: Point): number => point.tokens) => ({
    name,
    joined,
    points: measured.filter(of).map((point) => ({ x: x(point), y: y(point) })),
  });
  const cost = (point: Point): number => point.seconds_per_1000_tokens;
  const packed = (threads: number) => (point: Point): boolean => point.kind === 'packed' && point.threads === threads;
  const parameters = ({ useful_tflops, tokens_per_second }: Point): number => (useful_tflops * 1e12) / (4 * tokens_per_second) / 1e6;
  const sized = ({ kind, threads, tokens }: Point): boolean => threads === 2 && tokens === 512 && kind !== 'long';
  const panels = [
    { title: 'Time of 1,000 tokens, short conversations', xName: 'tokens a step', yName: 'seconds', logarithmic: true, lines: [line('1 thread', packed(1), cost), line('2 threads', packed(2), cost)] },
    { title: 'Time of 1,000 tokens, one long conversation', xName: 'tokens a step', yName: 'seconds, 2 threads', logarithmic: true, lines: [line('long', ({ kind }) => kind === 'long', cost), line('short ones', (point) => packed(2)(point) && point.tokens <= 2048, cost)] },
    { title: 'Memory', xName: 'tokens a step', yName: 'GB', logarithmic: false, lines: [line('peak', packed(2), ({ peak_rss_bytes }) => (peak_rss_bytes ?? 0) / 1e9), line('planned', packed(2), ({ planned_bytes }) => planned_bytes / 1e9, false)] },
    { title: 'Time of 1,000 tokens, size of the model', xName: 'million parameters', yName: 'seconds, 2 threads, 512 tokens a step', logarithmic: false, lines: [line('random weights but the first', sized, cost, false, parameters)] },
  ];
  const isa = measured[0]?.isa ?? '';
  writeFileSync(join(root, 'docs', 'scaling.svg'), chart(`Training, nf4 with LoRA of rank 16, on ${cpu} (${isa})`, panels.filter(({ lines }) => lines.some((each) => each.points.length > 0))));
}

if (!existsSync(defaultModel)) throw new Error(`${defaultModel} is not there: npm run setup fetches it`);
if (values.fresh) rmSync(file, { force: true });
mkdirSync(work, { recursive: true });
const known: Record<string, Point> = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Point>) : {};
const only = values.only.split(',');
for (const asked of points.filter(({ kind }) => only.includes(kind))) {
  const key = keyOf(asked);
  const point = known[key] ?? measure(asked);
  known[key] = point;
  writeFileSync(file, `${JSON.stringify(known, null, 1)}\n`);
  const share = point.share_of_peak === null ? '' : `, ${(100 * point.share_of_peak).toFixed(1)} % of peak`;
  say(`${key}: ${point.tokens_per_second.toFixed(0)} tokens/s${share}, ${((point.peak_rss_bytes ?? 0) / 1e6).toFixed(0)} MB (planned ${(point.planned_bytes / 1e6).toFixed(0)})${point.recompute ? ', computed again' : ''}, load ${point.load.toFixed(1)}`);
}
const measured = points.flatMap((asked) => known[keyOf(asked)] ?? []);
conclude(measured);
if (!values['no-picture']) draw(measured);
