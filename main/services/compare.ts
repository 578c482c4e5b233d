// Compare: the same questions to base and tuned, from one copy of the weights.
import { z } from 'zod';
import { greedy, questionSchema } from '../../shared/chat.ts';
import type { AnswerRequest } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import { readText } from '../disk.ts';
import type { ChatPartners, ChatTarget } from './chat-partner.ts';
import { systemMessages } from './rows.ts';

const PAIRS_AT_ONCE = 16;

/** Questions of a file, in its order. Throws rows.unreadable or questions.invalid with the line. */
export function readQuestions(path: string): string[] {
  const questions = readText(path, 'rows.unreadable')
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((line, i) => {
      if (line.trim() === '') return [];
      try {
        return [questionSchema.parse(JSON.parse(line)).question];
      } catch (error) {
        const detail = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : String(error);
        throw new NamesakeError('questions.invalid', detail, { line: i + 1 });
      }
    });
  if (questions.length === 0) throw new NamesakeError('questions.invalid', 'the file holds no questions', { line: 1 });
  return questions;
}

/**
 * Greedy answers of base and tuned to questions, each a conversation of its own, under the target's own system text. Throws
 * `cancelled` after the answers that are complete when `signal` is aborted, and what opening the target throws.
 */
export async function compare(
  partners: ChatPartners,
  target: ChatTarget,
  questions: readonly string[],
  max_tokens: number,
  onAnswer: (answer: { question: string; before: string; after: string }) => void,
  signal?: AbortSignal,
): Promise<void> {
  const partner = partners.find(target, undefined);
  const { engine, close } = await partners.open(partner);
  const cancel = (): void => void engine.cancel().catch(() => undefined);
  signal?.addEventListener('abort', cancel);
  try {
    for (let at = 0; at < questions.length; at += PAIRS_AT_ONCE) {
      const part = questions.slice(at, at + PAIRS_AT_ONCE);
      const ask = (adapter: boolean): AnswerRequest[] =>
        part.map((question) => ({
          messages: [...systemMessages(partner.system), { role: 'user', content: question }],
          max_tokens,
          sampling: greedy,
          adapter,
        }));
      if (signal?.aborted === true) throw new NamesakeError('cancelled', 'while comparing');
      const { answers } = await engine.generate('compare', [...ask(false), ...ask(true)]);
      if (answers.some(({ stop }) => stop === 'cancelled')) throw new NamesakeError('cancelled', 'while comparing');
      part.forEach((question, i) => onAnswer({ question, before: answers[i]?.text ?? '', after: answers[part.length + i]?.text ?? '' }));
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    await close();
  }
}
