// The settings: what may be typed, the order of sources, tokens, disk use, the report, and deleting everything.
import { describe, expect, it, vi } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { doctorLines, doctorText } from '../../../../renderer/screens/settings/doctor-lines.ts';
import { allSources, endpointEntry, listedSources, moved, threadsEntry, tokenEntry, turned } from '../../../../renderer/screens/settings/entries.ts';
import { SettingsPage } from '../../../../renderer/screens/settings/settings-page.svelte.ts';
import type { App } from '../../../../renderer/state/app.svelte.ts';
import { Notices } from '../../../../renderer/state/notices.svelte.ts';
import { speak } from '../../../../renderer/state/words.svelte.ts';
import { requests } from '../../../../shared/api.ts';
import type { DoctorReport } from '../../../../shared/doctor.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import { settingsChangeSchema, settingsSchema } from '../../../../shared/settings.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';

vi.stubGlobal('document', { documentElement: { lang: '' }, addEventListener: () => undefined });
speak('en');

describe('what is typed', () => {
  it.each(['', '  ', 'https://mirror.example', 'http://10.0.0.1:8080/hf/', 'https://例子.example/a'])('is an address, and the core takes it: %j', (text) => {
    const { value, wrong } = endpointEntry(text);
    expect(wrong).toBeNull();
    expect(settingsChangeSchema.safeParse({ endpoint: value }).success).toBe(true);
  });
  it.each(['foo', 'ftp://a.example', 'https://', 'https://a.example?x=1', 'https://a.example#x', 'https://me:secret@a.example', `https://a.example/${'x'.repeat(500)}`])('is no address: %j', (text) => {
    expect(endpointEntry(text)).toEqual({ value: null, wrong: 'settings.endpoint_wrong' });
  });
  it('is an address without the slash at its end, or none', () => {
    expect([endpointEntry(' https://a.example/hf// ').value, endpointEntry(' ').value]).toEqual(['https://a.example/hf', null]);
  });

  it('is a number of threads', () => {
    expect(['', '0', '4', '1024'].map((text) => threadsEntry(text).value)).toEqual([0, 0, 4, 1024]);
    for (const text of ['-1', '1.5', '1025', 'x', '1e2']) expect(threadsEntry(text)).toEqual({ value: null, wrong: 'settings.threads_wrong' });
  });

  it('is a token as the core takes it', () => {
    const takes = (token: unknown): boolean => requests['settings.set_token'].input.safeParse({ source: 'huggingface', token }).success;
    for (const text of ['hf_abc', ' hf_abc ', 'x'.repeat(500)]) expect(takes(tokenEntry(text).value)).toBe(true);
    for (const text of ['', 'a b', '小锋', 'x'.repeat(501)]) expect(tokenEntry(text)).toEqual({ value: null, wrong: 'settings.token_wrong' });
  });
});

describe('sources', () => {
  it('are all that the core knows, those that are asked first', () => {
    expect([...allSources].sort()).toEqual([...settingsSchema.parse({}).sources].sort());
    expect(listedSources(['modelscope']).map(({ source, asked }) => [source, asked])).toEqual([['modelscope', true], ['huggingface', false], ['hf-mirror', false]]);
  });

  it('are moved, added and left out; one stays', () => {
    expect(moved(['huggingface', 'modelscope'], 'modelscope', -1)).toEqual(['modelscope', 'huggingface']);
    expect(moved(['huggingface', 'modelscope'], 'modelscope', 1)).toEqual(['huggingface', 'modelscope']);
    expect(moved(['huggingface'], 'modelscope', -1)).toEqual(['huggingface']);
    expect(turned(['huggingface'], 'modelscope', true)).toEqual(['huggingface', 'modelscope']);
    expect(turned(['huggingface', 'modelscope'], 'huggingface', false)).toEqual(['modelscope']);
    expect(turned(['huggingface'], 'huggingface', false)).toEqual(['huggingface']);
  });
});

describe('the page', () => {
  const disk = { runs: 5, trash: 0, models: 3, exports: 0, all: 9, free: 100 };
  async function begin() {
    const transport = new FakeTransport();
    const notices = new Notices(({ code }) => code);
    const go = vi.fn();
    const wiped = vi.fn();
    const page = new SettingsPage({ api: new Api(transport), notices, route: { go } as unknown as App['route'], models: {} as App['models'], wiped });
    const answer = async (name: string, result: unknown): Promise<void> => {
      const found = transport.asked.find((asked) => asked.name === name);
      if (found === undefined) throw new Error(`${name} was not asked`);
      found.answer(result);
      await settle();
    };
    await answer('app.disk', disk);
    await answer('settings.tokens', { huggingface: 'none', modelscope: 'memory' });
    return { transport, notices, page, go, wiped, answer };
  }

  it('knows what is taken of the disk, again when models or runs change', async () => {
    const { transport, page, answer } = await begin();
    expect(page.disk).toEqual(disk);
    transport.tell({ event: 'models' });
    await answer('app.disk', { ...disk, models: 0 });
    expect(page.disk?.models).toBe(0);
    transport.tell({ event: 'runs' });
    transport.asked[0]?.refuse(new NamesakeError('disk.unwritable', 'x'));
    await settle();
    expect(page.diskError?.code).toBe('disk.unwritable');
    page.close();
    transport.tell({ event: 'models' }, { event: 'lost' });
    expect(transport.asked).toEqual([]);
  });

  it('says how a token is kept, and finds the one of the environment behind a forgotten one', async () => {
    const { transport, notices, page, answer } = await begin();
    const kept = page.setToken('huggingface', 'hf');
    await answer('settings.set_token', { kept: 'encrypted' });
    expect([await kept, page.tokens]).toEqual([true, { huggingface: 'encrypted', modelscope: 'memory' }]);
    const forgotten = page.setToken('huggingface', null);
    await answer('settings.set_token', { kept: 'none' });
    await answer('settings.tokens', { huggingface: 'environment', modelscope: 'memory' });
    expect([await forgotten, page.tokens?.huggingface]).toEqual([true, 'environment']);
    const failed = page.setToken('huggingface', 'hf');
    transport.asked[0]?.refuse(new NamesakeError('disk.full', 'x'));
    expect([await failed, notices.list.length]).toEqual([false, 1]);
  });

  it('deletes everything and begins anew; where that fails it stays', async () => {
    const { transport, notices, page, go, wiped, answer } = await begin();
    const failed = page.deleteEverything();
    expect([page.wiping, transport.asked[0]?.input]).toEqual([true, { confirm: 'delete everything' }]);
    transport.asked[0]?.refuse(new NamesakeError('engine.busy', 'x'));
    await failed;
    expect([page.wiping, go.mock.calls.length, wiped.mock.calls.length, notices.list[0]?.tone]).toEqual([false, 0, 0, 'bad']);
    void page.deleteEverything();
    await answer('app.delete_everything', null);
    expect(go).toHaveBeenCalledWith({ screen: 'name', subject: null });
    expect(wiped).toHaveBeenCalledOnce();
    expect(notices.list.at(-1)?.words()).toBe('Everything was deleted.');
  });

  it('looks at the machine once at a time, and says why it cannot', async () => {
    const { transport, page } = await begin();
    void page.examine();
    void page.examine();
    expect([page.examining, transport.asked.length]).toEqual([true, 1]);
    transport.asked[0]?.refuse(new NamesakeError('engine.missing', 'x'));
    await settle();
    expect([page.examining, page.doctorError?.code]).toEqual([false, 'engine.missing']);
  });
});

it('the report is words, and text that can be pasted', () => {
  const report: DoctorReport = {
    ...{ version: '1.2.3', node: '24.0.0', platform: 'linux-x64', home: '/h', free_disk_bytes: 5e8, total_memory_bytes: 16e9, free_memory_bytes: 8e9 },
    ...{ engine_error: null, addon: 'a', isa: { auto: 'avx2', levels: [] }, gpu: null, default_model: { id: 'm', here: true, path: '/m' } },
  };
  expect(doctorLines(report).map(({ good }) => good)).toEqual([true, true, false, true]);
  expect(doctorText(report).split('\n')[0]).toBe('Namesake 1.2.3 · linux-x64 · Node.js 24.0.0');
  expect(doctorText(report)).toContain('✗ Free disk 0.5 GB');
  const cards: DoctorReport['gpu'] = { driver: null, cards: [], chosen: null, problem: { code: 'gpu.driver_too_old', detail: 'it knows CUDA 10.2' } };
  expect(doctorText({ ...report, gpu: cards })).toContain('✗ The NVIDIA driver is too old (it knows CUDA 10.2)');
  const broken = doctorLines({ ...report, engine_error: { code: 'engine.missing', detail: 'no file' } });
  expect(broken[0]).toMatchObject({ good: false });
  expect(broken[0]?.words).toContain('no file');
});
