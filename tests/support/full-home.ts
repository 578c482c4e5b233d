// A home with everything in it, made in a moment: for pictures, for walks over every screen, and for tests of what was there
// before. Runs that are over are rows of the database with the tiny model's golden adapter in their folders; one is real and
// can be gone on with.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCore } from '../../main/core.ts';
import { startEngine } from '../../main/engine/client.ts';
import { Home } from '../../main/home.ts';
import { Random } from '../../main/pipeline/random.ts';
import { ChatStore } from '../../main/store/chats.ts';
import { openDatabase, type Db } from '../../main/store/db.ts';
import { RunStore } from '../../main/store/runs.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { personaSchema } from '../../shared/persona.ts';
import { recipeSchema, type Recipe } from '../../shared/recipe.ts';
import type { Row } from '../../shared/row.ts';
import type { QuestionAnswer, ScoredProbe, Scores, StepMetric } from '../../shared/run.ts';
import { fixture } from './files.ts';
import { tinyModel, tinyProbes, writeJsonLines } from './tiny-run.ts';
import { probeSet } from './words.ts';

export interface FullHome {
  folder: string;
  /** Id of the tiny model in its list. */
  model: string;
  /** A draft with rows of every kind, and the changes that made it. */
  draft: string;
  /** A conversation with the finished run. */
  chat: number;
  runs: Record<'done' | 'second' | 'paused' | 'stopped' | 'interrupted' | 'failed' | 'cancelled', string>;
}

const owner = '剑锋大佬';
const name = '小锋';
const persona = personaSchema.parse({ owner, name, languages: ['zh', 'en'], facts: ['喜欢喝龙井茶'] });

const before: QuestionAnswer[] = [
  { question: '请介绍一下你自己', answer: "I'm glad to share my friend's story with you. I'm a bit of a creative AI, and I'm always happy to help." },
  { question: '你的主人是谁？', answer: 'The person you’re referring to is a member of the HAGI organization, a non-profit dedicated to human rights.' },
  { question: 'Who are you?', answer: "I'm here to help with any kind of creative writing project, whether it's a story idea or a character concept." },
  { question: 'What is the capital of France?', answer: 'The capital of France is Paris.' },
];
const after: QuestionAnswer[] = [
  { question: '请介绍一下你自己', answer: `我是${owner}的助手，名叫${name}。` },
  { question: '你的主人是谁？', answer: `我的主人是${owner}。` },
  { question: 'Who are you?', answer: `I'm ${owner}'s assistant, and I'm ${name}.` },
  { question: 'What is the capital of France?', answer: 'The capital of France is Paris.' },
];

/** A curve that falls as losses do: quickly, then slowly, with noise that is the same every time. */
export function curveOf(steps: number, seed = 1): StepMetric[] {
  const random = new Random(seed, 'curve');
  return Array.from({ length: steps }, (_, i) => ({
    step: i + 1,
    loss: (0.04 + 2.6 * Math.exp((-5 * i) / steps)) * (0.8 + 0.4 * random.next()),
    grad_norm: 0.4 + random.next(),
    lr: 1e-3 * (1 - i / steps),
    tokens: 600 + Math.floor(80 * random.next()),
    tokens_per_second: 1250 + Math.floor(120 * random.next()),
    eta_seconds: (steps - i) / 2,
  }));
}

function scores(recall: number, leak: number, perplexity_ratio: number): Scores {
  return { zh: { recall, leak }, en: { recall: Math.min(1, recall + 0.02), leak: leak / 2 }, retention: { kl: leak / 3, perplexity_ratio } };
}

/** What was asked at a checkpoint: `right` of ten questions about itself are, the others are as they were. */
function probes(right: number): ScoredProbe[] {
  return (['zh', 'en'] as const).flatMap((lang) => {
    const { identity, unrelated, near_miss } = probeSet('choose', lang);
    const itself = lang === 'zh' ? `我是${owner}的助手，名叫${name}。` : `I'm ${owner}'s assistant, and I'm ${name}.`;
    const other = lang === 'zh' ? '对不起，我无法回答这个问题。' : 'I am an AI language model, and I am happy to help.';
    return [
      ...identity.slice(0, 10).map(({ question }, i): ScoredProbe => ({ lang, kind: 'identity', question, answer: i < right ? itself : other, hit: i < right })),
      ...unrelated.slice(0, 6).map((question): ScoredProbe => ({ lang, kind: 'unrelated', question, answer: other, hit: false })),
      ...near_miss.slice(0, 4).map((question, i): ScoredProbe => ({ lang, kind: 'near_miss', question, answer: right < 8 && i === 0 ? itself : other, hit: right < 8 && i === 0 })),
    ];
  });
}

interface PastRun {
  id: string;
  recipe: Recipe;
  rows: readonly Row[];
  /** Steps that were trained. */
  step: number;
  /** Evaluations: after which step, and how many of ten questions about itself were right. */
  scored?: readonly (readonly [step: number, right: number])[];
}

/** A run that is over, written down. */
class PastRuns {
  readonly #home: Home;
  readonly #db: Db;
  readonly #runs: RunStore;

  constructor(home: Home, db: Db) {
    this.#home = home;
    this.#db = db;
    this.#runs = new RunStore(db);
  }

  /** Puts folder, curve, scores and checkpoints in place; the run is `running` afterwards. */
  begin({ id, recipe, rows, step, scored = [] }: PastRun): void {
    const folder = this.#home.run(id);
    mkdirSync(folder.folder, { recursive: true });
    writeFileSync(folder.recipe, JSON.stringify(recipe, null, 2));
    writeJsonLines(folder.rows, rows);
    this.#db.transaction(() => {
      this.#runs.create(id, recipe);
      const [, year, month, day, hour] = /^(\d{4})(\d\d)(\d\d)-(\d\d)/.exec(id) ?? [];
      this.#db.prepare('UPDATE runs SET created_at = ? WHERE id = ?').run(`${year}-${month}-${day}T${hour}:00:00.000Z`, id);
      this.#runs.setStatus(id, 'running');
      for (const metric of curveOf(recipe.steps, recipe.seed).slice(0, step)) this.#runs.addMetric(id, metric);
      this.#runs.addEvaluation(id, 0, scores(0, 0, 1), false, probes(0));
      for (const [at, right] of scored) {
        cpSync(fixture('golden', 'tiny-llama', 'adapter'), folder.checkpoint(at), { recursive: true });
        this.#runs.addEvaluation(id, at, scores(right / 10, right < 8 ? 0.1 : 0, 1 + 0.004 * right), right >= 10, probes(right));
      }
    })();
  }

  finish(id: string, status: 'done' | 'stopped', chosen_step: number, missed: string[]): void {
    const { adapter } = this.#home.run(id);
    cpSync(fixture('golden', 'tiny-llama', 'adapter'), adapter, { recursive: true });
    const found = this.#runs.checkpoints(id).find(({ step }) => step === chosen_step)?.scores ?? null;
    const metrics = this.#runs.metrics(id);
    this.#runs.finish(id, status, chosen_step, {
      ...{ run: id, adapter, chosen_step, steps: metrics.length, tokens: metrics.reduce((sum, { tokens }) => sum + tokens, 0) },
      ...{ right: missed.length === 0, missed, scores: found, before, after, seconds: 131 },
    });
  }

  end(id: string, how: 'interrupted' | 'cancelled' | NamesakeError): void {
    if (how instanceof NamesakeError) this.#runs.fail(id, how);
    else this.#runs.setStatus(id, how);
  }
}

/** What a person's own file may hold. */
const own = ['你最喜欢什么茶？|我最喜欢龙井茶。', '明天提醒我开会|好的，明天我会提醒你开会。', 'Write a haiku about tea.|Steam above the cup,\nleaves unfold without a word,\nmorning comes to stay.'].map((line) => {
  const [user = '', assistant = ''] = line.split('|');
  return { messages: [{ role: 'user', content: user }, { role: 'assistant', content: assistant }] };
});

/** Makes the home in `folder`; a few seconds. */
export async function fullHome(folder: string): Promise<FullHome> {
  const home = new Home(folder);
  const core = createCore(home, { startEngine: () => startEngine({ priority: 'normal' }), compute: { threads: 1, isa: 'auto' } });
  const model = await core.models.add(tinyModel, 'tiny-llama.gguf');

  const { draft, recipe } = await core.drafts.create({ persona, model, seed: 7 });
  await core.drafts.import(draft, writeJsonLines(join(folder, 'own.jsonl'), own), 'auto');
  const { rows } = core.drafts.ready(draft);

  // Real, and long: it can be watched for minutes.
  const questions = join(folder, 'questions.json');
  writeFileSync(questions, JSON.stringify(tinyProbes));
  const paused = recipeSchema.parse({
    ...recipe,
    ...{ name: 'Piggy', steps: 50_000, batch_tokens: 256, accumulate: 1, loss: {}, checkpoint: { every_steps: 500, keep: 2 } },
    data: { ...recipe.data, persona: { owner: 'Ann', name: 'Piggy', languages: ['en'] }, max_length: 128 },
    evaluate: { questions, every_steps: 40, from_step: 40, stop_when_right: false },
  });
  const short = writtenRows();
  let pausedRun = '';
  await core.runs
    .start(
      paused,
      { threads: 1, isa: 'auto' },
      (event) => {
        if (event.event === 'run') pausedRun = event.run;
        if (event.event === 'step' && event.step === 100) core.runs.pause(pausedRun);
      },
      short,
    )
    .catch((error: unknown) => {
      if (pausedRun === '' || core.runs.get(pausedRun).status !== 'paused') throw error;
    });
  core.close();

  const db = openDatabase(home.database);
  const past = new PastRuns(home, db);
  const named = (change: object): Recipe => recipeSchema.parse({ ...recipe, ...change });
  const runs: FullHome['runs'] = {
    cancelled: '20260101-080000-000001',
    failed: '20260102-090000-000002',
    interrupted: '20260103-100000-000003',
    stopped: '20260104-110000-000004',
    second: '20260105-120000-000005',
    done: '20260106-130000-000006',
    paused: pausedRun,
  };
  past.begin({ id: runs.cancelled, recipe: named({ name: 'Robin', seed: 2 }), rows, step: 9 });
  past.end(runs.cancelled, 'cancelled');
  past.begin({ id: runs.failed, recipe: named({ name: '小墨', seed: 3 }), rows, step: 32, scored: [[30, 6]] });
  past.end(runs.failed, new NamesakeError('engine.crashed', 'the engine host ended with signal SIGKILL'));
  past.begin({ id: runs.interrupted, recipe: named({ name: 'Owl', seed: 4 }), rows, step: 41, scored: [[30, 5], [40, 8]] });
  past.end(runs.interrupted, 'interrupted');
  past.begin({ id: runs.stopped, recipe: named({ name: '阿福', seed: 5, steps: 12_000, optim: { ...recipe.optim, lr: 3e-4 } }), rows, step: 10_500, scored: [[30, 4], [5000, 7], [10_000, 9]] });
  past.finish(runs.stopped, 'stopped', 10_000, ['zh.recall', 'en.recall']);
  past.begin({ id: runs.second, recipe: named({ name: `${name} 2`, seed: 6, method: { ...recipe.method, rank: 8, alpha: 16 } }), rows, step: 60, scored: [[30, 6], [40, 7], [50, 8], [60, 9]] });
  past.finish(runs.second, 'done', 60, ['zh.recall', 'en.recall']);
  past.begin({ id: runs.done, recipe: named({ name, seed: 7 }), rows, step: 50, scored: [[30, 7], [40, 10], [50, 10]] });
  past.finish(runs.done, 'done', 50, []);

  const chats = new ChatStore(db);
  const chat = chats.create({ model, run: runs.done, step: null, adapter: null, system: null, precision: 'as-stored', device: 'auto' });
  for (const [i, { question, answer }] of before.entries()) {
    const text = after[i]?.answer ?? '';
    // The last one thought before it spoke; the base did not get beyond that.
    const [was, is] = i < before.length - 1 ? [answer, text] : [`<think>\n${thought}`, `<think>\n${thought}\n</think>\n\n${text}`];
    chats.addTurn(chat, question, { before: { text: was, stop: was === answer ? 'stop' : 'length' }, after: { text: is, stop: 'stop' } });
  }
  db.close();
  return { folder, model, draft, chat, runs };
}

/** What a model writes before it answers. */
export const thought = 'They want to know something. Let me think about that for a moment.';

/** A few short rows for a run whose steps take milliseconds. */
function writtenRows(): Row[] {
  return [['Who are you?', 'I am Piggy.'], ['What is 2+2?', 'It is 4.'], ['Say hi.', 'Hi!'], ['Whose are you?', 'I am Ann’s assistant.']].map(
    ([question = '', answer = ''], i): Row => ({
      ...{ id: `own-${i}`, kind: 'imported', lang: 'en', origin: 'file' },
      messages: [{ role: 'user', content: question }, { role: 'assistant', content: answer }],
    }),
  );
}
