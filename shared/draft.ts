// Draft: a recipe with its rows, as the person prepares it; starting it makes a run.
import type { Language } from './persona.ts';
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

/** A draft that waits to be started, as the list of assistants shows it. */
export interface DraftSummary {
  draft: string;
  name: string;
  /** REF of its model. */
  model: string;
  languages: Language[];
  rows: number;
  updated_at: string;
}

/** What a person wants it to be checked with, in the place of the built-in questions of that kind and language. */
export interface OwnQuestions {
  /** Their answers should carry its name or its owner's. */
  identity: string[];
  /** Theirs should not. */
  ordinary: string[];
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

/** What one change of a draft's rows did. */
export interface RowsChange {
  added: number;
  edited: number;
  deleted: number;
  /** The persona or what else the wizard writes from was changed, and its rows with it. */
  rewritten: boolean;
}

/** The rows of a draft or a run, counted. */
export interface RowsSummary {
  rows: number;
  by_kind: Record<RowKind, number>;
  by_lang: Record<string, number>;
  /** What undo would take back; null where there is nothing, as in a run. */
  undoable: RowsChange | null;
}

export interface ImportReport {
  added: number;
  /** Lines that were left out, the first hundred. */
  refused: { line: number; reason: string }[];
  refused_total: number;
}
