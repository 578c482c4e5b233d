// chat and compare on a run of the tiny model.
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { errorCode, eventsOf, lastEvent, namesake, type CliResult } from '../../support/cli.ts';
import { tinyModel, writeJsonLines, writeRecipe } from '../../support/tiny-run.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let home = '';
let run = '';
let adapter = '';
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'namesake-talk-'));
  // Enough steps that the tuned model speaks otherwise than the base.
  const result = lastEvent(await namesake(['train', writeRecipe(home, { steps: 30 }), '--json'], { home }));
  run = String(result['run']);
  adapter = String(result['adapter']);
  return () => {
    rmSync(home, { recursive: true, force: true });
  };
});

function chat(...args: string[]): Promise<CliResult> {
  return namesake(['chat', ...args, '--json'], { home });
}

const say = ['-p', 'Who are you?', '--max-tokens', '12'];

describe('chat -p', () => {
  it('answers once', async () => {
    const result = await chat('--run', run, '--greedy', ...say);
    const answer = lastEvent(result);
    expect(result.events).toHaveLength(1);
    expect(Object.keys(answer)).toEqual(['event', 'text', 'prompt_tokens', 'tokens', 'prefill_tokens_per_second', 'tokens_per_second', 'stop']);
    expect(answer).toMatchObject({ event: 'answer', stop: expect.stringMatching(/^(stop|length)$/) as unknown });
    expect(answer['tokens']).toBeLessThanOrEqual(12);
    expect(answer['prompt_tokens']).toBeGreaterThan(20);
    expect(answer['tokens_per_second']).toBeGreaterThan(0);
  });

  it('greedy answers of the run, and of model and adapter, are one; --base and the model alone are another', async () => {
    const text = async (...args: string[]): Promise<unknown> => lastEvent(await chat(...args, '--greedy', ...say))['text'];
    const tuned = await text('--run', run);
    const base = await text('--run', run, '--base');
    expect(tuned).not.toBe(base);
    expect(await text('--model', tinyModel, '--adapter', adapter)).toBe(tuned);
    expect(await text('--model', tinyModel)).toBe(base);
    expect(await text('--model', tinyModel, '--device', 'reference')).toBe(base);
  });

  it('a seed gives the same words again, another seed others', async () => {
    const text = async (seed: string): Promise<unknown> => lastEvent(await chat('--model', tinyModel, '-p', 'Tell me', '--max-tokens', '30', '--seed', seed))['text'];
    const one = await text('1');
    expect(await text('1')).toBe(one);
    expect(await text('2')).not.toBe(one);
  });

  it('takes the system text into the prompt', async () => {
    const tokens = async (...args: string[]): Promise<number> => Number(lastEvent(await chat('--model', tinyModel, '--greedy', ...say, ...args))['prompt_tokens']);
    // The tiny vocabulary has a token for each byte.
    expect((await tokens('--system', 'ab')) - (await tokens('--system', ''))).toBe(2);
    expect(await tokens()).toBeGreaterThan(await tokens('--system', 'ab'));
  });

  it('writes the answer to stdout for people', async () => {
    const { text } = lastEvent(await chat('--model', tinyModel, '--greedy', ...say));
    const result = await namesake(['chat', '--model', tinyModel, '--greedy', ...say], { home });
    expect(result).toMatchObject({ code: 0, stdout: `${String(text)}\n` });
  });

  it('refuses what does not fit the model’s context, an unknown run, and an adapter of another model', async () => {
    expect(errorCode(await chat('--model', tinyModel, '-p', 'x'.repeat(2000)))).toBe('context.overflow');
    expect(errorCode(await chat('--run', 'nobody', '-p', 'x'))).toBe('run.unknown');
    expect(errorCode(await chat('--model', tinyModel.replace('.gguf', '-tied.gguf'), '--adapter', adapter, '-p', 'x'))).toBe('adapter.mismatch');
    expect(errorCode(await chat('--model', tinyModel, '--adapter', home, '-p', 'x'))).toBe('adapter.unreadable');
    expect(errorCode(await chat('--model', 'no-such-model', '-p', 'x'))).toBe('model.unknown');
    expect(errorCode(await chat('--model', 'no/such.gguf', '-p', 'x'))).toBe('model.not_found');
  });
});

it('chat without -p is a conversation of its input’s lines', async () => {
  const result = await namesake(['chat', '--model', tinyModel, '--greedy', '--max-tokens', '6', '--json'], { home, input: 'Hi\n\nAnd now?\n' });
  lastEvent(result);
  const answers = eventsOf(result, 'answer');
  expect(answers).toHaveLength(2);
  // The second turn stands on the first.
  expect(Number(answers[1]?.['prompt_tokens'])).toBeGreaterThan(Number(answers[0]?.['prompt_tokens']) + Number(answers[0]?.['tokens']));
  const alone = await namesake(['chat', '--model', tinyModel, '--greedy', '--max-tokens', '6', '-p', 'Hi', '--json'], { home });
  expect(lastEvent(alone)['text']).toBe(answers[0]?.['text']);
});

describe('compare', () => {
  const asked = ['Who are you?', '  你是谁  ', 'Say "hi"\n\tplease', 'Who are you?', '<|im_end|>'];
  const compare = (questions: string, ...args: string[]): Promise<CliResult> =>
    namesake(['compare', '--run', run, '--questions', questions, '--max-tokens', '8', '--json', ...args], { home });

  it('repeats the questions verbatim in the file’s order, and answers as chat does', async () => {
    const file = writeJsonLines(join(home, 'questions.jsonl'), asked.map((question, i) => ({ id: i, question, answer: 'ignored', kind: 3 })));
    const result = await compare(file);
    expect(lastEvent(result)).toEqual({ event: 'result', run, questions: 5 });
    const answers = eventsOf(result, 'answer');
    expect(answers.map(({ question }) => question)).toEqual(asked);
    for (const answer of answers) expect(Object.keys(answer)).toEqual(['event', 'question', 'before', 'after']);
    expect(result.events).toHaveLength(6);
    const spoken = async (...args: string[]): Promise<unknown> =>
      lastEvent(await chat('--run', run, '--greedy', '--max-tokens', '8', '-p', asked[0] as string, ...args))['text'];
    expect(answers[0]).toMatchObject({ before: await spoken('--base'), after: await spoken() });
    expect(answers[3]).toEqual(answers[0]);
  });

  it('asks more than it asks at once, and the answers are the same', async () => {
    const file = writeJsonLines(join(home, 'many.jsonl'), Array.from({ length: 37 }, (_, i) => ({ question: asked[i % 3] })));
    const answers = eventsOf(await compare(file, '--threads', '1'), 'answer');
    expect(answers).toHaveLength(37);
    answers.forEach((answer, i) => expect(answer).toEqual(answers[i % 3]));
  });

  it('Ctrl-C ends it after the answers that are complete', async () => {
    const file = writeJsonLines(join(home, 'endless.jsonl'), Array.from({ length: 1000 }, (_, i) => ({ question: `Question ${i}` })));
    let told = false;
    const result = await namesake(['compare', '--run', run, '--questions', file, '--max-tokens', '300', '--json'], {
      home,
      onEvent: (_event, child) => {
        if (!told) child.kill('SIGINT');
        told = true;
      },
    });
    expect(errorCode(result, 130)).toBe('cancelled');
    const answers = eventsOf(result, 'answer');
    expect(answers.length).toBeLessThan(1000);
    answers.forEach(({ question }, i) => expect(question).toBe(`Question ${i}`));
  });

  it.each([
    ['a line that is not JSON', 'questions.invalid', '{"question":"a"}\nwhat\n'],
    ['a line without a question', 'questions.invalid', '{"q":"a"}\n'],
    ['an empty question', 'questions.invalid', '{"question":""}\n'],
    ['a question that is no text', 'questions.invalid', '{"question":5}\n'],
    ['a list', 'questions.invalid', '[]\n'],
    ['nothing', 'questions.invalid', '\n\n'],
  ])('refuses %s', async (_, code, text) => {
    const file = join(home, 'bad.jsonl');
    writeFileSync(file, text);
    expect(errorCode(await compare(file))).toBe(code);
  });

  it('names the line, and a file that is not there', async () => {
    writeFileSync(join(home, 'bad.jsonl'), '\uFEFF{"question":"a"}\r\n\n{"question":7}\n');
    const result = await compare(join(home, 'bad.jsonl'));
    expect(errorCode(result)).toBe('questions.invalid');
    expect(result.events[0]?.['message']).toContain('3');
    expect(errorCode(await compare(join(home, 'none.jsonl')))).toBe('rows.unreadable');
    expect(errorCode(await namesake(['compare', '--run', 'nobody', '--questions', writeJsonLines(join(home, 'q.jsonl'), [{ question: 'a' }]), '--json'], { home }))).toBe('run.unknown');
  });
});
