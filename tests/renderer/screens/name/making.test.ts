// From two names to a run: the model first where it is not here, then by itself; every failure leaves a way on.
import { describe, expect, it } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { Making, type Wish } from '../../../../renderer/screens/name/making.svelte.ts';
import { ModelsState } from '../../../../renderer/state/models.svelte.ts';
import { NamesakeError, type ErrorCode } from '../../../../shared/errors.ts';
import type { ModelCard } from '../../../../shared/model.ts';
import { personaSchema } from '../../../../shared/persona.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';
import { card, download } from '../../model-card.ts';

const persona = personaSchema.parse({ owner: 'A', name: 'B' });
const wish: Wish = { persona, model: 'm' };

async function open(...cards: ModelCard[]) {
  const transport = new FakeTransport();
  const api = new Api(transport);
  transport.connect('open');
  const models = new ModelsState(api);
  const runs: string[] = [];
  const waiting: (Wish | null)[] = [];
  const making = new Making({ api, models, onRun: (run) => runs.push(run), onWaiting: (one) => waiting.push(one) });
  const asked = (): string[] => transport.asked.map(({ name }) => name);
  const find = (name: string) => {
    const found = transport.asked.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${name} was not asked, but ${asked().join()}`);
    return found;
  };
  const answer = async (name: string, result: unknown = null): Promise<unknown> => {
    const found = find(name);
    found.answer(result);
    await settle();
    return found.input;
  };
  const refuse = async (name: string, code: ErrorCode, params = {}): Promise<void> => {
    find(name).refuse(new NamesakeError(code, 'd', params));
    await settle();
  };
  await answer('models.list', cards);
  return { transport, making, runs, waiting, asked, answer, refuse };
}

describe('Making', () => {
  it('makes a draft and starts it where the model is here', async () => {
    const { making, runs, answer, asked } = await open(card('m'));
    void making.make(wish);
    void making.make(wish);
    expect([making.stage.kind, making.busy]).toEqual(['starting', true]);
    expect(await answer('drafts.create', { draft: 'd' })).toEqual({ persona, model: 'm' });
    expect(await answer('runs.start', { run: 'r' })).toEqual({ draft: 'd' });
    expect([runs, making.stage, asked()]).toEqual([['r'], { kind: 'idle' }, []]);
  });

  it('starts a draft that is there as it is, and one on the standard model where no list came', async () => {
    const { making, runs, answer } = await open();
    void making.make({ draft: 'd', model: 'm' });
    await settle();
    expect(await answer('runs.start', { run: 'r1' })).toEqual({ draft: 'd' });
    void making.make({ persona, model: null });
    expect(await answer('drafts.create', { draft: 'e' })).toEqual({ persona });
    await answer('runs.start', { run: 'r2' });
    expect(runs).toEqual(['r1', 'r2']);
  });

  it('fetches the model first and goes on by itself when it is here', async () => {
    const { transport, making, runs, waiting, answer, asked } = await open(card('m', { here: false }));
    void making.make(wish);
    expect(await answer('models.download')).toEqual({ model: 'm', accept_licence: false });
    await answer('models.list', [card('m', { here: false, download: download('m') })]);
    expect([making.stage.kind, waiting]).toEqual(['fetching', [wish]]);
    transport.tell({ event: 'download', ...download('m', { state: 'done' }) });
    expect(making.stage.kind).toBe('fetching');
    transport.tell({ event: 'models' });
    await answer('models.list', [card('m')]);
    expect([making.stage.kind, waiting.at(-1), asked()]).toEqual(['starting', null, ['drafts.create']]);
    await answer('drafts.create', { draft: 'd' });
    await answer('runs.start', { run: 'r' });
    expect(runs).toEqual(['r']);
  });

  it('asks for a licence and goes on when it is accepted', async () => {
    const { making, answer, refuse } = await open(card('m', { here: false }));
    void making.make(wish);
    await refuse('models.download', 'model.licence_required', { model: 'm', licence: 'llama3.2' });
    expect(making.stage).toEqual({ kind: 'licence', licence: 'llama3.2' });
    void making.fetch(true);
    expect(await answer('models.download')).toEqual({ model: 'm', accept_licence: true });
    await answer('models.list', [card('m')]);
    expect(making.stage.kind).toBe('starting');
  });

  it('gives up: what is fetched is paused, and nothing starts when it comes after all', async () => {
    const { transport, making, waiting, answer, asked } = await open(card('m', { here: false }));
    void making.make(wish);
    await answer('models.download');
    await answer('models.list', [card('m', { here: false, download: download('m') })]);
    void making.giveUp();
    expect(await answer('models.pause')).toEqual({ model: 'm' });
    expect([making.stage, making.model, waiting.at(-1)]).toEqual([{ kind: 'idle' }, null, null]);
    transport.tell({ event: 'models' });
    await answer('models.list', [card('m')]);
    expect(asked()).toEqual([]);
  });

  it('pauses and goes on, and stays where a download failed: its card says why', async () => {
    const { transport, making, answer } = await open(card('m', { here: false }));
    void making.make(wish);
    await answer('models.download');
    await answer('models.list', [card('m', { here: false })]);
    void making.pause();
    expect(await answer('models.pause')).toEqual({ model: 'm' });
    transport.tell({ event: 'download', ...download('m', { state: 'failed', error: { code: 'disk.full', detail: 'd', params: {} } }) });
    expect(making.stage.kind).toBe('fetching');
    void making.fetch();
    expect(await answer('models.download')).toEqual({ model: 'm', accept_licence: false });
  });

  it.each(['download.failed', 'download.denied', 'model.checksum_mismatch', 'disk.full'] as const)('says %s where the fetching cannot begin, and tries again', async (code) => {
    const { making, waiting, refuse, asked } = await open(card('m', { here: false }));
    void making.make(wish);
    await refuse('models.download', code, { host: 'h' });
    expect([making.stage, making.busy, waiting.at(-1)]).toMatchObject([{ kind: 'failed', error: { code } }, false, null]);
    void making.again();
    expect(asked()).toEqual(['models.download']);
  });

  it.each(['persona.invalid', 'disk.full', 'internal'] as const)('says %s where the draft cannot be made, and makes it again', async (code) => {
    const { making, refuse, answer, runs } = await open(card('m'));
    void making.make(wish);
    await refuse('drafts.create', code);
    expect(making.stage).toMatchObject({ kind: 'failed', error: { code } });
    void making.again();
    await answer('drafts.create', { draft: 'd' });
    await answer('runs.start', { run: 'r' });
    expect(runs).toEqual(['r']);
  });

  it.each(['engine.busy', 'memory.insufficient', 'engine.missing'] as const)('says %s where the start is refused, and takes the same draft again for the same wish', async (code) => {
    const { making, refuse, answer } = await open(card('m'));
    void making.make(wish);
    await answer('drafts.create', { draft: 'd' });
    await refuse('runs.start', code);
    expect(making.stage).toMatchObject({ kind: 'failed', error: { code } });
    void making.again();
    await settle();
    expect(await answer('runs.start', { run: 'r' })).toEqual({ draft: 'd' });
  });

  it('makes another draft where the wish is another one, or the draft is gone', async () => {
    const { making, refuse, answer, asked } = await open(card('m'));
    void making.make(wish);
    await answer('drafts.create', { draft: 'd' });
    await refuse('runs.start', 'engine.busy');
    void making.make({ persona: { ...persona, name: 'C' }, model: 'm' });
    await answer('drafts.create', { draft: 'e' });
    await refuse('runs.start', 'draft.unknown');
    void making.again();
    expect(asked()).toEqual(['drafts.create']);
  });

  it('says that the connection broke', async () => {
    const { transport, making } = await open(card('m'));
    void making.make(wish);
    transport.asked[0]?.breakOff();
    await settle();
    expect(making.stage).toMatchObject({ kind: 'failed', error: { code: 'door.lost' } });
  });

  it('goes on after a reload where it waited, without asking for the download again', async () => {
    const { transport, making, waiting, answer, asked } = await open(card('m', { here: false, download: download('m') }));
    making.resume(wish);
    expect([making.stage.kind, asked(), waiting]).toEqual(['fetching', [], [wish]]);
    transport.tell({ event: 'models' });
    await answer('models.list', [card('m')]);
    expect(asked()).toEqual(['drafts.create']);
  });

  it('tells nobody once it is closed', async () => {
    const { making, runs, answer } = await open(card('m'));
    void making.make(wish);
    making.close();
    await answer('drafts.create', { draft: 'd' });
    await answer('runs.start', { run: 'r' });
    expect(runs).toEqual([]);
  });
});
