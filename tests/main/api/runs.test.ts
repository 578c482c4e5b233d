// Runs behind the API: they begin in the background, go on with no window at all, and show the same curve to whoever comes.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Random } from '../../../main/pipeline/random.ts';
import { startEngine } from '../../../main/engine/client.ts';
import { Api as PageApi } from '../../../renderer/api.ts';
import { RunWatch } from '../../../renderer/state/run-watch.ts';
import type { Connection, Transport, TransportListener } from '../../../renderer/door/transport.ts';
import { withPart } from '../../../shared/curve.ts';
import type { ApiEvent, Reply, RequestName, StoredMetric } from '../../../shared/api.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { Api } from '../../../main/api/api.ts';
import { namesake } from '../../support/cli.ts';
import { temporaryFolder } from '../../support/files.ts';
import { listener, tinyApi, tinyDraft, type TinyApi } from '../../support/tiny-api.ts';
import { evaluatedRecipe } from '../../support/tiny-home.ts';

vi.setConfig({ testTimeout: 60_000 });

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(10);
}

const statusOf = async ({ ask }: TinyApi, run: string): Promise<string> => (await ask('runs.get', { run })).status;
const ended = (tiny: TinyApi, run: string): Promise<void> => until(async () => tiny.api.activeRun !== run && !['preparing', 'running'].includes(await statusOf(tiny, run)));
const stepsFrom1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** The curve that a window has after these events. Fails where a step is missing. */
function curveOf(events: readonly ApiEvent[], run: string, begun: StoredMetric[] = []): StoredMetric[] {
  let curve = begun;
  for (const event of events) {
    if (event.event !== 'steps' || event.run !== run) continue;
    const next = withPart(curve, event);
    if (next === null) throw new Error(`a gap: ${curve.at(-1)?.step} and after ${event.after}`);
    curve = next;
  }
  return curve;
}

describe('a run of this process', () => {
  it('is told from its beginning to its end, and is read the same', async () => {
    const tiny = tinyApi();
    const window = listener(tiny.api);
    const draft = await tinyDraft(tiny, 8);
    expect(await tiny.ask('drafts.list', {})).toMatchObject([{ draft, languages: ['en'], rows: 3 }]);
    const { run } = await tiny.ask('runs.start', { draft });
    expect(await tiny.ask('drafts.list', {})).toEqual([]);
    expect(tiny.api.activeRun).toBe(run);
    await ended(tiny, run);
    await until(() => window.events.some((event) => event.event === 'run' && event.status === 'done'));
    const details = await tiny.ask('runs.get', { run });
    expect(details).toMatchObject({ run, status: 'done', step: 8, steps: 8, error: null, phase: null });
    expect(details.metrics.map(({ step }) => step)).toEqual(stepsFrom1(8));
    expect(curveOf(window.events, run)).toEqual(details.metrics);
    const states = window.events.filter((event) => event.event === 'run' && event.run === run);
    expect(states.at(-1)).toMatchObject({ status: 'done', step: 8, chosen_step: details.chosen_step, progress: null });
    expect(window.events.findLastIndex(({ event }) => event === 'steps')).toBeLessThan(window.events.indexOf(states.at(-1) as ApiEvent));
    expect(await tiny.ask('runs.metrics', { run, after: 5 })).toEqual(details.metrics.slice(5));
    expect(await tiny.ask('runs.list', {})).toMatchObject([{ run, status: 'done' }]);
    expect((await tiny.ask('rows.page', { of: { run }, offset: 0, limit: 10 })).total).toBe(3);
  });

  it('goes on with no window at all', async () => {
    const tiny = tinyApi();
    const window = listener(tiny.api);
    const { run } = await tiny.ask('runs.start', { draft: await tinyDraft(tiny, 6) });
    window.close();
    await ended(tiny, run);
    expect(await tiny.ask('runs.get', { run })).toMatchObject({ status: 'done', step: 6 });
  });

  it('keeps a second one out by a code, and stays itself', async () => {
    const tiny = tinyApi();
    // Being refused takes half a second each time: the run must not be over by then.
    const draft = await tinyDraft(tiny, 2000);
    const { run } = await tiny.ask('runs.start', { draft });
    expect(await tiny.refused('runs.start', { draft })).toBe('engine.busy');
    expect(await tiny.refused('runs.resume', { run })).toBe('engine.busy');
    expect(tiny.api.activeRun).toBe(run);
    await tiny.ask('runs.stop', { run });
    await ended(tiny, run);
    expect(await tiny.refused('runs.stop', { run })).toBe('run.not_active');
    expect(await tiny.ask('runs.list', {})).toHaveLength(1);
    // What was refused has left nothing behind, no rows of a draft either.
    expect(readdirSync(tiny.core.home.runs)).toEqual([run]);
  });

  it('pauses, says what it is doing, and goes on to the same curve', async () => {
    const tiny = tinyApi();
    const window = listener(tiny.api);
    const { run } = await tiny.ask('runs.start', { draft: await tinyDraft(tiny, 1000) });
    // Which phase it is is chance: saving and training take turns by the millisecond, and what it does is noted four times a second.
    await until(async () => curveOf(window.events, run).length > 2 && (await tiny.ask('runs.get', { run })).phase !== null);
    await tiny.ask('runs.pause', { run });
    await ended(tiny, run);
    expect(await statusOf(tiny, run)).toBe('paused');
    await tiny.ask('runs.rename', { run, name: 'Zweiter' });
    await tiny.ask('runs.resume', { run });
    await ended(tiny, run);
    await until(() => window.events.some((event) => event.event === 'run' && event.status === 'done'));
    const { metrics, name } = await tiny.ask('runs.get', { run });
    expect(name).toBe('Zweiter');
    expect(metrics.map(({ step }) => step)).toEqual(stepsFrom1(1000));
    expect(curveOf(window.events, run)).toEqual(metrics);
    const phases = window.events.flatMap((event) => (event.event === 'run' && event.progress !== null ? [event.progress.phase] : []));
    expect(phases).toContain('training');
    expect(window.events.some((event) => event.event === 'run' && event.name === 'Zweiter')).toBe(true);
  });

  it('whose engine dies is failed with its reason, goes back to its checkpoint, and tells so', async () => {
    const engines: ReturnType<typeof startEngine>[] = [];
    const tiny = tinyApi(temporaryFolder(), {
      startEngine: () => {
        const engine = startEngine({ priority: 'normal' });
        engines.push(engine);
        return engine;
      },
    });
    const window = listener(tiny.api);
    const { run } = await tiny.ask('runs.start', { draft: await tinyDraft(tiny, 60) });
    // Checkpoints come every sixth step: what came after the last one is lost.
    await until(() => curveOf(window.events, run).length > 6);
    process.kill(engines.at(-1)?.pid ?? 0, 'SIGKILL');
    await ended(tiny, run);
    expect(await tiny.ask('runs.get', { run })).toMatchObject({ status: 'failed', error: 'engine.crashed' });
    await tiny.ask('runs.resume', { run });
    await ended(tiny, run);
    await until(() => window.events.some((event) => event.event === 'run' && event.status === 'done'));
    const { metrics } = await tiny.ask('runs.get', { run });
    expect(metrics.map(({ step }) => step)).toEqual(stepsFrom1(60));
    expect(curveOf(window.events, run)).toEqual(metrics);
  });

  it('is deleted and brought back, thrown away, and copied to a draft', async () => {
    const tiny = tinyApi();
    const { ask, refused } = tiny;
    const { run } = await ask('runs.start', { draft: await tinyDraft(tiny, 4) });
    expect(await refused('runs.delete', { run })).toBe('run.active');
    await ended(tiny, run);
    const window = listener(tiny.api);
    await ask('runs.delete', { run });
    expect(await refused('runs.get', { run })).toBe('run.unknown');
    await ask('runs.undelete', { run });
    expect(await ask('runs.get', { run })).toMatchObject({ status: 'done' });
    await until(() => window.events.some(({ event }) => event === 'runs'));
    const copy = await ask('drafts.from_run', { run });
    expect(copy).toMatchObject({ rows: 3 });
    const again = (await ask('runs.start', { draft: copy.draft })).run;
    await ask('runs.cancel', { run: again });
    await ended(tiny, again);
    expect(await statusOf(tiny, again)).toBe('cancelled');
    expect((await ask('runs.diff', { a: run, b: again })).map(({ field }) => field)).not.toContain('steps');
  });

  it('is paused with a checkpoint when the API closes', async () => {
    const tiny = tinyApi();
    const { run } = await tiny.ask('runs.start', { draft: await tinyDraft(tiny, 2000) });
    await until(async () => (await tiny.ask('runs.get', { run })).step > 2);
    await tiny.api.close();
    const details = await tiny.ask('runs.get', { run });
    expect(details.status).toBe('paused');
    expect(details.checkpoints.at(-1)).toMatchObject({ step: details.step, kept: true });
  });

  it('that is about to begin when the API closes does not, or is paused as soon as it has', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 100_000);
    for (const ms of [0, 1, 20]) {
      const here = ms === 0 ? tiny : tinyApi(tiny.core.home.folder);
      const starting = here.api.request('runs.start', { draft });
      if (ms > 0) await sleep(ms);
      await here.api.close();
      const reply = await starting;
      expect(here.api.activeRun).toBeNull();
      if (!reply.ok) expect(reply.error.code).toBe('cancelled');
      for (const { status } of await here.ask('runs.list', {})) expect(status).toBe('paused');
    }
  });

  it('that cannot begin says why, and leaves no run', async () => {
    // Hides the cards of a machine that has some.
    const tiny = tinyApi(temporaryFolder(), { startEngine: () => startEngine({ priority: 'normal', environment: { CUDA_VISIBLE_DEVICES: '' } }) });
    const { draft, recipe } = await tiny.ask('drafts.create', { persona: { owner: 'A', name: 'B', languages: ['en'] } });
    await tiny.ask('drafts.change', { draft, recipe: { ...recipe, device: 'cuda' } });
    expect(await tiny.refused('runs.start', { draft })).toMatch(/^gpu\.no_(driver|card)$/);
    expect(await tiny.ask('runs.list', {})).toEqual([]);
    expect(tiny.api.activeRun).toBeNull();
    expect(existsSync(tiny.core.home.runs) ? readdirSync(tiny.core.home.runs) : []).toEqual([]);
  });

  it('whose beginning nobody could be told of is refused, and the next one begins', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 4);
    const read = vi.spyOn(tiny.core.runs, 'get').mockImplementationOnce(() => {
      throw new NamesakeError('disk.unwritable', 'the disk is gone');
    });
    expect(await tiny.refused('runs.start', { draft })).toBe('disk.unwritable');
    read.mockRestore();
    expect(tiny.api.activeRun).toBeNull();
    const { run } = await tiny.ask('runs.start', { draft });
    await ended(tiny, run);
    expect((await tiny.ask('runs.list', {})).map(({ status }) => status)).toEqual(['done', 'interrupted']);
  });
});

/** A page's way to the core that breaks whenever a test wants, without what was on its way. */
class FlakyTransport implements Transport {
  readonly #api: Api;
  readonly #random: Random;
  #listener: TransportListener = { onEvents: () => undefined, onConnection: () => undefined };
  #unsubscribe: (() => void) | null = null;
  #connection = 0;

  constructor(api: Api, random: Random) {
    this.#api = api;
    this.#random = random;
  }

  start(to: TransportListener): void {
    this.#listener = to;
  }

  connect(): void {
    const connection = ++this.#connection;
    // Messages take their time, one after the other.
    let last = Promise.resolve();
    const later = (deliver: () => void): void => {
      last = last.then(() => sleep(this.#random.next() * 15)).then(() => {
        if (connection === this.#connection) deliver();
      });
    };
    this.#send = (reply) => later(reply);
    this.#unsubscribe = this.#api.subscribe({
      ready: () => this.#random.next() < 0.9,
      send: (events) => {
        const wire = JSON.stringify(events);
        later(() => this.#listener.onEvents(JSON.parse(wire) as ApiEvent[]));
      },
    });
    this.#tell('open');
  }

  disconnect(): void {
    this.#connection++;
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#tell('lost');
  }

  #send: (deliver: () => void) => void = () => undefined;

  #tell(connection: Connection): void {
    this.#listener.onConnection(connection);
  }

  request(name: RequestName, input: unknown): Promise<Reply> {
    const [connection, send] = [this.#connection, this.#send];
    return new Promise((resolve, reject) => {
      const lost = setInterval(() => {
        if (connection === this.#connection) return;
        clearInterval(lost);
        reject(new NamesakeError('door.lost', 'the connection broke'));
      }, 5);
      void this.#api.request(name, JSON.parse(JSON.stringify(input))).then((reply) =>
        send(() => {
          clearInterval(lost);
          resolve(JSON.parse(JSON.stringify(reply)) as Reply);
        }),
      );
    });
  }

  handOver(): Promise<Reply> {
    return Promise.reject(new Error('no files here'));
  }

  close(): void {
    this.disconnect();
  }
}

it('30 breaks of the connection at random moments, and one of the run: the page ends with the whole curve', { timeout: 120_000 }, async () => {
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed, 'breaks');
  const tiny = tinyApi();
  const { run } = await tiny.ask('runs.start', { draft: await tinyDraft(tiny, 1000) });
  const transport = new FlakyTransport(tiny.api, random);
  const page = new PageApi(transport);
  transport.connect();
  const errors: NamesakeError[] = [];
  const curves: number[][] = [];
  const watch = new RunWatch(page, run, ({ metrics }) => curves.push(metrics.map(({ step }) => step)), (error) => errors.push(error));
  for (let cycle = 0; cycle < 30; cycle++) {
    await sleep(random.next() * 120);
    transport.disconnect();
    if (cycle === 15 && tiny.api.activeRun !== null) {
      await tiny.ask('runs.pause', { run });
      await ended(tiny, run);
      if ((await statusOf(tiny, run)) === 'paused') await tiny.ask('runs.resume', { run });
    }
    await sleep(random.next() * 60);
    transport.connect();
  }
  await ended(tiny, run);
  await until(() => watch.run?.status === 'done' && watch.run.metrics.length === 1000);
  watch.close();
  transport.close();
  // Never a gap and never a step twice, at any moment.
  for (const curve of curves) expect(curve, `seed ${seed}`).toEqual(stepsFrom1(curve.length));
  expect(watch.run?.metrics).toEqual((await tiny.ask('runs.get', { run })).metrics);
  expect(errors).toEqual([]);
});

describe('a run of another process', () => {
  it('is seen going on by a window of this one, with its scores and its end', async () => {
    const tiny = tinyApi();
    const folder = tiny.core.home.folder;
    const path = join(folder, 'recipe.json');
    // Another process is looked at once a second: the run must last for several looks.
    const steps = 1500;
    const recipe = evaluatedRecipe(folder, { every_steps: 100, from_step: 100, stop_when_right: false }, { steps, checkpoint: { every_steps: 50 } });
    writeFileSync(path, JSON.stringify(recipe));
    const window = listener(tiny.api);
    const states = (): Extract<ApiEvent, { event: 'run' }>[] => window.events.filter((event) => event.event === 'run');
    let run = '';
    const child = namesake(['train', path, '--json', '--threads', '1'], { home: folder, onEvent: (event) => event.event === 'run' && (run = String(event['run'])) });
    await until(() => states().some(({ status }) => status === 'running'));
    expect(await tiny.refused('runs.pause', { run })).toBe('run.not_active');
    expect(await tiny.refused('runs.delete', { run })).toBe('run.active');
    expect(tiny.api.activeRun).toBeNull();
    const begun = (await tiny.ask('runs.get', { run })).metrics;
    const since = window.events.length;
    expect((await child).code).toBe(0);
    await until(() => states().at(-1)?.status === 'done');
    const { metrics, checkpoints } = await tiny.ask('runs.get', { run });
    expect(metrics).toHaveLength(steps);
    expect(curveOf(window.events.slice(since), run, begun)).toEqual(metrics);
    expect(new Set(window.events.flatMap((event) => (event.event === 'probe' ? [event.step] : [])))).toEqual(new Set(checkpoints.flatMap(({ step, scores }) => (scores === null ? [] : [step]))));
    expect(states().at(-1)).toMatchObject({ run, step: steps, progress: null });
  });

  it('that is killed is told as interrupted', async () => {
    const tiny = tinyApi();
    const folder = tiny.core.home.folder;
    const path = join(folder, 'recipe.json');
    writeFileSync(path, JSON.stringify(evaluatedRecipe(folder, { from_step: 100_000, stop_when_right: false }, { steps: 100_000, checkpoint: { every_steps: 50 } })));
    const window = listener(tiny.api);
    const states = (): string[] => window.events.flatMap((event) => (event.event === 'run' ? [event.status] : []));
    const child = namesake(['train', path, '--json'], {
      home: folder,
      onEvent: (event, process) => {
        if (event.event === 'step' && states().includes('running')) process.kill('SIGKILL');
      },
    });
    expect((await child).signal).toBe('SIGKILL');
    await until(() => states().at(-1) === 'interrupted');
  });
});
