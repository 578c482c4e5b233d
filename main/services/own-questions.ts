// Own questions: what a person wants an assistant to be checked with, kept as a file of probes beside the drafts that use it:
// a recipe names it, and a run takes a copy of it.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { OwnQuestions } from '../../shared/draft.ts';
import type { Language } from '../../shared/persona.ts';
import { onDisk, writeWhole } from '../disk.ts';
import type { Home } from '../home.ts';
import type { ProbeSet, ProbeSets } from '../pipeline/probes.ts';
import { loadProbes } from '../resources.ts';
import { loadEvaluationProbes } from './probe-file.ts';

const HAN = /\p{Script=Han}/u;

/** The language that a question is asked in, of those that the assistant speaks. */
function languageOf(question: string, spoken: readonly Language[]): Language | undefined {
  const written: Language = HAN.test(question) ? 'zh' : 'en';
  return spoken.includes(written) ? written : spoken[0];
}

/**
 * The built-in probes with a person's questions in their place, by language; where there are none of a kind, they stay, and so
 * do languages that are not `spoken`: an assistant may learn one later.
 */
export function withOwnQuestions(builtIn: ProbeSets, { identity, ordinary }: OwnQuestions, spoken: readonly Language[]): ProbeSets {
  const sets: ProbeSets = {};
  for (const [language, set] of Object.entries(builtIn) as [Language, ProbeSet][]) {
    const own = (questions: readonly string[]): string[] => questions.filter((question) => languageOf(question, spoken) === language);
    const asked = own(identity).map((question) => ({ question, asks: 'either' as const }));
    const others = own(ordinary);
    sets[language] = { ...set, identity: asked.length > 0 ? asked : set.identity, unrelated: others.length > 0 ? others : set.unrelated };
  }
  return sets;
}

/** The person's questions in sets that `withOwnQuestions` made. */
export function ownQuestionsOf(builtIn: ProbeSets, sets: ProbeSets): OwnQuestions {
  const own: OwnQuestions = { identity: [], ordinary: [] };
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  for (const [language, set] of Object.entries(sets) as [Language, ProbeSet][]) {
    if (!same(set.identity, builtIn[language]?.identity)) own.identity.push(...set.identity.map(({ question }) => question));
    if (!same(set.unrelated, builtIn[language]?.unrelated)) own.ordinary.push(...set.unrelated);
  }
  return own;
}

/** The files of a home's drafts. */
export class OwnQuestionFiles {
  readonly #home: Home;

  constructor(home: Home) {
    this.#home = home;
  }

  path(draft: string): string {
    return join(this.#home.questions, `${draft}.json`);
  }

  /** Writes a draft's questions and gives the file's path. Throws disk.full or disk.unwritable. */
  write(draft: string, questions: OwnQuestions, spoken: readonly Language[]): string {
    const sets = withOwnQuestions(loadProbes('choose'), questions, spoken);
    return this.#put(draft, (path) => writeWhole(path, `${JSON.stringify(sets, null, 2)}\n`));
  }

  /** A copy of a file of questions for a draft; gives its path. Throws disk.full or disk.unwritable. */
  copy(draft: string, from: string): string {
    return this.#put(draft, (path) => writeWhole(path, readFileSync(from)));
  }

  /** The questions in the file that a recipe names. Throws questions.invalid. */
  read(questions: string, spoken: readonly Language[]): OwnQuestions {
    return ownQuestionsOf(loadProbes('choose'), loadEvaluationProbes(questions, spoken));
  }

  /** Removes the file of a draft, where it has one. */
  remove(draft: string): void {
    const path = this.path(draft);
    if (existsSync(path)) onDisk(path, () => rmSync(path));
  }

  #put(draft: string, write: (path: string) => void): string {
    const path = this.path(draft);
    onDisk(path, () => {
      mkdirSync(this.#home.questions, { recursive: true });
      write(path);
    });
    return path;
  }
}
