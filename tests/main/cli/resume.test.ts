// What is done is kept: the same bytes for any number of threads, after a kill, after Ctrl-C.
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { RecipeInput } from '../../../shared/recipe.ts';
import { Home } from '../../../main/home.ts';
import { errorCode, eventsOf, lastEvent, namesake, type CliEvent, type CliResult } from '../../support/cli.ts';
import { readJson, temporaryFolder } from '../../support/files.ts';
import { childrenOf, isAlive } from '../../support/processes.ts';
import { tinyModel, writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Steps that last long enough to be interrupted: about 2,000 tokens each. */
const twenty: Partial<RecipeInput> = { steps: 20, accumulate: 8, optim: { lr: 1e-2, schedule: 'cosine', warmup_steps: 3 }, checkpoint: { every_steps: 10 } };

function train(home: string, change: Partial<RecipeInput>, extra: { args?: string[]; env?: Record<string, string>; onEvent?: (event: CliEvent, child: ChildProcess) => void } = {}): Promise<CliResult> {
  const { args = [], ...options } = extra;
  return namesake(['train', writeRecipe(home, change), '--json', ...args], { home, ...options });
}

/** Calls `act` with the program at step `step`. */
function atStep(step: number, act: (child: ChildProcess) => void): (event: CliEvent, child: ChildProcess) => void {
  return (event, child) => {
    if (event.event === 'step' && event['step'] === step) act(child);
  };
}

async function list(home: string): Promise<CliEvent[]> {
  return (await namesake(['runs', 'list', '--json'], { home })).events;
}

function runOf(result: CliResult): string {
  return String(result.events[0]?.['run']);
}

/** Everything that a finished run has learnt, as bytes. */
function learnt(home: string, run: string): Buffer[] {
  const folder = join(home, 'runs', run);
  const last = readdirSync(join(folder, 'checkpoints')).sort().at(-1) ?? '';
  return [join(folder, 'adapter'), join(folder, 'checkpoints', last)].flatMap((place) =>
    readdirSync(place)
      .sort()
      .map((name) => readFileSync(join(place, name))),
  );
}

describe('the same bytes', () => {
  // Levels that this processor lacks are skipped by name.
  it.for(['scalar', 'avx2', 'avx512', 'avx512bf16', 'amxbf16', 'neon'])('on %s for 1 and 2 threads, and for 20 steps against 10, a kill and the rest', async (isa, { skip }) => {
    const home = temporaryFolder();
    const env = { NAMESAKE_ISA: isa };
    const probe = await namesake(['inspect', 'model', tinyModel, '--json'], { home, env });
    if (probe.code !== 0) {
      expect(errorCode(probe)).toBe('isa.unsupported');
      skip('this processor has no such instructions');
    }
    const whole = await train(home, twenty, { env, args: ['--threads', '1'] });
    lastEvent(whole);
    const two = await train(home, twenty, { env, args: ['--threads', '2'] });
    lastEvent(two);
    const killed = await train(home, twenty, { env, args: ['--threads', '2'], onEvent: atStep(13, (child) => child.kill('SIGKILL')) });
    expect(killed.signal).toBe('SIGKILL');
    const run = runOf(killed);
    expect((await list(home)).find((found) => found['run'] === run)).toMatchObject({ status: 'interrupted', steps: 20 });

    const resumed = await namesake(['runs', 'resume', run, '--json', '--threads', '1'], { home, env });
    expect(lastEvent(resumed)).toMatchObject({ event: 'result', run, steps: 20, tokens: lastEvent(whole)['tokens'] });
    expect(resumed.events[0]).toEqual({ event: 'run', run });
    expect(eventsOf(resumed, 'step').map(({ step }) => step)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    const figures = (result: CliResult): unknown[] => eventsOf(result, 'step').map(({ step, loss, grad_norm, lr, tokens }) => ({ step, loss, grad_norm, lr, tokens }));
    expect(figures(two)).toEqual(figures(whole));
    expect(figures(resumed)).toEqual(figures(whole).slice(10));
    expect(learnt(home, runOf(two))).toEqual(learnt(home, runOf(whole)));
    expect(learnt(home, run)).toEqual(learnt(home, runOf(whole)));
    expect((await list(home)).map(({ status }) => status)).toEqual(['done', 'done', 'done']);
  });

  it('with the model in nf4: for a run, and for one that is killed and goes on, where its weights were quantised once', async () => {
    const home = temporaryFolder();
    const folder = temporaryFolder();
    const model = { ref: join(folder, 'model.gguf') };
    copyFileSync(tinyModel, model.ref);
    const args = ['--set', 'model.precision=nf4'];
    const whole = await train(home, { ...twenty, model }, { args });
    lastEvent(whole);
    const { quantized } = new Home(home);
    const quantised = readdirSync(quantized);
    expect(quantised).toEqual([expect.stringMatching(/^namesake-nf4-[0-9a-f]{16}\.bin$/)]);
    const made = statSync(join(quantized, String(quantised[0]))).mtimeMs;
    const killed = await train(home, { ...twenty, model }, { args, onEvent: atStep(13, (child) => child.kill('SIGKILL')) });
    const run = runOf(killed);
    lastEvent(await namesake(['runs', 'resume', run, '--json'], { home }));
    expect(learnt(home, run)).toEqual(learnt(home, runOf(whole)));
    expect(readJson(join(home, 'runs', run, 'provenance.json'))).toMatchObject({ engine: { precision: 'nf4' } });
    expect(readdirSync(folder)).toEqual(['model.gguf']);
    expect(readdirSync(quantized)).toEqual(quantised);
    expect(statSync(join(quantized, String(quantised[0]))).mtimeMs).toBe(made);

    // Four bits are not what is stored: another base, another adapter.
    const stored = await train(home, { ...twenty, model });
    expect(learnt(home, runOf(stored))).not.toEqual(learnt(home, runOf(whole)));
  });

  it('for another seed are others', async () => {
    const home = temporaryFolder();
    const [one, other] = [await train(home, {}), await train(home, { seed: 43 })];
    expect(learnt(home, runOf(one))).not.toEqual(learnt(home, runOf(other)));
  });
});

describe('an engine that is killed', () => {
  it('fails the run by name, which goes on from its checkpoint to the same bytes, without the files that it began with', async () => {
    const home = temporaryFolder();
    const start = lastEvent(await train(home, { steps: 1 }));
    // The adapter brings its own rank.
    const began = { ...twenty, method: { rank: 16, alpha: 8, init_adapter: String(start['adapter']) } };
    const whole = await train(home, began);
    const engines: number[] = [];
    const killed = await train(home, began, {
      onEvent: atStep(11, (child) => {
        engines.push(...childrenOf(child.pid ?? 0));
        for (const pid of engines) process.kill(pid, 'SIGKILL');
      }),
    });
    expect(engines).toHaveLength(1);
    expect(errorCode(killed)).toBe('engine.crashed');
    const run = runOf(killed);
    expect((await list(home))[0]).toMatchObject({ run, status: 'failed' });
    expect(lastEvent(await namesake(['runs', 'show', run, '--json'], { home }))).toMatchObject({ error: 'engine.crashed' });

    rmSync(String(start['adapter']), { recursive: true });
    rmSync(join(home, 'rows-in.jsonl'));
    lastEvent(await namesake(['runs', 'resume', run, '--json'], { home }));
    expect(learnt(home, run)).toEqual(learnt(home, runOf(whole)));
    expect((await list(home))[0]).toMatchObject({ run, status: 'done' });
    expect(lastEvent(await namesake(['runs', 'show', run, '--json'], { home }))).toMatchObject({ error: null });
  });

  it('ends with the program', async () => {
    const home = temporaryFolder();
    let engines: number[] = [];
    await train(home, twenty, {
      onEvent: atStep(2, (child) => {
        engines = childrenOf(child.pid ?? 0);
        child.kill('SIGKILL');
      }),
    });
    expect(engines).toHaveLength(1);
    await vi.waitFor(() => expect(engines.some(isAlive)).toBe(false), { timeout: 30_000 });
  });
});

describe('Ctrl-C', () => {
  it('saves a checkpoint and stops; resuming gives the same bytes', async () => {
    const home = temporaryFolder();
    const whole = await train(home, twenty);
    const stopped = await train(home, twenty, { onEvent: atStep(4, (child) => child.kill('SIGINT')) });
    const result = lastEvent(stopped, 130);
    const run = runOf(stopped);
    const steps = Number(result['steps']);
    expect(result.event).toBe('result');
    expect(steps).toBeGreaterThanOrEqual(4);
    expect(steps).toBeLessThan(10);
    expect(await list(home)).toContainEqual({ event: 'run', run, name: 'tiny', status: 'stopped', step: steps, steps: 20 });
    const folder = join(home, 'runs', run);
    const checkpoint = join(folder, 'checkpoints', `step-${String(steps).padStart(6, '0')}`);
    expect(readFileSync(join(folder, 'adapter', 'adapter_model.safetensors'))).toEqual(readFileSync(join(checkpoint, 'adapter_model.safetensors')));
    expect(existsSync(join(home, 'trainer.lock'))).toBe(false);

    const resumed = await namesake(['runs', 'resume', run, '--json'], { home });
    expect(lastEvent(resumed)).toMatchObject({ steps: 20 });
    expect(eventsOf(resumed, 'step')[0]).toMatchObject({ step: steps + 1 });
    expect(learnt(home, run)).toEqual(learnt(home, runOf(whole)));
  });

  it('before the first step throws the run away', async () => {
    const home = temporaryFolder();
    const result = await namesake(['make', '--owner', 'A', '--name', 'B', '--model', tinyModel, '--json'], {
      home,
      onEvent: (event, child) => {
        if (event.event === 'phase' && event['done'] === 64) child.kill('SIGINT');
      },
    });
    expect(errorCode(result, 130)).toBe('cancelled');
    expect(eventsOf(result, 'step')).toEqual([]);
    expect(await list(home)).toMatchObject([{ status: 'cancelled' }]);
    expect(readdirSync(join(home, 'runs'))).toEqual([]);
    expect(errorCode(await namesake(['runs', 'resume', runOf(result), '--json'], { home }))).toBe('run.not_resumable');
  });

  it('a second one quits at once; the run counts as interrupted', async () => {
    const home = temporaryFolder();
    // Steps of several seconds, and nothing between them: every signal arrives in the middle of the second one.
    const slow = { ...twenty, accumulate: 1000, checkpoint: null };
    let signals = 0;
    let timer: NodeJS.Timeout | undefined;
    const result = await train(home, slow, {
      onEvent: atStep(1, (child) => {
        const press = (): void => {
          signals++;
          child.kill('SIGINT');
        };
        press();
        // Two at once may reach a busy program as one.
        timer = setInterval(press, 100);
      }),
    });
    clearInterval(timer);
    expect(result.code).toBe(130);
    expect(eventsOf(result, 'step')).toHaveLength(1);
    expect(eventsOf(result, 'result')).toEqual([]);
    expect(signals).toBeGreaterThan(1);
    expect(await list(home)).toMatchObject([{ status: 'interrupted' }]);
  });
});

describe('one trainer in a home', () => {
  it('is busy for a second one, open for a chat, and free again when it dies', async () => {
    const home = temporaryFolder();
    const beside: Promise<CliResult>[] = [];
    const first = await train(home, { ...twenty, steps: 400, accumulate: 64 }, {
      onEvent: atStep(1, (child) => {
        beside.push(
          train(home, { steps: 1 }),
          namesake(['runs', 'list', '--json'], { home }),
          namesake(['chat', '--model', tinyModel, '--greedy', '--max-tokens', '4', '-p', 'hi', '--json'], { home }),
        );
        void Promise.all(beside).then(() => child.kill('SIGKILL'));
      }),
    });
    const [second, runs, chat] = await Promise.all(beside);
    expect(first.signal).toBe('SIGKILL');
    expect(errorCode(second as CliResult)).toBe('engine.busy');
    expect(runs?.events).toMatchObject([{ run: runOf(first), status: 'running' }]);
    expect(lastEvent(chat as CliResult)).toMatchObject({ event: 'answer' });

    expect(existsSync(join(home, 'trainer.lock'))).toBe(true);
    expect(lastEvent(await train(home, { steps: 1 }))).toMatchObject({ event: 'result' });
    expect((await list(home)).map(({ status }) => status)).toEqual(['done', 'interrupted']);
    rmSync(join(home, 'runs', runOf(first)), { recursive: true });
    expect(errorCode(await namesake(['runs', 'resume', runOf(first), '--json'], { home }))).toBe('run.no_checkpoint');
  });
});

describe('runs resume', () => {
  it('begins again where nothing was saved yet, and ends with the same bytes', async () => {
    const home = temporaryFolder();
    const whole = await train(home, twenty);
    const killed = await train(home, twenty, { onEvent: atStep(3, (child) => child.kill('SIGKILL')) });
    // What it began with is no longer asked for.
    rmSync(join(home, 'rows-in.jsonl'));
    const resumed = await namesake(['runs', 'resume', runOf(killed), '--json'], { home });
    expect(eventsOf(resumed, 'step').map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(learnt(home, runOf(killed))).toEqual(learnt(home, runOf(whole)));
  });

  it('goes on with another instruction set, and says that bits will differ', async () => {
    const home = temporaryFolder();
    const began = await train(home, twenty, { env: { NAMESAKE_ISA: 'scalar' }, onEvent: atStep(11, (child) => child.kill('SIGKILL')) });
    const same = await namesake(['runs', 'resume', runOf(began), '--json'], { home, env: { NAMESAKE_ISA: 'scalar' }, onEvent: atStep(12, (child) => child.kill('SIGINT')) });
    expect(eventsOf(same, 'warning')).toEqual([]);
    const { auto } = lastEvent(await namesake(['doctor', '--json'], { home }))['isa'] as { auto: string };
    const other = await namesake(['runs', 'resume', runOf(began), '--json'], { home });
    expect(lastEvent(other)).toMatchObject({ steps: 20 });
    expect(eventsOf(other, 'warning')).toEqual(
      auto === 'scalar' ? [] : [{ event: 'warning', warning: 'resumed_elsewhere', began: 'cpu scalar', now: `cpu ${auto}` }],
    );
  });

  it('refuses another model in the place of the one that it began with', async () => {
    const home = temporaryFolder();
    const model = join(home, 'model.gguf');
    copyFileSync(tinyModel, model);
    const killed = await train(home, { ...twenty, model: { ref: model } }, { onEvent: atStep(11, (child) => child.kill('SIGKILL')) });
    // A byte of the last tensor.
    const bytes = readFileSync(model);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(model, bytes);
    expect(errorCode(await namesake(['runs', 'resume', runOf(killed), '--json'], { home }))).toBe('adapter.mismatch');
    copyFileSync(tinyModel, model);
    expect(lastEvent(await namesake(['runs', 'resume', runOf(killed), '--json'], { home }))).toMatchObject({ steps: 20 });
  });

  it('refuses what is done, unknown, or damaged', async () => {
    const home = temporaryFolder();
    const done = await train(home, { steps: 1 });
    expect(errorCode(await namesake(['runs', 'resume', runOf(done), '--json'], { home }))).toBe('run.not_resumable');
    expect(errorCode(await namesake(['runs', 'resume', 'nobody', '--json'], { home }))).toBe('run.unknown');
    const killed = await train(home, twenty, { onEvent: atStep(12, (child) => child.kill('SIGKILL')) });
    const folder = join(home, 'runs', runOf(killed));
    const weights = join(folder, 'checkpoints/step-000010/optimizer.safetensors');
    const kept = readFileSync(weights);
    writeFileSync(weights, kept.subarray(0, 1000));
    expect(errorCode(await namesake(['runs', 'resume', runOf(killed), '--json'], { home }))).toBe('checkpoint.invalid');
    writeFileSync(weights, kept);
    const tokens = readFileSync(join(folder, 'tokens.bin'));
    writeFileSync(join(folder, 'tokens.bin'), tokens.subarray(0, tokens.length - 4));
    expect(errorCode(await namesake(['runs', 'resume', runOf(killed), '--json'], { home }))).toBe('checkpoint.invalid');
    writeFileSync(join(folder, 'tokens.bin'), tokens);
    expect(lastEvent(await namesake(['runs', 'resume', runOf(killed), '--json'], { home }))).toMatchObject({ steps: 20 });
  });
});
