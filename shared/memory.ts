// Memory: what a run or a chat will take, planned before anything is allocated; what "fits" means everywhere.
import type { Device } from './device.ts';
import type { Problem, UsedCard } from './doctor.ts';
import type { ModelShape } from './model.ts';

/** A model by its file's absolute path, or by its shapes where it is not here. */
export type MemoryModel = string | { shape: ModelShape; file_bytes: number };

/** How a model is computed. */
export interface EngineChoice {
  precision: 'as-stored' | 'f32' | 'bf16' | 'nf4';
  device: Device;
  /** 0 = all physical cores. */
  threads: number;
  /** "auto", or a forced level: scalar | avx2 | avx512 | avx512bf16 | amxbf16 | neon. */
  isa: string;
}

export interface MemoryQuestion extends Omit<EngineChoice, 'device'> {
  /** auto: a card that works and has room for the plan, otherwise the processor. */
  device: 'auto' | Device;
  /** LoRA rank; 0 = answers only, nothing is trained. */
  rank: number;
  /** Blocks that have factors, from the top; null = all. */
  layers: number | null;
  /** Of the optimizer's moments. */
  state_bits: 32 | 8;
  /** Of the widest that is kept of the forward pass. */
  activation_bits: 32 | 16;
  /** Most tokens of a micro-batch. */
  batch_tokens: number;
  /** Most of them where a beginning that all conversations of a batch share is counted once, as it is computed. null: all. */
  packed_tokens: number | null;
  /** Longest conversation. */
  max_length: number;
  /** Whether the model also answers: rows before the first step, probes between steps (or, with rank 0, a chat is held). */
  answers: boolean;
  /** null: only where keeping does not fit. */
  recompute: boolean | null;
}

/** A card that a plan was made for, and what the plan takes of its memory, in bytes. */
export interface CardPlan extends UsedCard {
  needs: number;
  /** Now. */
  free: number;
}

/** What computes, and what was found out about a card on the way. */
export interface Placement {
  device: Device;
  /** The card that was looked at; null where none was to be, or there is none that works. */
  card: CardPlan | null;
  /** Why auto is the processor: one of the codes gpu.*; else null. */
  no_card: Problem | null;
}

/** Bytes by purpose. Everything but `between_steps` adds up to `total`, unless `between_steps` is more than what it replaces. */
export interface MemoryBudget extends Placement {
  /** Pages of the model's file; the system can drop and read them again. */
  weights_mapped: number;
  /** Copies in another precision, and the table of rotary angles. */
  weights_resident: number;
  adapter: number;
  gradients: number;
  optimizer: number;
  activations: number;
  /** Panels of kernels, chunks of logits, attention. */
  scratch: number;
  /** Key/value cache and buffers of probes and scores, while activations and scratch are given back. */
  between_steps: number;
  /** Program, tokenizer and heap of the engine's process. */
  process: number;
  /** What the engine's process takes at its peak; on a graphics card, what the card does. */
  total: number;
  /** What this machine, or the card, has free now. */
  available: number;
  /** With a card: what the machine's own memory has besides (`weights_mapped` and `process` are no part of the total then); else 0. */
  host: number;
  /** The same: what the machine has free now. */
  host_available: number;
  fits: boolean;
  /** Whether activations are computed again for the backward pass instead of being kept. */
  recompute: boolean;
}
