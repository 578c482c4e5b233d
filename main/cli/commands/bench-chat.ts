// bench chat: what an answer takes.
import type { Command } from 'commander';
import { greedy } from '../../../shared/chat.ts';
import type { EngineClient } from '../../../shared/engine.ts';
import { createContext } from '../context.ts';
import { wholeNumber } from '../number-option.ts';
import { computedBy, deviceOption, openBench, precisionOption, type BenchFlags } from './bench-model.ts';

export function addBenchChat(bench: Command): void {
  bench
    .command('chat')
    .description('prefill and decode tokens per second of one answer')
    .option('--model <ref>')
    .addOption(precisionOption())
    .addOption(deviceOption())
    .option('--max-tokens <n>', 'tokens that are decoded', wholeNumber(1), 128)
    .option('-p, --prompt <text>', 'what is asked', 'Write a long story about a small robot that learns to cook.')
    .action(async (flags: BenchFlags & { maxTokens: number; prompt: string }, command: Command) => {
      const context = createContext(command);
      const { engine, info, card } = await openBench(context, flags);
      try {
        const ask = (max_tokens: number): ReturnType<EngineClient['generate']> =>
          engine.generate('bench', [
            { messages: [{ role: 'user', content: flags.prompt }], max_tokens, sampling: greedy, adapter: false },
          ]);
        await ask(4);
        const { answers, times } = await ask(flags.maxTokens);
        const result = {
          ...computedBy(info, card),
          prefill_tokens_per_second: times.prompt_tokens / times.prefill_seconds,
          tokens_per_second: times.tokens / times.decode_seconds,
          prompt_tokens: times.prompt_tokens,
          tokens: times.tokens,
          stop: answers[0]?.stop,
        };
        context.output.event({ event: 'result', ...result });
        if (!context.output.json) {
          context.output.print(`prefill ${result.prefill_tokens_per_second.toFixed(0)} tokens/s · decode ${result.tokens_per_second.toFixed(0)} tokens/s`);
        }
      } finally {
        await engine.dispose();
      }
    });
}
