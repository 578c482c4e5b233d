// Chat service: opens a model with its adapter and answers conversations; compares base and tuned from one copy of the weights.
import { resolve } from 'node:path';
import { z } from 'zod';
import { greedy, questionSchema, type Answer, type Sampling } from '../../shared/chat.ts';
import type { EngineClient, GenerateTimes } from '../../shared/engine.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Message } from '../../shared/row.ts';
import { readText } from '../disk.ts';
import type { Home } from '../home.ts';
import type { ChatStore } from '../store/chats.ts';
import type { RunStore } from '../store/runs.ts';
import type { ModelService } from './model.ts';
import { systemMessages } from './rows.ts';
import type { ComputeOptions } from './run.ts';

/** Who answers: a run's assistant, or a model with or without an adapter folder. */
export type ChatTarget =
  | { run: string }
  | { model: string; adapter: string | null; precision: Recipe['model']['precision']; device: Recipe['device'] };

export interface Spoken extends Answer {
  times: GenerateTimes;
}

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

/** One open conversation partner. */
export class ChatSession {
  readonly #engine: EngineClient;
  readonly #chats: ChatStore;
  readonly #system: string | null;
  readonly #hasAdapter: boolean;
  readonly #chat: number;
  #messages: Message[] = [];

  constructor(
    engine: EngineClient,
    chats: ChatStore,
    target: { model: string; run: string | null; system: string | null; hasAdapter: boolean },
  ) {
    this.#engine = engine;
    this.#chats = chats;
    this.#system = target.system;
    this.#hasAdapter = target.hasAdapter;
    this.#messages = systemMessages(target.system);
    this.#chat = chats.create(target.model, target.run);
  }

  /** Answers the next turn of the conversation, streaming pieces; both turns are stored. */
  async say(
    text: string,
    options: { max_tokens: number; sampling: Sampling; base: boolean },
    onPiece: (piece: string) => void,
  ): Promise<Spoken> {
    const turn: Message = { role: 'user', content: text };
    const unlisten = this.#engine.onText((_job, _index, piece) => onPiece(piece));
    try {
      const { answers, times } = await this.#engine.generate('chat', [
        {
          messages: [...this.#messages, turn],
          max_tokens: options.max_tokens,
          sampling: options.sampling,
          adapter: this.#hasAdapter && !options.base,
        },
      ]);
      const answer = answers[0] as Answer;
      const reply: Message = { role: 'assistant', content: answer.text };
      this.#messages.push(turn, reply);
      this.#chats.add(this.#chat, turn);
      this.#chats.add(this.#chat, reply);
      return { ...answer, times };
    } finally {
      unlisten();
    }
  }

  /** Greedy answers of base and tuned to questions, each a conversation of its own. */
  async compare(
    questions: readonly string[],
    max_tokens: number,
    onAnswer: (answer: { question: string; before: string; after: string }) => void,
  ): Promise<void> {
    const PAIRS_AT_ONCE = 16;
    for (let at = 0; at < questions.length; at += PAIRS_AT_ONCE) {
      const part = questions.slice(at, at + PAIRS_AT_ONCE);
      const ask = (adapter: boolean): Parameters<EngineClient['generate']>[1] =>
        part.map((question) => ({
          messages: [...systemMessages(this.#system), { role: 'user', content: question }],
          max_tokens,
          sampling: greedy,
          adapter,
        }));
      const { answers } = await this.#engine.generate('compare', [...ask(false), ...ask(true)]);
      if (answers.some(({ stop }) => stop === 'cancelled')) throw new NamesakeError('cancelled', 'while comparing');
      part.forEach((question, i) =>
        onAnswer({ question, before: answers[i]?.text ?? '', after: answers[part.length + i]?.text ?? '' }),
      );
    }
  }

  /** Ends the answer that is being spoken. */
  cancel(): Promise<void> {
    return this.#engine.cancel();
  }

  close(): Promise<void> {
    return this.#engine.dispose();
  }
}

export class ChatService {
  readonly #home: Home;
  readonly #runs: RunStore;
  readonly #chats: ChatStore;
  readonly #models: ModelService;
  readonly #startEngine: () => EngineClient;

  constructor(home: Home, runs: RunStore, chats: ChatStore, models: ModelService, startEngine: () => EngineClient) {
    this.#home = home;
    this.#runs = runs;
    this.#chats = chats;
    this.#models = models;
    this.#startEngine = startEngine;
  }

  /** What a target means: model, precision, adapter folder and system text. Throws run.unknown, run.no_checkpoint. */
  #resolve(target: ChatTarget): {
    ref: string;
    precision: Recipe['model']['precision'];
    device: Recipe['device'];
    adapter: string | null;
    system: string | null;
    run: string | null;
  } {
    if (!('run' in target)) {
      const { model, adapter, precision, device } = target;
      return { ref: model, precision, device, adapter: adapter === null ? null : resolve(adapter), system: null, run: null };
    }
    const { recipe, chosen_step } = this.#runs.get(target.run);
    if (chosen_step === null) throw new NamesakeError('run.no_checkpoint', 'no adapter was chosen', { run: target.run });
    return {
      ref: recipe.model.ref,
      precision: recipe.model.precision,
      device: recipe.device,
      adapter: this.#home.run(target.run).adapter,
      system: recipe.data.systems[0] ?? null,
      run: target.run,
    };
  }

  /** Opens a target in an engine host of its own. `system` undefined = the run's own, or the template's default. */
  async open(target: ChatTarget, system: string | undefined, compute: ComputeOptions): Promise<ChatSession> {
    const found = this.#resolve(target);
    const model = await this.#models.locate(found.ref);
    const engine = this.#startEngine();
    try {
      await engine.open({ path: model.path, precision: found.precision, device: found.device, ...compute });
      if (found.adapter !== null) await engine.useAdapter({ kind: 'folder', folder: found.adapter });
      return new ChatSession(engine, this.#chats, {
        model: model.id,
        run: found.run,
        system: system ?? found.system,
        hasAdapter: found.adapter !== null,
      });
    } catch (error) {
      await engine.dispose();
      throw error;
    }
  }
}
