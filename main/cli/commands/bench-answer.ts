// What one answer takes, and the prompts that bench asks with.
import { greedy, type Answer, type StopReason } from '../../../shared/chat.ts';
import type { EngineClient, GenerateTimes } from '../../../shared/engine.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import type { Message } from '../../../shared/row.ts';

export interface AnswerTimes {
  prompt_tokens: number;
  prefill_seconds: number;
  prefill_tokens_per_second: number;
  /** From the call to the answer of one token, as a caller sees it: template, tokenizer, memory, prefill, and the way to the engine and back. */
  first_token_seconds: number;
  /** null where nothing was decoded after the first token. */
  tokens_per_second: number | null;
  tokens: number;
  stop: StopReason;
}

export const ask = (prompt: string): Message[] => [{ role: 'user', content: prompt }];

/** Decode steps of an answer: its first token comes from the prompt's pass, and the mark that ends it is a step, too. */
export function decodeSteps({ tokens, stop }: Answer): number {
  return tokens - 1 + (stop === 'stop' ? 1 : 0);
}

/** Words of `text` over and over, as many as `tokens` tokens of prompt have room for. Throws usage.invalid where they have room for none. */
export async function longPrompt(engine: EngineClient, text: string, tokens: number): Promise<string> {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const prompt = (count: number): string => Array.from({ length: count }, (_, i) => words[i % words.length]).join(' ');
  const length = async (count: number): Promise<number> => (await engine.promptLengths([ask(prompt(count))]))[0] ?? 0;
  if (words.length === 0 || (await length(1)) > tokens) throw new NamesakeError('usage.invalid', `${tokens} tokens have no room for a word of the prompt`);
  let [fits, exceeds] = [1, tokens + 1];
  while (exceeds - fits > 1) {
    const middle = Math.floor((fits + exceeds) / 2);
    if ((await length(middle)) <= tokens) fits = middle;
    else exceeds = middle;
  }
  return prompt(fits);
}

/** Ids of a prompt up to where the assistant starts to speak. */
export async function promptIds(engine: EngineClient, prompt: string): Promise<number[]> {
  const [row] = await engine.tokenize([[...ask(prompt), { role: 'assistant', content: '.' }]], null);
  const { ids, labels } = row ?? { ids: [], labels: [] };
  return ids.slice(0, labels.findIndex((label) => label >= 0));
}

/** Greedy answers of the base to `prompt`, the best of `repeat` after one to warm up: what else a machine does only makes a run slower. */
export async function answerTimes(engine: EngineClient, prompt: string, max_tokens: number, repeat: number): Promise<AnswerTimes> {
  const generate = async (count: number): Promise<{ answer: Answer; times: GenerateTimes; seconds: number }> => {
    const start = performance.now();
    const { answers, times } = await engine.generate('bench', [{ messages: ask(prompt), max_tokens: count, sampling: greedy, adapter: false }]);
    return { answer: answers[0] as Answer, times, seconds: (performance.now() - start) / 1000 };
  };
  const { answer } = await generate(max_tokens);
  const best = { prefill: Infinity, first_token: Infinity, decode: Infinity };
  for (let run = 0; run < repeat; run++) {
    const first = await generate(1);
    best.first_token = Math.min(best.first_token, first.seconds);
    const whole = await generate(max_tokens);
    best.decode = Math.min(best.decode, whole.times.decode_seconds);
    best.prefill = Math.min(best.prefill, first.times.prefill_seconds, whole.times.prefill_seconds);
  }
  const { tokens, stop, prompt_tokens } = answer;
  const steps = decodeSteps(answer);
  return {
    ...{ prompt_tokens, prefill_seconds: best.prefill, prefill_tokens_per_second: prompt_tokens / best.prefill, first_token_seconds: best.first_token },
    tokens_per_second: steps > 0 ? steps / best.decode : null,
    ...{ tokens, stop },
  };
}
