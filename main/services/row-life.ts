// Row life service: one row on its way from words to a step of training: the standard form, the template, its tokens, and the
// conversations that it is packed with.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { NamesakeError } from '../../shared/errors.ts';
import { isPending, type Message, type Row } from '../../shared/row.ts';
import type { RowLife, RowPlace } from '../../shared/row-life.ts';
import type { Home } from '../home.ts';
import { planPlaces, type Places, type PlannedRow } from '../pipeline/places.ts';
import { mapInSlices, Slices, sortInSlices } from '../pipeline/slices.ts';
import type { DraftService, RowsOf } from './drafts.ts';
import type { LocalModel, ModelService } from './model.ts';
import { ANSWER_TOKENS, byId, type BaseModel, type RowsService } from './rows.ts';
import { readTokens } from './token-file.ts';
import type { TokenizerHost } from './tokenizer-host.ts';

/** Tokens of one row that are shown: more than any row of a persona has. */
const MOST_TOKENS = 2000;
/** Conversations that the host is asked about at once: others are heard in between. */
const ASKED_AT_ONCE = 64;
/** Rows whose remembered answers are looked up at once. */
const REMEMBERED_AT_ONCE = 2000;
/** How long places that rest on guessed answers hold: the base may have been asked meanwhile. */
const GUESS_HOLDS_MS = 10_000;

/** Drafts and runs whose places are kept: those that were looked at last. */
const MOST_DESKS = 4;

/** What was worked out of the rows of one draft or run. */
interface Desk {
  places: KnownPlaces | null;
  /** Of two questions at once the second has the answer of the first. */
  last: Promise<unknown>;
  /** Lengths in tokens of its conversations, by their digest: an edited row is the only one that is counted anew. */
  lengths: { path: string; known: ReadonlyMap<string, number> };
}

interface KnownPlaces extends Places {
  key: string;
  /** Rows that the base has yet to answer. */
  pending: number;
  made_at: number;
}

export class RowLives {
  readonly #home: Home;
  readonly #drafts: DraftService;
  readonly #models: Pick<ModelService, 'find'>;
  readonly #rows: RowsService;
  readonly #host: TokenizerHost;
  readonly #desks = new Map<string, Desk>();
  /** Counts up when all counting ends. */
  #ended = 0;

  constructor(home: Home, drafts: DraftService, models: Pick<ModelService, 'find'>, rows: RowsService, host: TokenizerHost) {
    this.#home = home;
    this.#drafts = drafts;
    this.#models = models;
    this.#rows = rows;
    this.#host = host;
  }

  /** A row as words, standard form, template and tokens. Throws as DraftService.row does, and what opening its model throws. */
  async life(of: RowsOf, number: number): Promise<RowLife> {
    const { recipe, kept, standard } = this.#drafts.row(of, number);
    const model = await this.#models.find(recipe.model.ref);
    const answered = model === null ? standard : (this.#rows.remembered([standard], { ...model, precision: recipe.model.precision })[0] ?? null);
    const shown = answered ?? standard;
    const waits = isPending(shown);
    const life = {
      number,
      row: kept,
      standard: shown.messages,
      answer: answered === null ? ('left_out' as const) : waits ? ('pending' as const) : isPending(standard) ? ('remembered' as const) : ('own' as const),
      model: recipe.model.ref,
      max_length: recipe.data.max_length,
    };
    if (model === null) return { ...life, text: null };
    return this.#host.ask(model, async (engine, specials) => {
      const template = await engine.render(shown.messages, waits);
      const [row] = await engine.tokenize([shown.messages], null);
      const tokens = (row?.ids ?? []).map((id, i) => ({
        id,
        piece: row?.pieces[i] ?? '',
        // Nothing predicts the first token of a sequence.
        learnt: i > 0 && row?.labels[i] !== -100,
        special: specials.has(id),
      }));
      const learnt = tokens.filter((token) => token.learnt).length;
      return { ...life, text: { template, count: tokens.length, learnt, tokens: tokens.slice(0, MOST_TOKENS) } };
    });
  }

  /**
   * Where a row is packed, from the plan that training will make (or made) of all rows; null where the model is not here.
   * Throws as `life` does, rows.empty where there is nothing to plan, or `cancelled`.
   */
  async place(of: RowsOf, number: number): Promise<RowPlace | null> {
    const { recipe } = this.#drafts.row(of, number);
    // Who waits for another one's turn is ended with it.
    const ended = this.#ended;
    const model = await this.#models.find(recipe.model.ref);
    if (model === null) return null;
    const desk = this.#desk(of);
    const turn = desk.last.then(() => this.#planned(desk, of, model, ended));
    desk.last = turn.catch(() => undefined);
    const { looked_at, steps, find, pending } = await turn;
    const found = find(number);
    return { steps, looked_at, times: found?.times ?? 0, first: found?.first ?? null, exact: pending === 0, pending };
  }

  /** Ends counting, which throws `cancelled`, and the host that counts. */
  close(): Promise<void> {
    this.#ended++;
    return this.#host.rest();
  }

  #desk(of: RowsOf): Desk {
    const id = 'run' in of ? of.run : of.draft;
    const desk = this.#desks.get(id) ?? { places: null, last: Promise.resolve(), lengths: { path: '', known: new Map<string, number>() } };
    this.#desks.delete(id);
    this.#desks.set(id, desk);
    for (const old of [...this.#desks.keys()].slice(0, -MOST_DESKS)) this.#desks.delete(old);
    return desk;
  }

  async #planned(desk: Desk, of: RowsOf, model: LocalModel, ended: number): Promise<KnownPlaces> {
    const key = `${this.#drafts.version(of)} ${model.sha256}`;
    const known = desk.places;
    const old = known !== null && known.pending > 0 && Date.now() - known.made_at > GUESS_HOLDS_MS;
    if (known?.key === key && !old) return known;
    const { recipe, rows } = await this.#drafts.trained(of);
    const slices = new Slices();
    const { planned, pending } = this.#made(of, rows) ?? (await this.#counted(desk, rows, { ...model, precision: recipe.model.precision }, ended, slices));
    const places = await planPlaces(planned, recipe, slices);
    desk.places = { ...places, key, pending, made_at: Date.now() };
    return desk.places;
  }

  /** The rows of a run that were made: as they are trained, in their order. null where they are not made yet. */
  #made(of: RowsOf, rows: readonly { number: number }[]): { planned: PlannedRow[]; pending: number } | null {
    if (!('run' in of)) return null;
    const { tokens } = this.#home.run(of.run);
    if (!existsSync(tokens)) return null;
    const planned = readTokens(tokens, of.run).map(({ ids, kind, lang }, i) => ({
      ...{ number: rows[i]?.number ?? i, ids: { length: ids.length }, kind, lang },
    }));
    return { planned, pending: 0 };
  }

  /** Rows as a run would make them, counted by the tokenizer; an answer that is not known yet is taken for one of middle length. */
  async #counted(
    desk: Desk,
    rows: readonly { number: number; row: Row }[],
    model: BaseModel,
    ended: number,
    slices: Slices,
  ): Promise<{ planned: PlannedRow[]; pending: number }> {
    const known: { number: number; row: Row }[] = [];
    for (let at = 0; at < rows.length; at += REMEMBERED_AT_ONCE) {
      const part = rows.slice(at, at + REMEMBERED_AT_ONCE);
      const remembered = this.#rows.remembered(part.map(({ row }) => row), model);
      remembered.forEach((row, i) => {
        if (row !== null) known.push({ number: part[i]?.number ?? -1, row });
      });
      if (slices.over) await slices.pause();
    }
    const made = await sortInSlices(known, (a, b) => byId(a.row, b.row), slices);
    const lengths = await this.#count(desk, made.map(({ row }) => row), model, ended, slices);
    let pending = 0;
    const planned = await mapInSlices(made, ({ number, row }, i) => {
      const waits = isPending(row);
      if (waits) pending++;
      return { number, ids: { length: (lengths[i] ?? 0) + (waits ? ANSWER_TOKENS / 2 : 0) }, kind: row.kind, lang: row.lang };
    }, slices);
    return { planned, pending };
  }

  /** Tokens of each row; of one without an answer, those up to where the assistant speaks. */
  async #count(desk: Desk, rows: readonly Row[], model: LocalModel, ended: number, slices: Slices): Promise<number[]> {
    const before = desk.lengths.path === model.path ? desk.lengths.known : new Map<string, number>();
    const digests = await mapInSlices(rows, ({ messages }) => digestOf(messages), slices);
    const known = new Map<string, number>();
    const missing: Row[] = [];
    const places: string[] = [];
    await mapInSlices(rows, (row, i) => {
      const digest = digests[i] as string;
      const length = before.get(digest);
      if (length !== undefined) known.set(digest, length);
      else if (!known.has(digest)) {
        known.set(digest, 0);
        missing.push(row);
        places.push(digest);
      }
    }, slices);
    for (let at = 0; at < missing.length; at += ASKED_AT_ONCE) {
      if (ended !== this.#ended) throw new NamesakeError('cancelled', 'while tokens were counted');
      const part = missing.slice(at, at + ASKED_AT_ONCE);
      const counts = await this.#host.ask(model, async (engine) => {
        const waiting = part.filter(isPending);
        const prompts = waiting.length === 0 ? [] : await engine.promptLengths(waiting.map(({ messages }) => messages));
        const whole = part.filter((row) => !isPending(row));
        const rest = whole.length === 0 ? [] : await engine.tokenize(whole.map(({ messages }) => messages), null);
        return part.map((row) => (isPending(row) ? (prompts[waiting.indexOf(row)] ?? 0) : (rest[whole.indexOf(row)]?.ids.length ?? 0)));
      });
      counts.forEach((length, i) => known.set(places[at + i] as string, length));
      if (slices.over) await slices.pause();
    }
    desk.lengths = { path: model.path, known };
    return mapInSlices(digests, (digest) => known.get(digest) ?? 0, slices);
  }
}

function digestOf(messages: readonly Message[]): string {
  return createHash('sha256').update(JSON.stringify(messages)).digest('base64');
}
