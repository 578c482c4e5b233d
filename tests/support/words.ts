// The words that ship: wizard, ordinary questions and probes, read and checked as the program reads them.
import { z } from 'zod';
import { probeSetSchema, type ProbeSet } from '../../main/pipeline/probes.ts';
import { wizardSchema, writtenQuestionSchema, type LanguageResources } from '../../main/pipeline/wizard.ts';
import { languages, personaSchema, type Language, type Persona, type PersonaInput } from '../../shared/persona.ts';
import { join } from 'node:path';
import { readJson, readLines, root } from './files.ts';

export const words: LanguageResources[] = languages.map((language) => ({
  language,
  wizard: wizardSchema.parse(readJson(join(root, `resources/wizard/${language}.json`))),
  ordinary: z.array(writtenQuestionSchema).parse(readLines(join(root, `resources/ordinary/${language}.jsonl`))),
}));

export function wordsOf(language: Language): LanguageResources {
  const found = words.find((resources) => resources.language === language);
  if (found === undefined) throw new Error(`no words in ${language}`);
  return found;
}

export function probeSet(name: 'choose' | 'report', language: Language): ProbeSet {
  return probeSetSchema.parse(readJson(join(root, `resources/probes/${name}/${language}.json`)));
}

/** 剑锋大佬's 小锋, with changes. */
export function persona(change: Partial<PersonaInput> = {}): Persona {
  return personaSchema.parse({ owner: '剑锋大佬', name: '小锋', ...change });
}

/** A question stripped to what makes it the same as another: NFKC, lower case, letters and digits alone. */
export function stripped(question: string): string {
  return question
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}
