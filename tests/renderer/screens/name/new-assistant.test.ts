// The next assistant: what was typed survives reloads and failures, and the form is empty again after a start.
import { describe, expect, it } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { NewAssistant } from '../../../../renderer/screens/name/new-assistant.svelte.ts';
import { ModelsState } from '../../../../renderer/state/models.svelte.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import type { ModelCard } from '../../../../shared/model.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';
import { card, download } from '../../model-card.ts';

/** What a window keeps as long as it is there. */
class Store {
  kept: string | null = null;
  getItem(): string | null {
    return this.kept;
  }
  setItem(_key: string, value: string): void {
    this.kept = value;
  }
}

async function open(cards: ModelCard[] | null, store = new Store()) {
  const transport = new FakeTransport();
  const api = new Api(transport);
  transport.connect('open');
  const models = new ModelsState(api);
  const went: string[] = [];
  const assistant = new NewAssistant({
    api,
    models,
    store,
    onRun: (run, name) => went.push(`${run} ${name}`),
    onDraft: (draft) => went.push(draft),
  });
  const answer = async (result: unknown): Promise<unknown> => {
    const [first] = transport.asked;
    first?.answer(result);
    await settle();
    return first?.input;
  };
  if (cards !== null) await answer(cards);
  const type = (owner: string, name: string): void => {
    Object.assign(assistant.form, { owner, name });
    assistant.keep();
  };
  return { transport, assistant, store, went, answer, type, asked: () => transport.asked.map(({ name }) => name) };
}

const both = [card('m', { standard: true }), card('n')];

describe('NewAssistant', () => {
  it('takes two names and the button, and begins the next one empty on the same model', async () => {
    const { assistant, went, answer, type } = await open(both);
    assistant.choose('n');
    type('A', ' B ');
    expect(assistant.make()).toBeNull();
    expect(await answer({ draft: 'd' })).toMatchObject({ persona: { owner: 'A', name: 'B' }, model: 'n' });
    await answer({ run: 'r' });
    expect(went).toEqual(['r B']);
    expect([assistant.form.empty, assistant.form.tried, assistant.model]).toEqual([true, false, 'n']);
  });

  it('waits for the list of models where somebody types faster than it comes: the model may have to be fetched first', async () => {
    const { assistant, asked, answer, type } = await open(null);
    type('A', 'B');
    assistant.make();
    assistant.make();
    await settle();
    expect([asked(), assistant.preparing]).toEqual([['models.list'], true]);
    await answer([card('m', { standard: true, here: false })]);
    expect([asked(), assistant.preparing]).toEqual([['models.download'], false]);
  });

  it('starts where the list of models cannot be had: the run itself looks for the model', async () => {
    const { assistant, asked, transport, type } = await open(null);
    type('A', 'B');
    assistant.make();
    transport.asked[0]?.refuse(new NamesakeError('internal', 'x'));
    await settle();
    expect(asked()).toEqual(['drafts.create']);
  });

  it('asks for nothing while something is missing, and says what', async () => {
    const { assistant, asked, type } = await open(both);
    expect([assistant.make(), assistant.prepare(), assistant.form.shownWrong('owner')]).toEqual(['owner', 'owner', 'missing']);
    type('A', '{');
    expect([assistant.make(), assistant.prepare(), asked()]).toEqual(['name', 'name', []]);
  });

  it('takes the standard model, also where the chosen one is gone', async () => {
    const { transport, assistant, answer } = await open(both);
    expect(assistant.model).toBe('m');
    assistant.choose('n');
    expect(assistant.model).toBe('n');
    transport.tell({ event: 'models' });
    await answer([both[0]]);
    expect(assistant.model).toBe('m');
    expect((await open(null)).assistant.model).toBeNull();
  });

  it('is the same after a reload', async () => {
    const first = await open(both);
    first.assistant.choose('n');
    first.type('A', 'B');
    const { assistant } = await open(both, first.store);
    expect([assistant.form.owner, assistant.form.name, assistant.model, assistant.making.stage.kind]).toEqual(['A', 'B', 'n', 'idle']);
  });

  it('goes on after a reload with a model that was on its way, once', async () => {
    const absent = [card('m', { standard: true, here: false })];
    const first = await open(absent);
    first.type('A', 'B');
    first.assistant.make();
    const second = await open([card('m', { standard: true, here: false, download: download('m') })], first.store);
    expect([second.assistant.making.stage.kind, second.asked()]).toEqual(['fetching', []]);
    second.transport.tell({ event: 'models' });
    await second.answer(both);
    expect(second.asked()).toEqual(['drafts.create']);
    // It is being started: another reload waits for nothing.
    expect((await open(both, second.store)).asked()).toEqual([]);
  });

  it('keeps what was typed where the start fails', async () => {
    const { transport, assistant, type, answer, store, went } = await open(both);
    type('A', 'B');
    assistant.make();
    await answer({ draft: 'd' });
    transport.asked[0]?.refuse(new NamesakeError('engine.busy', 'r1'));
    await settle();
    expect([assistant.making.stage.kind, assistant.form.name, went]).toEqual(['failed', 'B', []]);
    expect((await open(both, store)).assistant.form.name).toBe('B');
    assistant.choose('n');
    expect(assistant.making.stage.kind).toBe('idle');
  });

  it('prepares a draft to be looked at first; where that fails it says so', async () => {
    const { transport, assistant, type, answer, went } = await open(both);
    type('A', 'B');
    expect(assistant.prepare()).toBeNull();
    assistant.prepare();
    expect([assistant.preparing, transport.asked.length]).toEqual([true, 1]);
    transport.asked[0]?.refuse(new NamesakeError('disk.full', 'd'));
    await settle();
    expect([assistant.error?.code, assistant.preparing, assistant.form.name]).toEqual(['disk.full', false, 'B']);
    assistant.prepare();
    await answer({ draft: 'd' });
    expect([went, assistant.error, assistant.form.empty]).toEqual([['d'], null, true]);
  });

  it.each(['', 'null', '7', '{"typed":3,"waiting":7}', '{"typed":{"owner":{}},"model":4}'])('begins empty where %j was kept', async (kept) => {
    const { assistant } = await open(both, Object.assign(new Store(), { kept }));
    expect([assistant.form.empty, assistant.model, assistant.making.stage.kind]).toEqual([true, 'm', 'idle']);
  });

  it('works where a browser keeps nothing', async () => {
    const store = new Store();
    const refuse = (): never => {
      throw new Error('quota');
    };
    Object.assign(store, { getItem: refuse, setItem: refuse });
    const { assistant, type, asked } = await open(both, store);
    type('A', 'B');
    expect([assistant.make(), asked()]).toEqual([null, ['drafts.create']]);
  });

  it('forgets everything when all data is deleted', async () => {
    const { assistant, type, store } = await open([card('m', { standard: true }), card('n')]);
    type('Ann', 'Bo');
    assistant.choose('n');
    expect(store.kept).toContain('Ann');
    assistant.forget();
    expect([assistant.form.empty, assistant.model, store.kept?.includes('Ann')]).toEqual([true, 'm', false]);
  });
});
