// The whole native surface (native/addon). Only host.ts gets hold of it; nothing else sees the raw module.
//
// Every promise rejects with an Error that carries `code` and `detail` (NativeError). One job at a time runs on a model:
// another call rejects with engine.busy, any call on something closed with engine.closed. close() is idempotent and
// throws engine.busy while a job runs.
import type { Sampling, StopReason } from '../../shared/chat.ts';
import type { GpuReport } from '../../shared/doctor.ts';
import type { Asked, EngineBatch, EngineStep, GenerateTimes, ScoreResult, TrainerOptions } from '../../shared/engine.ts';
import type { EngineChoice, MemoryBudget, MemoryQuestion } from '../../shared/memory.ts';
import type { ModelInfo, ModelShape } from '../../shared/model.ts';
import type { PeakQuestion, PeakReport } from '../../shared/peak.ts';

export interface NativeError extends Error {
  code: string;
  detail: string;
  /** Bytes, with memory.insufficient and gpu.memory_insufficient where a plan says how many. */
  needed?: number;
  available?: number;
}

/** The instruction sets of the CPU backend: what "auto" takes, and why not the others. */
export interface IsaReport {
  /** null where not even plain code runs. */
  auto: string | null;
  /** Best first. */
  levels: { isa: string; supported: boolean; reason: string | null }[];
}

/** The tokenizer keys of a GGUF file, as they stand there. */
export interface NativeTokenizer {
  model: string;
  pre: string;
  tokens: string[];
  merges: string[];
  scores: Float64Array;
  token_types: number[];
  bos_id: number | null;
  eos_id: number | null;
  eot_id: number | null;
  eom_id: number | null;
  unk_id: number | null;
  pad_id: number | null;
  add_bos: boolean | null;
  add_space_prefix: boolean | null;
  chat_template: string | null;
}

export interface NativeTrainerOptions extends Omit<TrainerOptions, 'betas' | 'clip' | 'base_model'> {
  beta1: number;
  beta2: number;
  /** 0 = none. */
  clip: number;
}

export interface NativeRequest {
  prompt: Int32Array;
  stop: Int32Array;
  max_tokens: number;
  sampling: Sampling;
  adapter: boolean;
}

export interface NativeAnswer {
  /** Without the stop token. */
  tokens: Int32Array;
  reason: StopReason;
}

/** A LoRA adapter, loaded or being trained. */
export interface Adapter {
  readonly rank: number;
  readonly alpha: number;
  /** Values that training changes. */
  readonly parameters: number;
  close(): void;
}

export interface Trainer {
  /** The adapter as it is now: it changes with every step. */
  readonly adapter: Adapter;
  /** Whether activations are computed again instead of being kept. */
  readonly recompute: boolean;
  step(microBatches: EngineBatch[]): Promise<EngineStep>;
  /** Writes a checkpoint folder atomically. */
  save(folder: string, baseModel: string): Promise<void>;
  /** Goes on from a checkpoint folder; resolves with the steps done so far. */
  load(folder: string): Promise<number>;
  close(): void;
}

export interface Generator {
  /** Answers all requests; `onToken` gets every token, in order, before the promise settles. */
  run(
    requests: NativeRequest[],
    onToken: (request: number, token: number) => void,
  ): Promise<{ results: NativeAnswer[]; times: GenerateTimes }>;
  close(): void;
}

export interface Model {
  /** A fresh adapter of `rank`, `alpha` and `seed`, or the one in `init_adapter` with its own rank, alpha and layers. */
  createTrainer(options: NativeTrainerOptions): Promise<Trainer>;
  /** One in a conversation holds its memory between calls. */
  createGenerator(slots: number, adapter: Adapter | null, asked: Asked): Promise<Generator>;
  loadAdapter(folder: string): Promise<Adapter>;
  score(batches: EngineBatch[], adapter: Adapter | null): Promise<ScoreResult[]>;
  /** [T, vocab]. */
  logits(ids: Int32Array, adapter: Adapter | null): Promise<Float32Array>;
  /** The running job ends soon with `cancelled`. */
  cancel(): void;
  /** Frees the model and everything made from it. */
  close(): void;
}

/** What planMemory asks beside MemoryQuestion's own numbers. */
export interface NativeMemoryOptions extends Pick<MemoryQuestion, 'precision' | 'device' | 'threads' | 'isa' | 'rank' | 'layers' | 'state_bits' | 'activation_bits' | 'batch_tokens' | 'packed_tokens' | 'recompute'> {
  /** Answers side by side, 0 = none. */
  slots: number;
  /** Longest prompt with its answer. */
  answer_tokens: number;
  /** Largest batch that is scored. */
  score_tokens: number;
  /** Bytes of the process itself. */
  process: number;
}

export interface NativeAddon {
  isa(): IsaReport;
  /** The NVIDIA cards, or why there are none: loads the driver and takes a place on each card, up to a second. */
  gpus(): Promise<GpuReport>;
  /** Measures the processor: takes its time for seconds. cancel() ends it soon, with `cancelled`. */
  measurePeak(question: PeakQuestion): { peak: Promise<PeakReport>; cancel(): void };
  /** The shapes that a GGUF file or a folder in Hugging Face layout states. */
  modelShape(path: string): Promise<ModelShape & { file_bytes: number }>;
  /** Decides what device auto is. Of a GGUF file or a folder, or of a model that is not here by its shapes. */
  planMemory(model: string | (ModelShape & { file_bytes: number }), options: NativeMemoryOptions): Promise<MemoryBudget>;
  /**
   * A GGUF file, or a folder in Hugging Face layout: that one's tokenizer is null, its files are the host's to read. `cache`: the
   * program's own folder for quantised weights; without one they are quantised at each opening.
   */
  openModel(
    path: string,
    options: EngineChoice & { cache?: string },
  ): Promise<{ model: Model; info: ModelInfo; tokenizer: NativeTokenizer | null }>;
}
