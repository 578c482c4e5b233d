// Memory: what a run or a chat will take, planned before anything is allocated; what "fits" means everywhere.

export interface MemoryBudget {
  /** Bytes by purpose; mapped weights are pages of the model's file that the system can drop. */
  weights_mapped: number;
  weights_resident: number;
  adapter: number;
  gradients: number;
  optimizer: number;
  activations: number;
  /** Scratch of kernels, logits chunks, key/value cache of probes. */
  scratch: number;
  /** Program, tokenizer and heap of the engine's process. */
  process: number;
  /** What the engine's process takes at its peak. */
  total: number;
  /** What this machine has free now. */
  available: number;
  fits: boolean;
  /** Whether activations are kept from forward to backward or computed again. */
  recompute: boolean;
}
