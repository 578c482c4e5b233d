// The list of assistants: what it shows of each, two that are chosen, and what is done with one of them.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { AssistantList } from '../../../../renderer/screens/assistants/assistant-list.svelte.ts';
import { Notices } from '../../../../renderer/state/notices.svelte.ts';
import { RunsState } from '../../../../renderer/state/runs.svelte.ts';
import type { App } from '../../../../renderer/state/app.svelte.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import type { DeletedRun, RunFacts, RunSummary } from '../../../../shared/run.ts';
import { FakeTransport, settle, type Asked } from '../../fake-transport.ts';

const summary = (run: string, change: Partial<RunSummary> = {}): RunSummary => ({ run, name: `N${run}`, status: 'done', step: 10, steps: 10, created_at: `2026-01-0${run}T00:00:00Z`, error: null, chosen_step: 10, ...change });
const facts = (run: string, right: number, bytes_on_disk: number): RunFacts => ({ run, model: 'm', languages: ['en'], score: { knows: { right, of: 10 }, alone: { right: 10, of: 10 } }, bytes_on_disk });

describe('the list', () => {
  let transport: FakeTransport;
  let notices: Notices;
  let list: AssistantList;
  const went = vi.fn();
  const asked = (name: string): Asked => {
    const found = transport.asked.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${name} was not asked; ${transport.asked.map((one) => one.name).join(', ') || 'nothing'} was`);
    return found;
  };
  const answer = async (answers: Record<string, unknown>): Promise<void> => {
    for (const [name, result] of Object.entries(answers)) asked(name).answer(result);
    await settle();
  };
  const loaded = (deleted: DeletedRun[] = [], bytes = 5): Promise<void> =>
    answer({ 'runs.facts': [facts('1', 9, bytes), facts('2', 10, 2 * bytes)], 'drafts.list': [], 'runs.deleted': deleted });

  beforeEach(async () => {
    vi.useFakeTimers();
    went.mockClear();
    transport = new FakeTransport();
    const api = new Api(transport);
    notices = new Notices(({ code }) => code);
    const runs = new RunsState(api);
    list = new AssistantList({ api, runs, notices, route: { go: went } as unknown as App['route'] });
    await answer({ 'runs.list': [summary('2'), summary('1'), summary('3', { status: 'paused', chosen_step: null })] });
  });
  afterEach(() => {
    list.close();
    vi.useRealTimers();
  });

  it('shows runs before it knows more of them, and then what they answer and take of the disk', async () => {
    expect(list.shown?.map(({ run, facts: known }) => [run, known])).toEqual([['3', null], ['2', null], ['1', null]]);
    await loaded();
    expect(list.shown?.map(({ run, facts: known }) => [run, known?.score?.knows.right ?? null])).toEqual([['3', null], ['2', 10], ['1', 9]]);
    expect(list.bytes).toBe(15);
    expect(list.many).toBe(false);
  });

  it('reads again what changes: another list, a run that ended, a window that was away', async () => {
    await loaded();
    const state = (status: RunSummary['status'], step: number): void => transport.tell({ event: 'run', ...summary('3', { status, step }), progress: null });
    state('running', 1);
    state('running', 2);
    expect(transport.asked).toEqual([]);
    state('done', 3);
    await loaded([], 7);
    expect(list.bytes).toBe(21);
    transport.tell({ event: 'lost' });
    await answer({ 'runs.list': [summary('1')] });
    await loaded();
  });

  it('has at most two chosen: a third one takes the place of the first; a deleted one is chosen no longer', async () => {
    await loaded();
    for (const run of ['1', '2', '3']) list.choose(run, true);
    expect(list.chosen).toEqual(['2', '3']);
    list.choose('2', false);
    list.choose('3', true);
    expect(list.chosen).toEqual(['3']);
    list.choose('1', true);
    transport.tell({ event: 'runs' });
    await answer({ 'runs.list': [summary('1')] });
    expect(list.chosen).toEqual(['1']);
    list.choosesNone();
    expect(list.chosen).toEqual([]);
  });

  it('renames to what was typed, and not where that is nothing or the same', async () => {
    await loaded();
    expect(await list.rename('1', '  ')).toBe(true);
    expect(await list.rename('1', 'N1 ')).toBe(true);
    expect(transport.asked).toEqual([]);
    const done = list.rename('1', ' 小锋 ');
    expect(asked('runs.rename').input).toEqual({ run: '1', name: '小锋' });
    await answer({ 'runs.rename': null });
    expect(await done).toBe(true);
    const failed = list.rename('1', 'x');
    asked('runs.rename').refuse(new NamesakeError('disk.full', 'x'));
    expect(await failed).toBe(false);
    expect(notices.list).toMatchObject([{ tone: 'bad' }]);
  });

  it('deletes with an offer to undo, which goes once the run is brought back', async () => {
    await loaded();
    void list.remove('1');
    await answer({ 'runs.delete': null });
    expect(notices.list).toMatchObject([{ tone: 'plain', action: {} }]);
    notices.list[0]?.action?.run();
    expect(notices.list).toEqual([]);
    expect(asked('runs.undelete').input).toEqual({ run: '1' });
    await answer({ 'runs.undelete': null });
    await answer({ 'runs.list': [summary('1')] });
    await loaded();
    void list.remove('2');
    asked('runs.delete').refuse(new NamesakeError('run.active', 'x', { run: '2' }));
    await settle();
    expect(notices.list).toMatchObject([{ tone: 'bad', action: null }]);
  });

  it('offers deleted runs for as long as they can be brought back', async () => {
    await loaded([{ run: '9', name: 'Bo', until: new Date(Date.now() + 60_000).toISOString() }]);
    expect(list.deleted).toMatchObject([{ run: '9' }]);
    vi.advanceTimersByTime(59_000);
    expect(transport.asked).toEqual([]);
    vi.advanceTimersByTime(2000);
    await loaded();
    expect(list.deleted).toEqual([]);
  });

  it('goes to the copy that it made, and to the run that it goes on with', async () => {
    await loaded();
    void list.duplicate('1');
    await answer({ 'drafts.from_run': { draft: 'd' } });
    expect(went).toHaveBeenLastCalledWith({ screen: 'name', subject: { draft: 'd' } });
    void list.resume('3');
    await answer({ 'runs.resume': null });
    expect(went).toHaveBeenLastCalledWith({ screen: 'train', subject: { run: '3' } });
    void list.resume('3');
    asked('runs.resume').refuse(new NamesakeError('engine.busy', 'x'));
    await settle();
    expect(went).toHaveBeenCalledTimes(2);
  });

  it('says why it cannot be read, and tries again', async () => {
    asked('runs.facts').refuse(new NamesakeError('disk.unwritable', 'x'));
    await settle();
    expect(list.error?.code).toBe('disk.unwritable');
    for (const one of [...transport.asked]) one.answer([]);
    void list.load();
    await loaded();
    expect(list.error).toBeNull();
  });

  it('is searched and sorted where there are many', async () => {
    await loaded();
    list.filter = 'n1';
    list.order = 'name';
    expect(list.shown?.map(({ run }) => run)).toEqual(['3', '2', '1']);
    transport.tell({ event: 'runs' });
    const many = Array.from({ length: 11 }, (_, i) => summary(String(i + 1), { created_at: `2026-01-${String(i + 1).padStart(2, '0')}` }));
    await answer({ 'runs.list': many });
    await loaded();
    expect(list.shown?.map(({ run }) => run)).toEqual(['1', '10', '11']);
    list.filter = '';
    list.order = 'best';
    expect(list.shown?.slice(0, 2).map(({ run }) => run)).toEqual(['2', '1']);
    list.order = 'largest';
    expect(list.shown?.slice(0, 2).map(({ run }) => run)).toEqual(['2', '1']);
    list.order = 'newest';
    expect(list.shown?.[0]?.run).toBe('11');
  });
});
