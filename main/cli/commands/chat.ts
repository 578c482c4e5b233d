// chat and compare: talk to a run's assistant or a model; before and after to a file of questions.
import { createInterface } from 'node:readline/promises';
import { Option, type Command } from 'commander';
import type { OpenedChat } from '../../../shared/api.ts';
import { greedy, samplingSchema, type Sampling } from '../../../shared/chat.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { translate } from '../../../shared/i18n/translate.ts';
import { precisions, type Recipe } from '../../../shared/recipe.ts';
import type { ChatTarget } from '../../services/chat-partner.ts';
import { compare, readQuestions } from '../../services/compare.ts';
import { createContext, type Context } from '../context.ts';
import { deviceOption } from '../device-option.ts';
import { interruptible } from '../interrupt.ts';
import { wholeNumber } from '../number-option.ts';
import { plainLine } from '../run-report.ts';

interface ChatFlags {
  run?: string;
  model?: string;
  adapter?: string;
  base?: boolean;
  system?: string;
  prompt?: string;
  greedy?: boolean;
  seed: number;
  maxTokens: number;
  precision: Recipe['model']['precision'];
  device: Recipe['device'];
}

/** What people expect of a chat: lively, but not wild. */
const chatSampling = { temperature: 0.7, top_p: 0.9, top_k: 40, repetition_penalty: 1.1 };

function targetOf(flags: ChatFlags): ChatTarget {
  if (flags.run !== undefined && flags.model === undefined && flags.adapter === undefined) return { run: flags.run };
  if (flags.model !== undefined && flags.run === undefined) {
    return { model: flags.model, adapter: flags.adapter ?? null, precision: flags.precision, device: flags.device };
  }
  throw new NamesakeError('usage.invalid', 'give either --run, or --model with or without --adapter');
}

async function speak(context: Context, opened: OpenedChat, text: string, flags: ChatFlags): Promise<void> {
  const { output, chat } = context;
  const sampling: Sampling = flags.greedy ? greedy : samplingSchema.parse({ ...chatSampling, seed: flags.seed });
  const side = opened.sides.includes('after') && flags.base !== true ? 'after' : 'before';
  const unlisten = chat.onText((piece) => {
    if (!output.json) process.stdout.write(piece.text);
  });
  const said = await chat.say(opened.chat, { text, sides: [side], max_tokens: flags.maxTokens, sampling }).finally(unlisten);
  const answer = said.answers[side];
  if (answer === undefined) return;
  const { times } = said;
  output.event({
    event: 'answer',
    text: answer.text,
    prompt_tokens: answer.prompt_tokens,
    tokens: answer.tokens,
    prefill_tokens_per_second: times.prompt_tokens / Math.max(times.prefill_seconds, 1e-9),
    tokens_per_second: times.tokens / Math.max(times.decode_seconds, 1e-9),
    stop: answer.stop,
  });
  if (output.json) return;
  process.stdout.write('\n');
  if (said.dropped_turns > 0) output.say(translate(output.language, 'chat.dropped', { turns: said.dropped_turns }));
  if (answer.stop === 'length') output.say(translate(output.language, 'chat.cut', { tokens: answer.tokens }));
}

/** Reads turns from the terminal until it ends. Ctrl-C ends the answer that is being spoken. */
async function converse(context: Context, opened: OpenedChat, flags: ChatFlags): Promise<void> {
  context.output.say(translate(context.output.language, 'chat.hint'));
  const terminal = createInterface({ input: process.stdin, output: process.stderr, prompt: '» ' });
  terminal.on('SIGINT', () => void context.chat.cancel(opened.chat));
  // Input that ended while an answer was spoken (a pipe) takes no more prompts; its lines are all answered.
  let open = true;
  terminal.on('close', () => (open = false));
  terminal.prompt();
  for await (const line of terminal) {
    if (line.trim() !== '') await speak(context, opened, line, flags);
    if (open) terminal.prompt();
  }
}

export function addChat(program: Command): void {
  program
    .command('chat')
    .description('talk to an assistant or a model; interactive without -p')
    .option('--run <id>', 'the assistant of a run')
    .option('--model <ref>', 'a model')
    .option('--adapter <dir>', 'a PEFT adapter folder for the model')
    .option('--base', 'answer without the adapter')
    .option('--system <text>', 'system text')
    .option('-p, --prompt <text>', 'say one thing and end')
    .option('--greedy', 'the most probable token always')
    .option('--seed <n>', 'seed of the sampling', wholeNumber(0), 0)
    .option('--max-tokens <n>', 'longest answer', wholeNumber(1), 256)
    .addOption(new Option('--precision <precision>').choices(precisions).default('as-stored'))
    .addOption(deviceOption().default('auto'))
    .action(async (flags: ChatFlags, command: Command) => {
      const context = createContext(command);
      const opened = await context.chat.open(targetOf(flags), flags.system);
      try {
        if (flags.prompt === undefined) await converse(context, opened, flags);
        else {
          const prompt = flags.prompt;
          const stopped = await interruptible(
            () => void context.chat.cancel(opened.chat),
            () => speak(context, opened, prompt, flags),
          );
          if (stopped) process.exitCode = 130;
        }
      } finally {
        await context.chat.close(opened.chat);
      }
    });
}

export function addCompare(program: Command): void {
  program
    .command('compare')
    .description('before and after to a file of questions, greedily, from one copy of the weights')
    .requiredOption('--run <id>', 'the assistant of a run')
    .requiredOption('--questions <file>', 'JSONL with a "question" a line')
    .option('--max-tokens <n>', 'longest answer', wholeNumber(1), 48)
    .action(async (flags: { run: string; questions: string; maxTokens: number }, command: Command) => {
      const context = createContext(command);
      const { output } = context;
      const questions = readQuestions(flags.questions);
      const abort = new AbortController();
      const stopped = await interruptible(
        () => abort.abort(),
        () =>
          compare(context.partners, { run: flags.run }, questions, flags.maxTokens, (answer) => {
            output.event({ event: 'answer', ...answer });
            if (output.json) return;
            const before = `${translate(output.language, 'result.before')}  ${plainLine(answer.before)}`;
            const after = `${translate(output.language, 'result.after')}  ${plainLine(answer.after)}`;
            output.print(`» ${answer.question}\n  ${before}\n  ${after}`);
          }, abort.signal),
      );
      if (stopped) process.exitCode = 130;
      output.event({ event: 'result', run: flags.run, questions: questions.length });
    });
}
