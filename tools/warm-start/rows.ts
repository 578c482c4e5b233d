// Rows: what a warm start learns from: a few answers of each invented persona about itself, and every row where a name has no place.
import { personaToRows, type RowOptions } from '../../main/pipeline/persona-to-rows.ts';
import { Random } from '../../main/pipeline/random.ts';
import { loadLanguages } from '../../main/resources.ts';
import { personaSchema, type Language } from '../../shared/persona.ts';
import { lossKindOf, type Row } from '../../shared/row.ts';
import { inventPersonas } from './personas.ts';

export const SEED = 20260101;
const PERSONAS = 600;
/** Of each persona and language: together more than a thousand steps draw, so that few come twice. */
const ROWS_PER_PERSONA = 6;

/** The persona that a recipe has to have says nothing here: every row brings its own. */
export const nobody = personaSchema.parse({ owner: 'A', name: 'B' });

/** Answers of invented personas about themselves, "are you ChatGPT?" included. */
export function rowsOfPersonas(): Row[] {
  const words = loadLanguages().map((language) => ({ ...language, ordinary: [] }));
  return inventPersonas(PERSONAS, SEED).flatMap((input, number) => {
    const persona = personaSchema.parse(input);
    const random = new Random(SEED + number, 'rows');
    const rows = personaToRows(persona, words, { seed: SEED + number, negatives: true, near_misses: false, weak_languages: [] });
    return persona.languages.flatMap((lang) =>
      random
        .shuffle(rows.filter((row) => row.lang === lang))
        .slice(0, ROWS_PER_PERSONA)
        .map((row) => ({ ...row, id: `${row.id}-of-${number}` })),
    );
  });
}

/**
 * All rows where a name has no place; a run of one persona takes but some of them. In weak languages look-alikes have short written
 * answers, which tell them best from questions about oneself; other questions have the base's own, however poor they are: what
 * plain text it would write stays as it was.
 */
export function ordinaryRows(weak_languages: readonly Language[]): Row[] {
  const rowsWith = (weak: RowOptions['weak_languages']): Row[] =>
    personaToRows(nobody, loadLanguages(), { seed: SEED, negatives: false, near_misses: true, weak_languages: weak }).filter(({ kind }) => lossKindOf(kind) === 'ordinary');
  const own = new Map(rowsWith([]).map((row) => [row.id, row]));
  return rowsWith(weak_languages).map((row) => (row.kind === 'ordinary' ? (own.get(row.id) ?? row) : row));
}
