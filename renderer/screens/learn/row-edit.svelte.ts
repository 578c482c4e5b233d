// Row edit: the words of one row while they are typed. They are kept here, not in the row: one may scroll away and back.
import type { Row, RowKind } from '../../../shared/row.ts';
import { canBeRow, withWords, wordsOf, type Words } from './row-words.ts';

export class RowEdit {
  /** null = a new row. */
  readonly number: number | null;
  words = $state<Words[]>([]);
  kind = $state<RowKind>('imported');
  lang = $state('und');
  saving = $state(false);
  readonly #row: Row;

  constructor(number: number | null, row: Row) {
    this.number = number;
    this.#row = row;
    this.words = wordsOf(row);
    this.kind = row.kind;
    this.lang = row.lang;
  }

  /** Whether it can be saved as it stands. */
  get ready(): boolean {
    return canBeRow(this.words);
  }

  /** Whether anything was typed or chosen. */
  get changed(): boolean {
    return JSON.stringify(this.row) !== JSON.stringify(withWords(this.#row, wordsOf(this.#row), this.#row.kind, this.#row.lang));
  }

  /** The row with what was typed. */
  get row(): Row {
    return withWords(this.#row, $state.snapshot(this.words), this.kind, this.lang);
  }
}
