// Persona form: what is typed about an assistant, what is wrong with it, and the persona that it makes.
import type { Language, Persona } from '../../../shared/persona.ts';
import { languages as allLanguages, styles } from '../../languages.ts';
import { currentLanguage } from '../../state/words.svelte.ts';
import { isLatin, limits, wrongName, wrongSentence, type Wrong } from './persona-rules.ts';

/** Lines of the form, in its order. */
export const lines = ['owner', 'owner_en', 'name', 'name_en', 'built_on'] as const;
export type Line = (typeof lines)[number];

/** What is typed, as it is kept over a reload. */
export interface Typed extends Record<Line, string> {
  /** null = nobody chose: the page's language decides. */
  languages: readonly Language[] | null;
  style: Persona['style'];
  facts: readonly string[];
  /** A fact that is not added yet. */
  fact: string;
}

export class PersonaForm {
  owner = $state('');
  owner_en = $state('');
  name = $state('');
  name_en = $state('');
  built_on = $state('');
  style = $state<Persona['style']>('plain');
  fact = $state('');
  /** Whether the person wanted to go on: from then on the form says what is missing. */
  tried = $state(false);
  #facts = $state.raw<readonly string[]>([]);
  #languages = $state.raw<readonly Language[] | null>(null);

  /** Those that it will speak: the page's own and English, until somebody chooses. */
  get languages(): readonly Language[] {
    return this.#languages ?? (currentLanguage() === 'en' ? ['en'] : allLanguages);
  }

  get facts(): readonly string[] {
    return this.#facts;
  }

  get factsFull(): boolean {
    return this.#facts.length >= limits.facts;
  }

  /** Whether a name is missing: there is nothing to show yet. */
  get empty(): boolean {
    return this.owner.trim() === '' || this.name.trim() === '';
  }

  /** Adds a language or takes it away. */
  toggle(language: Language): void {
    this.#languages = allLanguages.filter((one) => (one === language) !== this.languages.includes(one));
  }

  /** Adds the fact that is typed; does nothing where it is none, or the same again. */
  addFact(): void {
    const fact = this.fact.trim();
    if (wrongSentence(fact) !== null || this.factsFull) return;
    if (!this.#facts.includes(fact)) this.#facts = [...this.#facts, fact];
    this.fact = '';
  }

  removeFact(fact: string): void {
    this.#facts = this.#facts.filter((one) => one !== fact);
  }

  /** Whether an English form of a name is asked for: English would otherwise show it as it is typed. */
  asksEnglish(of: 'owner' | 'name'): boolean {
    return this[`${of}_en`] !== '' || (this.languages.includes('en') && !isLatin(this[of]));
  }

  /** What is wrong with a line; null where nothing is. */
  wrong(line: Line): Wrong | null {
    const text = this[line];
    if (line !== 'owner' && line !== 'name' && text.trim() === '') return null;
    return line === 'built_on' ? wrongSentence(text) : wrongName(text);
  }

  /** The same as far as it is said now: nobody is told what is missing before they wanted to go on. */
  shownWrong(line: Line): Wrong | null {
    const wrong = this.wrong(line);
    return wrong === 'missing' && !this.tried ? null : wrong;
  }

  /** What is wrong with the fact that is typed. */
  get wrongFact(): Wrong | null {
    return this.fact.trim() === '' ? null : wrongSentence(this.fact);
  }

  /** The first line that keeps a persona from being made, or 'languages' or 'fact'; null where nothing does. */
  get firstWrong(): Line | 'languages' | 'fact' | null {
    const line = lines.find((one) => this.wrong(one) !== null);
    if (line !== undefined) return line;
    if (this.languages.length === 0) return 'languages';
    return this.wrongFact === null ? null : 'fact';
  }

  /** The persona; null while something is wrong. A fact that is typed and not added yet belongs to it. */
  get persona(): Persona | null {
    if (this.firstWrong !== null) return null;
    const fact = this.fact.trim();
    const facts = fact === '' || this.factsFull || this.#facts.includes(fact) ? this.#facts : [...this.#facts, fact];
    const text = (line: Line): Partial<Record<Line, string>> => (this[line].trim() === '' ? {} : { [line]: this[line].trim() });
    return {
      owner: this.owner.trim(),
      name: this.name.trim(),
      ...text('owner_en'),
      ...text('name_en'),
      ...text('built_on'),
      languages: [...this.languages],
      style: this.style,
      facts: [...facts],
    };
  }

  /** Shows a persona. */
  fill(persona: Persona): void {
    for (const line of lines) this[line] = persona[line] ?? '';
    this.#languages = persona.languages;
    this.style = persona.style;
    this.#facts = persona.facts;
    this.fact = '';
  }

  /** What is typed, to be kept. */
  get typed(): Typed {
    const { owner, owner_en, name, name_en, built_on, style, fact } = this;
    return { owner, owner_en, name, name_en, built_on, style, fact, languages: this.#languages, facts: this.#facts };
  }

  /** Shows what was kept, as far as it can be read. */
  restore(kept: Partial<Typed>): void {
    for (const line of [...lines, 'fact'] as const) {
      const text = kept[line];
      if (typeof text === 'string') this[line] = text;
    }
    this.style = styles.find((style) => style === kept.style) ?? this.style;
    if (Array.isArray(kept.languages)) this.#languages = allLanguages.filter((one) => kept.languages?.includes(one));
    if (Array.isArray(kept.facts)) this.#facts = kept.facts.filter((fact): fact is string => typeof fact === 'string').slice(0, limits.facts);
  }
}
