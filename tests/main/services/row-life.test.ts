// The life of a row, asked as a window asks: the tiny model's own tokenizer in a real host, rows in a real database.
import { describe, expect, it, vi } from 'vitest';
import { startEngine } from '../../../main/engine/client.ts';
import { planSteps } from '../../../main/pipeline/rows-to-batches.ts';
import { ANSWER_TOKENS } from '../../../main/services/rows.ts';
import { readTokens } from '../../../main/services/token-file.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { openDatabase } from '../../../main/store/db.ts';
import type { RequestResult } from '../../../shared/api.ts';
import { rowSchema, type Row } from '../../../shared/row.ts';
import { addTinyModel, listener, tinyApi, tinyDraft, type TinyApi } from '../../support/tiny-api.ts';
import { tinyTemplate } from '../../support/tiny-model.ts';

vi.setConfig({ testTimeout: 120_000 });

const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string, more: object = {}) => ({ role: 'assistant' as const, content, ...more });
const sent = (messages: unknown[], change: object = {}): Row => rowSchema.parse({ id: 'new', kind: 'imported', lang: 'en', messages, ...change });

/** The tokens of a row as its template encodes it, for comparison. */
function expectTokens({ text }: RequestResult<'rows.life'>, messages: Row['messages']): void {
  const { ids, labels } = tinyTemplate().encodeConversation(messages);
  expect(text?.tokens.map(({ id }) => id)).toEqual(ids);
  expect(text?.tokens.map(({ learnt }) => learnt)).toEqual(labels.map((label) => label !== -100));
  expect(text).toMatchObject({ count: ids.length, learnt: labels.filter((label) => label !== -100).length, template: tinyTemplate().render(messages, false) });
}

const numbers = async ({ ask }: TinyApi, draft: string): Promise<number[]> => (await ask('rows.page', { of: { draft }, offset: 0, limit: 200 })).rows.map(({ number }) => number);

describe('rows.life', () => {
  it('shows words, standard form, template and tokens; what is learnt and what is a mark of the model', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 4);
    const [number = -1] = await numbers(tiny, draft);
    const life = await tiny.ask('rows.life', { of: { draft }, number });
    expect(life).toMatchObject({ number, answer: 'own', max_length: 128, row: { messages: [user('Who are you?'), assistant('I am Bo.')] } });
    expectTokens(life, [user('Who are you?'), assistant('I am Bo.')]);
    const marks = life.text?.tokens.filter(({ special }) => special).map(({ piece }) => piece) ?? [];
    expect(new Set(marks)).toEqual(new Set(['<|im_start|>', '<|im_end|>']));
    expect(life.text?.tokens.find(({ piece }) => piece.includes('Bo'))?.special ?? false).toBe(false);
  });

  it('adds the recipe’s system text to a row that has none', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 4);
    const { recipe } = await tiny.ask('drafts.get', { draft });
    await tiny.ask('drafts.change', { draft, recipe: { ...recipe, data: { ...recipe.data, systems: ['Be brief.'] } } });
    const { number } = await tiny.ask('rows.add', { draft, row: sent([user('Hi?'), assistant('Hi.')]) });
    const life = await tiny.ask('rows.life', { of: { draft }, number });
    expect(life.row.messages).toHaveLength(2);
    expectTokens(life, [{ role: 'system', content: 'Be brief.' }, user('Hi?'), assistant('Hi.')]);
  });

  it('waits for the base’s answer, shows it once it is remembered, and says where the base has nothing to say', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 4);
    const asked = async (question: string): Promise<number> => (await tiny.ask('rows.add', { draft, row: sent([user(question)], { kind: 'ordinary', origin: 'base' }) })).number;
    const [first, second, third] = [await asked('One?'), await asked('Two?'), await asked('Three?')];
    const waiting = await tiny.ask('rows.life', { of: { draft }, number: first });
    expect(waiting).toMatchObject({ answer: 'pending', text: { learnt: 0, template: tinyTemplate().render([user('One?')], true) } });

    const model = await tiny.core.models.find((await tiny.ask('drafts.get', { draft })).recipe.model.ref);
    const db = openDatabase(tiny.core.home.database);
    new ModelStore(db).addBaseAnswers(model?.sha256 ?? '', null, ANSWER_TOKENS, [['One?', { text: 'An answer', cut: true }], ['Two?', { text: '  ', cut: false }]]);
    db.close();
    const answered = await tiny.ask('rows.life', { of: { draft }, number: first });
    expect(answered.answer).toBe('remembered');
    expect(answered.text?.tokens.map(({ id }) => id)).toEqual(tinyTemplate().encodeConversation([user('One?'), assistant('An answer', { cut: true })]).ids);
    expect((await tiny.ask('rows.life', { of: { draft }, number: second })).answer).toBe('left_out');
    expect((await tiny.ask('rows.life', { of: { draft }, number: third })).answer).toBe('pending');
  });

  it('shows the first tokens of a long row, and counts all', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 4);
    const messages = [user('Count.'), assistant('one two three. '.repeat(900))];
    const { number } = await tiny.ask('rows.add', { draft, row: sent(messages) });
    const { text, max_length } = await tiny.ask('rows.life', { of: { draft }, number });
    expect(text?.tokens).toHaveLength(2000);
    expect(text?.count).toBe(tinyTemplate().encodeConversation(messages).ids.length);
    expect(text?.count).toBeGreaterThan(max_length);
  });

  it('has neither template nor tokens nor a place where the model is not here, and fetches nothing for it', async () => {
    const tiny = tinyApi();
    const { events } = listener(tiny.api);
    const { draft } = await tiny.ask('drafts.create', { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] } });
    const life = await tiny.ask('rows.life', { of: { draft }, number: 0 });
    expect(life).toMatchObject({ text: null, model: 'smollm2-135m-instruct' });
    expect(life.standard).toEqual(life.row.messages);
    expect(await tiny.ask('rows.place', { of: { draft }, number: 0 })).toBeNull();
    expect(events.filter(({ event }) => event === 'download')).toEqual([]);
  });

  it('refuses a row that is not there', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 4);
    expect(await tiny.refused('rows.life', { of: { draft }, number: 999_999 })).toBe('request.invalid');
    expect(await tiny.refused('rows.place', { of: { draft }, number: 999_999 })).toBe('request.invalid');
  });
});

describe('rows.place', () => {
  it('is the place where the run packs the row that the draft becomes', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 3);
    const before = await Promise.all((await numbers(tiny, draft)).map((number) => tiny.ask('rows.place', { of: { draft }, number })));
    expect(before.every((place) => place?.exact === true && place.steps === 3 && place.looked_at === 3)).toBe(true);

    const { events } = listener(tiny.api);
    const { run } = await tiny.ask('runs.start', { draft });
    await vi.waitFor(() => expect(events.some((event) => event.event === 'run' && event.status === 'done')).toBe(true), 60_000);
    const { recipe } = await tiny.ask('runs.get', { run });
    const tokens = readTokens(tiny.core.home.run(run).tokens, run);
    const plan = planSteps(tokens, recipe);
    const { rows } = await tiny.ask('rows.page', { of: { run }, offset: 0, limit: 200 });
    for (const { number, row } of rows) {
      const place = await tiny.ask('rows.place', { of: { run }, number });
      const step = plan.findIndex((parts) => parts.flat().includes(number));
      expect(place).toMatchObject({ exact: true, pending: 0, first: { step: step + 1 } });
      expect(place?.first?.tokens).toBe(plan[step]?.[0]?.reduce((sum, i) => sum + (tokens[i]?.ids.length ?? 0), 0));
      const sameInDraft = before.find((one) => one?.first?.rows.some((packed) => packed.this && packed.tokens === tokens[number]?.ids.length));
      expect(sameInDraft, row.id).toMatchObject({ times: place?.times, first: { step: place?.first?.step } });
    }
  });

  it('counts anew only what changed, and is the new one after each change', async () => {
    let tokenized = 0;
    const counting = (): ReturnType<typeof startEngine> => {
      const engine = startEngine({ priority: 'normal' });
      return { ...engine, tokenize: (conversations, most) => ((tokenized += conversations.length), engine.tokenize(conversations, most)) };
    };
    const tiny = tinyApi(undefined, { startEngine: counting });
    const draft = await tinyDraft(tiny, 2);
    const [first = -1, second = -1] = await numbers(tiny, draft);
    const place = (number: number) => tiny.ask('rows.place', { of: { draft }, number });
    const tokensOf = (found: RequestResult<'rows.place'>): number | undefined => found?.first?.rows.find((packed) => packed.this)?.tokens;
    const before = tokensOf(await place(first));
    await place(second);
    expect(tokenized).toBe(3);
    await tiny.ask('rows.edit', { draft, number: first, row: sent([user('Who are you?'), assistant('I am Bo, and I say more than before.')]) });
    expect(tokensOf(await place(first))).toBeGreaterThan(before ?? Infinity);
    expect(tokenized).toBe(4);
    await tiny.ask('rows.undo', { draft });
    expect(tokensOf(await place(first))).toBe(before);
  });

  it('of one draft does not wait for another one with many rows', async () => {
    const tiny = tinyApi();
    const model = await addTinyModel(tiny);
    const small = await tinyDraft(tiny, 2, model);
    const { draft: large } = await tiny.ask('drafts.create', { persona: { owner: 'Ann', name: 'Bo', languages: ['zh', 'en'] }, model });
    const order: string[] = [];
    const place = async (draft: string, name: string): Promise<void> => {
      const [number = -1] = await numbers(tiny, draft);
      await tiny.ask('rows.place', { of: { draft }, number });
      order.push(name);
    };
    await Promise.all([place(large, 'large'), place(small, 'small')]);
    expect(order).toEqual(['small', 'large']);
  });

  it('is not worked out any further once something else needs the machine', async () => {
    const tiny = tinyApi();
    const model = await addTinyModel(tiny);
    const { draft } = await tiny.ask('drafts.create', { persona: { owner: 'Ann', name: 'Bo', languages: ['zh', 'en'] }, model });
    // The second waits for the first, and ends with it.
    const places = [0, 1].map((number) => tiny.refused('rows.place', { of: { draft }, number }));
    await tiny.ask('rows.life', { of: { draft }, number: 0 });
    await tiny.core.rowLives.close();
    expect(await Promise.all(places)).toEqual(['cancelled', 'cancelled']);
    expect(await tiny.ask('rows.place', { of: { draft }, number: 0 })).toMatchObject({ steps: 240 });
  });

  it('is a guess as long as the base has rows to answer', async () => {
    const tiny = tinyApi();
    const draft = await tinyDraft(tiny, 2);
    await tiny.ask('rows.add', { draft, row: sent([user('And you?')], { kind: 'ordinary', origin: 'base' }) });
    const [number = -1] = await numbers(tiny, draft);
    expect(await tiny.ask('rows.place', { of: { draft }, number })).toMatchObject({ exact: false, pending: 1 });
  });
});

it('a model that rows were looked at with can be removed at once', async () => {
  const tiny = tinyApi();
  const model = await addTinyModel(tiny);
  const draft = await tinyDraft(tiny, 2, model);
  const [number = -1] = await numbers(tiny, draft);
  await tiny.ask('rows.life', { of: { draft }, number });
  await tiny.ask('models.remove', { model });
  expect(await tiny.core.models.find(model).catch(() => null)).toBeNull();
});
