// The names of a draft: stored when the typing rests, one change after the other, and never a wrong one.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { DraftPersona } from '../../../../renderer/screens/name/draft-persona.svelte.ts';
import type { Draft } from '../../../../shared/draft.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import { recipeSchema, type RecipeInput } from '../../../../shared/recipe.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function draft(change: RecipeInput = {}): Draft {
  const data = { persona: { owner: 'A', name: 'B', languages: ['en' as const] } };
  const recipe = recipeSchema.parse({ name: 'A · B', model: { ref: 'm' }, data, ...change });
  return { draft: 'd', recipe, rows: 10, by_kind: { identity: 5, negative: 0, near_miss: 0, ordinary: 5, imported: 0 }, undoable: false };
}

async function open(first = draft()) {
  const transport = new FakeTransport();
  const named = new DraftPersona(new Api(transport), 'd');
  transport.connect('open');
  /** Answers a change with the draft as it is then. */
  const store = async (): Promise<Draft['recipe'] | undefined> => {
    const [asked] = transport.asked;
    const { recipe } = (asked?.input ?? {}) as { recipe?: Draft['recipe'] };
    if (recipe !== undefined) asked?.answer({ ...first, recipe, rows: 20 });
    await settle();
    return recipe;
  };
  transport.asked[0]?.answer(first);
  await settle();
  return { transport, named, store };
}

describe('DraftPersona', () => {
  it('shows the persona of the draft and stores nothing that is the same', async () => {
    const { transport, named } = await open();
    expect([named.form.owner, named.form.name, named.model, named.state]).toEqual(['A', 'B', 'm', 'same']);
    named.change();
    vi.runAllTimers();
    expect([await named.store(), transport.asked]).toEqual([true, []]);
  });

  it('stores a change when the typing rests, with the name that follows from it', async () => {
    const { transport, named, store } = await open();
    for (const name of ['Bo', 'Bob']) {
      named.form.name = name;
      named.change();
      vi.advanceTimersByTime(500);
    }
    expect(transport.asked).toEqual([]);
    vi.advanceTimersByTime(500);
    expect(named.state).toBe('saving');
    expect(await store()).toMatchObject({ name: 'A · Bob', data: { persona: { owner: 'A', name: 'Bob' } } });
    expect([named.state, named.draft?.rows]).toEqual(['saved', 20]);
  });

  it('keeps a name that was given by hand, and a model that was chosen', async () => {
    const { named, store } = await open(draft({ name: 'mine' }));
    named.form.name = 'Bob';
    named.choose('n');
    expect(named.model).toBe('n');
    expect(await store()).toMatchObject({ name: 'mine', model: { ref: 'n' }, data: { persona: { name: 'Bob' } } });
    expect(named.model).toBe('n');
  });

  it('stores what comes while it stores afterwards', async () => {
    const { transport, named, store } = await open();
    named.form.name = 'Bob';
    const first = named.store();
    named.form.owner = 'Ann';
    const second = named.store();
    expect(transport.asked).toHaveLength(1);
    expect(await store()).toMatchObject({ data: { persona: { owner: 'A' } } });
    expect(await store()).toMatchObject({ data: { persona: { owner: 'Ann', name: 'Bob' } } });
    expect([await first, await second, transport.asked]).toEqual([true, true, []]);
  });

  it('stores nothing wrong', async () => {
    const { transport, named } = await open();
    named.form.name = '{';
    named.change();
    vi.runAllTimers();
    expect([await named.store(), transport.asked]).toEqual([false, []]);
  });

  it('says why something was not stored, and tries again', async () => {
    const { transport, named, store } = await open();
    named.form.name = 'Bob';
    const stored = named.store();
    await settle();
    transport.asked[0]?.refuse(new NamesakeError('disk.full', 'd'));
    expect([await stored, named.error?.code, named.state]).toEqual([false, 'disk.full', 'failed']);
    const again = named.store();
    await settle();
    await store();
    expect([await again, named.error, named.state]).toEqual([true, null, 'saved']);
  });

  it('forgets what could not be stored once it is taken back', async () => {
    const { transport, named } = await open();
    named.form.name = 'Bob';
    const stored = named.store();
    await settle();
    transport.asked[0]?.refuse(new NamesakeError('disk.full', 'd'));
    await stored;
    named.form.name = 'B';
    expect([await named.store(), named.error, named.state]).toEqual([true, null, 'same']);
  });

  it('reads and stores by itself when the connection is back, until it is closed', async () => {
    const { transport, named, store } = await open();
    named.form.name = 'Bob';
    const stored = named.store();
    await settle();
    transport.asked[0]?.breakOff();
    transport.connect('lost');
    await stored;
    expect(named.state).toBe('failed');
    transport.connect('open');
    await settle();
    expect(await store()).toMatchObject({ data: { persona: { name: 'Bob' } } });
    expect(named.state).toBe('saved');
    named.close();
    transport.tell({ event: 'lost' });
    expect(transport.asked).toEqual([]);
  });

  it('says that the draft is gone, and leaves one without a persona alone', async () => {
    const transport = new FakeTransport();
    const named = new DraftPersona(new Api(transport), 'd');
    transport.asked[0]?.refuse(new NamesakeError('draft.unknown', 'd'));
    await settle();
    expect(named.error?.code).toBe('draft.unknown');
    const other = await open(draft({ data: { source: 'rows.jsonl' } }));
    other.named.change();
    vi.runAllTimers();
    expect([other.named.form.empty, other.transport.asked]).toEqual([true, []]);
  });
});
