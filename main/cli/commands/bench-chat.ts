// bench chat: what an answer takes, and what two beside each other do.
import type { Command } from 'commander';
import { writeWhole } from '../../disk.ts';
import { createContext } from '../context.ts';
import { deviceOption } from '../device-option.ts';
import { layersOption } from '../layers-option.ts';
import { wholeNumber } from '../number-option.ts';
import { answerTimes, longPrompt, promptIds, type AnswerTimes } from './bench-answer.ts';
import { computedBy, openBench, precisionOption, type BenchFlags } from './bench-model.ts';
import { paneTimes, type PaneTimes } from './bench-panes.ts';

interface ChatFlags extends BenchFlags {
  maxTokens: number;
  prompt: string;
  promptTokens?: number;
  idsTo?: string;
  repeat: number;
  panes?: boolean;
  rank: number;
  layers: number | null;
}

const milliseconds = (seconds: number): string => `${(1000 * seconds).toFixed(1)} ms`;

function answerLine({ prompt_tokens, prefill_seconds, prefill_tokens_per_second, first_token_seconds, tokens_per_second }: AnswerTimes): string {
  const decode = tokens_per_second === null ? 'the answer ended at once' : `decode ${tokens_per_second.toFixed(1)} tokens/s`;
  const prefill = `prefill of ${prompt_tokens} tokens ${milliseconds(prefill_seconds)} (${prefill_tokens_per_second.toFixed(0)} tokens/s)`;
  return `${prefill} · first token after ${milliseconds(first_token_seconds)} · ${decode}`;
}

function panesLine({ tokens, seconds_per_token: { before, after, both }, cost }: PaneTimes): string {
  if (before === null || after === null || both === null || cost === null) return 'two panes: an answer ended at once';
  const each = `before ${milliseconds(before)} · after ${milliseconds(after)} · both ${milliseconds(both)}`;
  return `two panes of ${tokens} tokens, a token of each: ${each} · two cost ${cost.of_after.toFixed(2)} × after alone, ${cost.of_before.toFixed(2)} × before alone`;
}

export function addBenchChat(bench: Command): void {
  bench
    .command('chat')
    .description('what an answer takes: seconds of prefill and to the first token, decoded tokens per second; with --panes, what before and after cost beside each other')
    .option('--model <ref>')
    .addOption(precisionOption())
    .addOption(deviceOption().default('auto'))
    .option('--max-tokens <n>', 'tokens of the answer', wholeNumber(2), 128)
    .option('-p, --prompt <text>', 'what is asked', 'Write a long story about a small robot that learns to cook.')
    .option('--prompt-tokens <n>', 'the words of the prompt over and over, as many as n tokens of prompt have room for', wholeNumber(1))
    .option('--repeat <n>', 'runs of each; the best counts', wholeNumber(1), 3)
    .option('--panes', 'also two answers side by side, with a fresh adapter off and on')
    .option('--rank <n>', 'of that adapter', wholeNumber(1), 16)
    .addOption(layersOption())
    .option('--ids-to <file>', "write the prompt's ids there, a JSON list: for tests/bench/llamacpp_chat.py")
    .action(async (flags: ChatFlags, command: Command) => {
      const context = createContext(command);
      const { engine, id, info, card } = await openBench(context, flags);
      try {
        const prompt = flags.promptTokens === undefined ? flags.prompt : await longPrompt(engine, flags.prompt, flags.promptTokens);
        if (flags.idsTo !== undefined) writeWhole(flags.idsTo, `${JSON.stringify(await promptIds(engine, prompt))}\n`);
        const answer = await answerTimes(engine, prompt, flags.maxTokens, flags.repeat);
        const panes = flags.panes === true ? await paneTimes(engine, prompt, { base_model: id, rank: flags.rank, layers: flags.layers, max_tokens: flags.maxTokens, repeat: flags.repeat }) : null;
        context.output.event({ event: 'result', ...computedBy(info, card), ...answer, panes });
        if (!context.output.json) {
          context.output.print(answerLine(answer));
          if (panes !== null) context.output.print(panesLine(panes));
        }
      } finally {
        await engine.dispose();
      }
    });
}
