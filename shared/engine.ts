// Engine: what the engine host can do, as messages between it and its client. The host owns the tokenizer and the native
// addon; conversations and text go in, text and numbers come out. One host has one model open.
import type { Answer, Sampling } from './chat.ts';
import type { GpuReport } from './doctor.ts';
import type { EngineChoice, MemoryBudget, MemoryModel, MemoryQuestion } from './memory.ts';
import type { ModelInfo, ModelShape } from './model.ts';
import type { PeakQuestion, PeakReport } from './peak.ts';
import type { Message, TokenizedRow } from './row.ts';

export interface OpenOptions extends EngineChoice {
  /** Absolute path of a .gguf file, or of a folder in Hugging Face's layout. */
  path: string;
  /** Folder for quantised weights where the model's own takes no file; made when it is needed. None where not given. */
  cache?: string;
}

/** Packed conversations for one micro-batch (native/include/namesake/trainer.h: Batch). Plain arrays or typed ones. */
export interface EngineBatch {
  ids: Int32Array;
  labels: Int32Array;
  positions: Int32Array;
  cu_seqlens: Int32Array;
  ce_weights: Float32Array;
  kl_weights: Float32Array;
}

export interface TrainerOptions {
  rank: number;
  /** Blocks that have factors, from the top; null = all. As rank and alpha, those of init_adapter where there is one. */
  layers: number | null;
  alpha: number;
  seed: number;
  /** PEFT folder to start from, or null for a fresh adapter. */
  init_adapter: string | null;
  lr: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
  /** B's learning rate over A's, which is `lr`. */
  loraplus_lr_ratio: number;
  /** Of the optimizer's moments. */
  state_bits: 32 | 8;
  /** Of the widest that is kept of the forward pass. */
  activation_bits: 32 | 16;
  /** null = none. */
  clip: number | null;
  schedule: 'linear' | 'cosine' | 'constant';
  warmup_steps: number;
  steps: number;
  /** What adapter_config.json names as its base. */
  base_model: string;
  /** Most tokens of a micro-batch: what memory is planned for. */
  batch_tokens: number;
  /** Most of them where a beginning that all conversations of a batch share is counted once, as it is computed. null: all. */
  packed_tokens: number | null;
  /** Whether layers are computed again for the backward pass instead of being kept: less memory, more time, the same bits. null: where keeping does not fit. */
  recompute: boolean | null;
}

export interface EngineStep {
  step: number;
  loss: number;
  ce: number;
  kl: number;
  grad_norm: number;
  lr: number;
  tokens: number;
  /** What its parts took. forward: the base pass where there is KL, the tuned pass, head and losses; update: gradient norm and AdamW. */
  seconds: { forward: number; backward: number; update: number };
}

export interface ScoreResult {
  ce_tuned: number;
  ce_base: number;
  kl: number;
  labels: number;
}

/** Which adapter answers: none, the trainer's present one, or a PEFT folder. */
export type AdapterChoice = { kind: 'none' } | { kind: 'trainer' } | { kind: 'folder'; folder: string };

/**
 * How answers are asked for. `together` is for dozens that nobody waits for one by one: their tokens are multiplied as prompts are, which takes
 * less time and rounds differently from `alone` and `in-conversation`, which are the same to the bit.
 */
export type Asked = 'alone' | 'in-conversation' | 'together';

export interface AnswerRequest {
  messages: Message[];
  max_tokens: number;
  sampling: Sampling;
  /** false = the base model. */
  adapter: boolean;
}

export interface GenerateTimes {
  prompt_tokens: number;
  tokens: number;
  prefill_seconds: number;
  decode_seconds: number;
}

/** Functions of the host. Failures are NamesakeError by code. */
export interface EngineApi {
  /** Opens a model (closing the one before): file, tokenizer and chat template are all checked. */
  open(options: OpenOptions): Promise<ModelInfo>;
  /** Frees model, trainer and adapter. */
  close(): Promise<void>;
  /** Conversations → template → ids and labels. A row over max_length is refused with its index (rows.too_long). */
  tokenize(conversations: Message[][], max_length: number | null): Promise<TokenizedRow[]>;
  /** Ids of plain text; template specials inside it are ordinary characters. */
  encode(text: string): Promise<number[]>;
  /** Ids of the tokens that are no text but the model's own marks: control and user-defined ones. */
  specials(): Promise<number[]>;
  /** Marks that end an answer, as the tokenizer calls them. */
  stops(): Promise<string[]>;
  /** A conversation as the template writes it, with the header of the answer to come when `answer` is set. */
  render(messages: Message[], answer: boolean): Promise<string>;
  /** How many tokens each conversation is as a prompt, up to where the assistant starts to speak. */
  promptLengths(conversations: Message[][]): Promise<number[]>;
  /** The shapes that a model at an absolute path states, and the bytes of its weights; needs none open. */
  shape(path: string): Promise<ModelShape & { file_bytes: number }>;
  /** Plans what a run would take, of a model that is here (absolute path) or not, and decides what device auto is; needs none open. */
  planMemory(model: MemoryModel, question: MemoryQuestion): Promise<MemoryBudget>;
  /** Measures what the processor can do at most; needs no model open. Takes its time for seconds, so it is a job like a step. */
  measurePeak(question: PeakQuestion): Promise<PeakReport>;
  /**
   * Makes a trainer with a fresh adapter, or one from init_adapter, with all memory that its steps take. Throws
   * memory.insufficient, or a card's gpu.memory_insufficient, with the bytes `needed` and `available`, and then nothing is taken.
   */
  createTrainer(options: TrainerOptions): Promise<{ trainable_parameters: number; recompute: boolean }>;
  step(micro_batches: EngineBatch[]): Promise<EngineStep>;
  /** Writes a checkpoint folder atomically. */
  saveCheckpoint(folder: string): Promise<void>;
  /** Resumes the trainer from a checkpoint folder, bit for bit. */
  loadCheckpoint(folder: string): Promise<void>;
  /** The adapter that generate, score and logits use from now on. */
  useAdapter(choice: AdapterChoice): Promise<void>;
  /**
   * Answers conversations; text streams through EngineEvents.text under `job`. `in-conversation`: what was computed of the prompts is
   * kept, with its memory, and the next call computes only what was added, to the same answers. It is forgotten when the adapter learns or
   * is another, when nothing is said for a while, and where it is too large to be held for all of the requests.
   */
  generate(job: string, requests: AnswerRequest[], asked?: Asked): Promise<{ answers: Answer[]; times: GenerateTimes }>;
  score(batches: EngineBatch[]): Promise<ScoreResult[]>;
  /** [T, vocab] of one sequence. */
  logits(ids: number[]): Promise<Float32Array>;
  /** Cancels the call that is running, if any: it ends with `cancelled` (generate: with partial answers). */
  cancel(): Promise<void>;
}

/** What the host tells while a call runs. */
export interface EngineEvents {
  /** A piece of answer `index` of `job`: whole characters only. */
  text(job: string, index: number, piece: string): void;
}

/** A running engine host as services see it. */
export interface EngineClient extends EngineApi {
  /** The file of the addon that computes. */
  about(): Promise<{ addon: string }>;
  /** The machine's NVIDIA cards. A driver that crashes takes the host with it (engine.crashed). */
  gpus(): Promise<GpuReport>;
  /** Listens to pieces of answers; returns the un-listener. */
  onText(listener: EngineEvents['text']): () => void;
  /** Ends the host process. Calls under way reject with engine.crashed. */
  dispose(): Promise<void>;
}
