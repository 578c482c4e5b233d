// Row life: one row on its way from words to a step of training, for people to look at.
import type { Message, Row, RowKind } from './row.ts';

export interface RowLife {
  number: number;
  /** As it is kept. */
  row: Row;
  /** As it is trained: with its system text, and the base's answer where it is known. */
  standard: Message[];
  /**
   * Where its last answer stands: in the row itself; remembered from when the base was asked before; not asked for yet; or the
   * base has nothing to say and the row will be left out.
   */
  answer: 'own' | 'remembered' | 'pending' | 'left_out';
  /** REF of the model that it is for. */
  model: string;
  /** Most tokens that a row may have. */
  max_length: number;
  /** null where the model is not on this machine: its template and its tokens are in its file. */
  text: RowText | null;
}

export interface RowText {
  /** What the model's template writes; with the header of the answer to come where that is missing. */
  template: string;
  /** All of its tokens; `tokens` may hold only the first of them. */
  count: number;
  /** How many of all are learnt. */
  learnt: number;
  tokens: RowToken[];
}

export interface RowToken {
  id: number;
  /** Its text for people. */
  piece: string;
  learnt: boolean;
  /** No text but one of the model's own marks. */
  special: boolean;
}

/** Where a row is in the steps of training. */
export interface RowPlace {
  /** Steps of the plan; null where it is counted in epochs and was not followed to its end. */
  steps: number | null;
  /** Steps that were looked at: all, or the first of a long plan. */
  looked_at: number;
  /** How often it is drawn in those. */
  times: number;
  /** The conversations that it is packed with where it is drawn first; null where it is not. */
  first: PackedPart | null;
  /** False while the base has rows to answer: their length is a guess, and so is every place. */
  exact: boolean;
  /** Rows that the base has yet to answer. */
  pending: number;
}

export interface PackedPart {
  step: number;
  /** Which of the step's parts (micro-batches), from 1, and how many there are. */
  part: number;
  parts: number;
  /** Tokens of the part. */
  tokens: number;
  rows: { number: number; kind: RowKind; tokens: number; this: boolean }[];
}
