// Draft: a recipe with its rows, as the person prepares it; starting it makes a run.
import type { Recipe } from './recipe.ts';
import type { Row, RowKind } from './row.ts';

export interface Draft {
  draft: string;
  recipe: Recipe;
  rows: number;
  by_kind: Record<RowKind, number>;
  /** Whether there is a change of the rows to take back. */
  undoable: boolean;
}

export interface NumberedRow {
  /** Stays the row's own while others come and go. */
  number: number;
  row: Row;
  /** The base model will answer it when the run starts. */
  pending: boolean;
}

export interface RowsPage {
  /** Rows that the filter lets through. */
  total: number;
  rows: NumberedRow[];
}

export interface ImportReport {
  added: number;
  /** Lines that were left out, the first hundred. */
  refused: { line: number; reason: string }[];
  refused_total: number;
}
