// Probe file: the person's own evaluation questions, or the built-in ones.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { NamesakeError } from '../../shared/errors.ts';
import { languages, type Language } from '../../shared/persona.ts';
import { probeSetSchema, type ProbeSets } from '../pipeline/probes.ts';
import { loadProbes } from '../resources.ts';

/**
 * `questions` of a recipe's `evaluate`: "built-in", or a JSON file {"zh": {identity, unrelated, near_miss, texts}, …}.
 * Throws questions.invalid, also where the file has none in a language of `spoken`.
 */
export function loadEvaluationProbes(questions: string, spoken: readonly Language[]): ProbeSets {
  if (questions === 'built-in') return loadProbes('choose');
  const path = resolve(questions);
  try {
    const sets = z.partialRecord(z.enum(languages), probeSetSchema).parse(JSON.parse(readFileSync(path, 'utf8')));
    if (!spoken.some((language) => sets[language] !== undefined)) throw new Error(`no questions in ${spoken.join(', ')}`);
    return sets;
  } catch (error) {
    const detail = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : String(error);
    throw new NamesakeError('questions.invalid', `${path}: ${detail}`, { line: 1 });
  }
}
