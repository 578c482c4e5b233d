// Evaluation: asks the probes, scores them by code, and measures what was kept of the base.
import type { AnswerRequest, EngineBatch, EngineClient } from '../../shared/engine.ts';
import { greedy } from '../../shared/chat.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Language, Persona } from '../../shared/persona.ts';
import type { Scores } from '../../shared/run.ts';
import {
  languageScore,
  probeQuestions,
  retention,
  scoreAnswers,
  type ProbeSets,
  type ScoredProbe,
} from '../pipeline/probes.ts';
import { textsToBatch } from '../pipeline/rows-to-batches.ts';
import { ANSWER_TOKENS, systemMessages, type BaseModel, type OnProgress, type RowsService } from './rows.ts';

export interface EvaluationResult {
  scores: Scores;
  probes: ScoredProbe[];
}

export class Evaluation {
  readonly #engine: EngineClient;
  readonly #persona: Persona;
  readonly #sets: ProbeSets;
  readonly #system: string | null;
  #texts: EngineBatch[] | null = null;

  constructor(engine: EngineClient, persona: Persona, sets: ProbeSets, system: string | null) {
    this.#engine = engine;
    this.#persona = persona;
    this.#sets = sets;
    this.#system = system;
  }

  /** The persona's languages that there are probes for; the others are not scored. */
  get #languages(): Language[] {
    return this.#persona.languages.filter((language) => this.#sets[language] !== undefined);
  }

  get questions(): string[] {
    return probeQuestions(this.#sets, this.#languages).map(({ question }) => question);
  }

  /** Retention texts as one batch per language. They are plain text: no template. */
  async #retentionBatches(): Promise<EngineBatch[]> {
    if (this.#texts === null) {
      this.#texts = [];
      for (const language of this.#languages) {
        const ids: number[][] = [];
        for (const text of this.#sets[language]?.texts ?? []) ids.push(await this.#engine.encode(text));
        this.#texts.push(textsToBatch(ids));
      }
    }
    return this.#texts;
  }

  #result(answers: readonly string[], kept: Scores['retention']): EvaluationResult {
    const probes = scoreAnswers(this.#sets, this.#languages, this.#persona, answers);
    const scores: Scores = { retention: kept };
    for (const language of this.#languages) scores[language] = languageScore(probes, language);
    return { scores, probes };
  }

  /** The base's own scores; its answers are remembered across runs. */
  async base(rows: RowsService, model: BaseModel, onProgress: OnProgress): Promise<EvaluationResult> {
    const known = await rows.baseAnswers(this.#engine, model, this.#system, this.questions, onProgress);
    return this.#result(
      this.questions.map((question) => known.get(question)?.text ?? ''),
      { kl: 0, perplexity_ratio: 1 },
    );
  }

  /** Scores of the adapter in use. Throws `cancelled` when the asking was cancelled. */
  async tuned(job: string): Promise<EvaluationResult> {
    const { answers } = await this.#engine.generate(
      job,
      this.questions.map((question): AnswerRequest => ({
        messages: [...systemMessages(this.#system), { role: 'user', content: question }],
        max_tokens: ANSWER_TOKENS,
        sampling: greedy,
        adapter: true,
      })),
      'together',
    );
    if (answers.some(({ stop }) => stop === 'cancelled')) throw new NamesakeError('cancelled', 'while checking');
    const scores = await this.#engine.score(await this.#retentionBatches());
    return this.#result(
      answers.map(({ text }) => text),
      retention(scores),
    );
  }
}
