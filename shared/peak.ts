// Peak: what this machine's processor can do at most, measured.
/** A rate a second, on one thread and on all of them at the same time. */
export interface Peak {
  one: number;
  all: number;
}

export interface PeakQuestion {
  /** Instruction sets by their names, "auto" too; each must be one that this CPU has. */
  isas: string[];
  /** Of each the products of f32 matrices, where it has others that are faster. */
  f32_products: boolean;
  /** The speed of reading, too. */
  memory: boolean;
  /** "all" of the answer; 0 = all physical cores. */
  threads: number;
  /** Of each loop, which runs on one thread and, where there are more, on all. */
  seconds: number;
}

/** FLOP/s of multiply-adds in registers; a multiply-add is two. */
export interface IsaPeak extends Peak {
  isa: string;
  /** Sums are f32 in both. */
  operands: 'f32' | 'bf16';
}

export interface PeakReport {
  threads: number;
  /** As they were asked for. */
  isas: IsaPeak[];
  /** Bytes a second; null where it was not asked for. */
  memory: (Peak & { array_bytes: number }) | null;
}
