// Engine: what the host answers, on top of the addon and the pipeline's tokenizer and chat template. One model, at most one
// trainer, and the adapter that answers are given with.
import { isAbsolute } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Answer } from '../../shared/chat.ts';
import type { GpuReport } from '../../shared/doctor.ts';
import type {
  AdapterChoice,
  AnswerRequest,
  Asked,
  EngineBatch,
  EngineEvents,
  EngineStep,
  GenerateTimes,
  OpenOptions,
  ScoreResult,
  TrainerOptions,
} from '../../shared/engine.ts';
import { isErrorCode, NamesakeError } from '../../shared/errors.ts';
import type { MemoryBudget, MemoryModel, MemoryQuestion } from '../../shared/memory.ts';
import type { ModelInfo, ModelShape } from '../../shared/model.ts';
import type { PeakQuestion, PeakReport } from '../../shared/peak.ts';
import type { Message, TokenizedRow } from '../../shared/row.ts';
import { createChatTemplate, type ChatTemplate } from '../pipeline/chat-template.ts';
import { createTokenizer, type Tokenizer } from '../pipeline/tokenizer.ts';
import type { TokenizerSource } from '../pipeline/vocabulary.ts';
import { readModelFolder } from './model-folder.ts';
import type { Adapter, Model, NativeAddon, NativeAnswer, NativeError, NativeTokenizer, Trainer } from './native.d.ts';
import type { EngineAbout, HostApi } from './protocol.ts';
import { Conversation } from './conversation.ts';
import { betweenSteps, processGrowth } from './process-memory.ts';
import { slotsFor } from './slots.ts';

/** How long tokenising may keep the host from hearing a cancel. */
const SLICE_MS = 50;

const unanswered: NativeAnswer = { tokens: new Int32Array(), reason: 'cancelled' };
const noTime: GenerateTimes = { prompt_tokens: 0, tokens: 0, prefill_seconds: 0, decode_seconds: 0 };

/** A call that takes the model's or the processor's time. */
interface Job {
  name: string;
  done: Promise<unknown>;
  cancelled: boolean;
  /** Cancels what does not belong to the model. */
  cancel: () => void;
}

interface Opened {
  model: Model;
  info: ModelInfo;
  tokenizer: Tokenizer;
  template: ChatTemplate;
}

interface Training {
  trainer: Trainer;
  baseModel: string;
}

export class Engine implements HostApi {
  readonly #load: () => { addon: NativeAddon; path: string };
  readonly #events: EngineEvents;
  /** Bytes of the process before it has a model: what this program and this Node take anyway. */
  readonly #idle = process.memoryUsage.rss();
  #opened: Opened | null = null;
  #training: Training | null = null;
  /** null = the base model. The trainer's adapter, or one that was loaded from a folder. */
  #adapter: Adapter | null = null;
  readonly #conversation = new Conversation();
  /** The job that runs. */
  #job: Job | null = null;

  /** `load` gives the addon and is called when it is first needed; it throws engine.missing or engine.incompatible. */
  constructor(load: () => { addon: NativeAddon; path: string }, events: EngineEvents) {
    this.#load = load;
    this.#events = events;
  }

  async about(): Promise<EngineAbout> {
    const { addon, path } = this.#load();
    return { addon: path, isa: addon.isa() };
  }

  async gpus(): Promise<GpuReport> {
    return this.#load().addon.gpus();
  }

  open(options: OpenOptions): Promise<ModelInfo> {
    return this.#run('open', async () => {
      if (!isAbsolute(options.path)) throw new NamesakeError('internal', `${options.path} is not an absolute path`);
      const { addon } = this.#load();
      this.#free();
      const isa = isaOf(options.isa);
      const { precision, device, threads, cache } = options;
      const { model, info, tokenizer: native } = await addon
        .openModel(options.path, { precision, device, isa, threads, ...(cache !== undefined && { cache }) })
        .catch((error: unknown) => {
          throw withParams(error, { device });
        });
      try {
        const source = native === null ? await readModelFolder(options.path) : sourceOf(native, info.architecture);
        const tokenizer = createTokenizer(source);
        if (tokenizer.size > info.vocab) {
          throw new NamesakeError('model.tokenizer_invalid', `${tokenizer.size} tokens for ${info.vocab} embeddings`);
        }
        this.#opened = { model, info, tokenizer, template: createChatTemplate(source.chat_template, tokenizer) };
      } catch (error) {
        model.close();
        throw error;
      }
      return info;
    });
  }

  /** Cancels what runs, waits for it, and frees everything. */
  async close(): Promise<void> {
    while (this.#job !== null) {
      await this.cancel();
      await this.#job.done.catch(() => undefined);
    }
    this.#free();
  }

  tokenize(conversations: Message[][], max_length: number | null): Promise<TokenizedRow[]> {
    return this.#run('tokenize', async (job) => {
      const { template } = this.#open();
      const encode = (messages: Message[], index: number): TokenizedRow => {
        const row = template.encodeConversation(messages);
        if (max_length !== null && row.ids.length > max_length) {
          const tokens = row.ids.length;
          throw new NamesakeError('rows.too_long', `row ${index + 1} has ${tokens} tokens, max_length is ${max_length}`, {
            row: index + 1,
            index,
            tokens,
            max_length,
          });
        }
        return row;
      };
      const rows: TokenizedRow[] = [];
      const slice = (): TokenizedRow[] => {
        const pause = performance.now() + SLICE_MS;
        const made: TokenizedRow[] = [];
        for (let at = rows.length; at < conversations.length && (made.length === 0 || performance.now() < pause); at++) {
          made.push(encode(conversations[at] as Message[], at));
        }
        return made;
      };
      while (rows.length < conversations.length) {
        if (job.cancelled) throw new NamesakeError('cancelled', 'tokenising was cancelled');
        for (const row of template.together(slice)) rows.push(row);
        await setImmediate();
      }
      return rows;
    });
  }

  async encode(text: string): Promise<number[]> {
    return this.#open().tokenizer.encodeText(text);
  }

  async specials(): Promise<number[]> {
    const { tokenizer } = this.#open();
    return tokenizer.specials.flatMap((name) => tokenizer.tokenId(name) ?? []);
  }

  async stops(): Promise<string[]> {
    const { tokenizer, template } = this.#open();
    return template.stopIds.map((id) => tokenizer.piece(id));
  }

  async render(messages: Message[], answer: boolean): Promise<string> {
    return this.#open().template.render(messages, answer);
  }

  async promptLengths(conversations: Message[][]): Promise<number[]> {
    const { template } = this.#open();
    return template.together(() => conversations.map((messages) => template.encodePrompt(messages).length));
  }

  async shape(path: string): Promise<ModelShape & { file_bytes: number }> {
    const { addon } = this.#load();
    try {
      return await addon.modelShape(path);
    } catch (error) {
      throw withParams(error, {});
    }
  }

  async planMemory(model: MemoryModel, question: MemoryQuestion): Promise<MemoryBudget> {
    const { addon } = this.#load();
    const { precision, device, rank, layers, state_bits, activation_bits, batch_tokens, packed_tokens, recompute } = question;
    try {
      const shape = typeof model === 'string' ? await addon.modelShape(model) : { ...model.shape, file_bytes: model.file_bytes };
      return await addon.planMemory(typeof model === 'string' ? model : shape, {
        ...{ precision, device, rank, layers, state_bits, activation_bits, batch_tokens, packed_tokens, recompute, threads: question.threads, isa: isaOf(question.isa) },
        ...betweenSteps(question, shape),
        process: this.#idle + processGrowth(question, shape.vocab),
      });
    } catch (error) {
      throw withParams(error, { device });
    }
  }

  measurePeak(question: PeakQuestion): Promise<PeakReport> {
    return this.#run('measurePeak', (job) => {
      const { peak, cancel } = this.#load().addon.measurePeak({ ...question, isas: question.isas.map(isaOf) });
      job.cancel = cancel;
      return peak;
    });
  }

  createTrainer(options: TrainerOptions): Promise<{ trainable_parameters: number; recompute: boolean }> {
    return this.#run('createTrainer', async () => {
      const { model } = this.#open();
      const { betas, clip, base_model, ...rest } = options;
      this.#conversation.forget();
      // The one before goes first: two at once would need twice the memory.
      if (this.#training !== null && this.#adapter === this.#training.trainer.adapter) this.#adapter = null;
      this.#training?.trainer.close();
      this.#training = null;
      const trainer = await model.createTrainer({ ...rest, beta1: betas[0], beta2: betas[1], clip: clip ?? 0 });
      this.#training = { trainer, baseModel: base_model };
      return { trainable_parameters: trainer.adapter.parameters, recompute: trainer.recompute };
    });
  }

  step(micro_batches: EngineBatch[]): Promise<EngineStep> {
    return this.#run('step', () => {
      const { trainer } = this.#trainer();
      this.#conversation.forget();
      return trainer.step(micro_batches);
    });
  }

  saveCheckpoint(folder: string): Promise<void> {
    return this.#run('saveCheckpoint', () => {
      const { trainer, baseModel } = this.#trainer();
      return trainer.save(folder, baseModel);
    });
  }

  loadCheckpoint(folder: string): Promise<void> {
    return this.#run('loadCheckpoint', async () => {
      this.#conversation.forget();
      await this.#trainer().trainer.load(folder);
    });
  }

  useAdapter(choice: AdapterChoice): Promise<void> {
    return this.#run('useAdapter', async () => {
      const { model } = this.#open();
      const next = await this.#choose(model, choice);
      this.#conversation.forget();
      if (this.#adapter !== this.#training?.trainer.adapter) this.#adapter?.close();
      this.#adapter = next;
    });
  }

  generate(job: string, requests: AnswerRequest[], asked: Asked = 'alone'): Promise<{ answers: Answer[]; times: GenerateTimes }> {
    return this.#run('generate', async (running) => {
      const { model, info, tokenizer, template } = this.#open();
      const stop = Int32Array.from(template.stopIds);
      const prompts = template.together(() => requests.map(({ messages }) => Int32Array.from(template.encodePrompt(messages))));
      const natives = requests.map(({ max_tokens, sampling, adapter }, index) => ({
        prompt: prompts[index] as Int32Array,
        stop,
        max_tokens,
        sampling,
        adapter,
      }));
      const texts = requests.map(() => ({ stream: tokenizer.stream(), text: '' }));
      const tell = (index: number, piece: string): void => {
        const target = texts[index];
        if (piece === '' || target === undefined) return;
        target.text += piece;
        this.#events.text(job, index, piece);
      };
      const slots = slotsFor(natives, info);
      // What all requests have no room for side by side would only be driven out by each other.
      const keeps = asked === 'in-conversation' && slots >= natives.length;
      if (!keeps) this.#conversation.forget();
      const generator = await (keeps ? this.#conversation.turn(model, slots, this.#adapter) : model.createGenerator(slots, this.#adapter, asked === 'together' ? asked : 'alone'));
      try {
        // A cancel that came while the caches were made would be forgotten by the addon.
        const { results, times } = running.cancelled
          ? { results: natives.map(() => unanswered), times: noTime }
          : await generator.run(natives, (index, token) => tell(index, texts[index]?.stream.push(token) ?? ''));
        const answers = results.map(({ tokens, reason }, index): Answer => {
          tell(index, texts[index]?.stream.end() ?? '');
          return {
            text: texts[index]?.text ?? '',
            tokens: tokens.length,
            prompt_tokens: natives[index]?.prompt.length ?? 0,
            stop: reason,
          };
        });
        return { answers, times };
      } finally {
        if (keeps) this.#conversation.rest();
        else generator.close();
      }
    });
  }

  score(batches: EngineBatch[]): Promise<ScoreResult[]> {
    return this.#run('score', () => this.#open().model.score(batches, this.#adapter));
  }

  logits(ids: number[]): Promise<Float32Array> {
    return this.#run('logits', () => {
      const { model, info } = this.#open();
      // An id beyond 32 bits would wrap around to another one in the typed array.
      const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= info.vocab);
      if (wrong !== undefined) throw new NamesakeError('rows.invalid', `token id ${wrong} of ${info.vocab}`, { row: 1 });
      return model.logits(Int32Array.from(ids), this.#adapter);
    });
  }

  async cancel(): Promise<void> {
    if (this.#job === null) return;
    this.#job.cancelled = true;
    this.#job.cancel();
    this.#opened?.model.cancel();
  }

  /** Runs one job; engine.busy while another one does. What fails becomes a NamesakeError. */
  async #run<T>(name: string, work: (job: Job) => T | Promise<T>): Promise<T> {
    if (this.#job !== null) throw new NamesakeError('engine.busy', `${name} was asked for while ${this.#job.name} runs`);
    const job: Job = { name, cancelled: false, done: Promise.resolve(), cancel: () => undefined };
    this.#job = job;
    try {
      const result = (async () => work(job))();
      job.done = result;
      return await result;
    } catch (error) {
      throw withParams(error, {});
    } finally {
      this.#job = null;
    }
  }

  #open(): Opened {
    if (this.#opened === null) throw new NamesakeError('engine.closed', 'no model is open');
    return this.#opened;
  }

  #trainer(): Training {
    this.#open();
    if (this.#training === null) throw new NamesakeError('engine.closed', 'no trainer was made');
    return this.#training;
  }

  async #choose(model: Model, choice: AdapterChoice): Promise<Adapter | null> {
    switch (choice.kind) {
      case 'none':
        return null;
      case 'trainer':
        return this.#trainer().trainer.adapter;
      case 'folder':
        return model.loadAdapter(choice.folder);
    }
  }

  /** Closing the model frees what was made from it too. */
  #free(): void {
    this.#conversation.forget();
    this.#opened?.model.close();
    this.#opened = null;
    this.#training = null;
    this.#adapter = null;
  }
}

/** The tokenizer keys of a GGUF file as the pipeline takes them. */
function sourceOf(native: NativeTokenizer, architecture: string): TokenizerSource {
  const { model, pre, tokens, merges, scores, token_types, bos_id, eos_id, eot_id, eom_id, add_bos, add_space_prefix, chat_template } = native;
  return {
    ...{ model, pre, tokens, merges, token_types, bos_id, eos_id, add_bos, architecture, chat_template },
    scores: Array.from(scores),
    stop_ids: [eot_id, eom_id].filter((id) => id !== null),
    space_prefix: add_space_prefix === null ? null : { where: add_space_prefix ? 'each' : 'never', doubled: true },
  };
}

/** A level that the environment forces holds wherever no other was asked for. */
function isaOf(isa: string): string {
  return isa === 'auto' ? process.env['NAMESAKE_ISA'] || 'auto' : isa;
}

/** An error of the addon by its code, with the values that its wording needs; any other error as it is. */
function withParams(error: unknown, params: { device?: string }): unknown {
  if (!isNativeError(error) || error instanceof NamesakeError || !isErrorCode(error.code)) return error;
  switch (error.code) {
    case 'device.unavailable':
      return new NamesakeError(error.code, error.detail, { device: params.device ?? '?' });
    case 'rows.invalid':
      // The engine sees packed batches, not rows: its detail says where.
      return new NamesakeError(error.code, error.detail, { row: '?' });
    case 'memory.insufficient':
    case 'gpu.memory_insufficient': {
      const { needed, available } = error;
      return new NamesakeError(error.code, error.detail, needed === undefined || available === undefined ? {} : { needed, available });
    }
    default:
      return new NamesakeError(error.code, error.detail);
  }
}

function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'code' in error && 'detail' in error;
}
