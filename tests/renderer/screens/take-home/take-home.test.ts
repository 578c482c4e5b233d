// Taking an assistant home: the export as it stands in the program, its proof, and the lines that use it.
import { describe, expect, it } from 'vitest';
import { Api } from '../../../../renderer/api.ts';
import { verdictOf } from '../../../../renderer/screens/take-home/proof.ts';
import { pythonLines } from '../../../../renderer/screens/take-home/python-lines.ts';
import { TakeHome } from '../../../../renderer/screens/take-home/take-home.svelte.ts';
import { Notices } from '../../../../renderer/state/notices.svelte.ts';
import { NamesakeError } from '../../../../shared/errors.ts';
import type { AdapterBase, ExportResult } from '../../../../shared/export.ts';
import type { Scores } from '../../../../shared/run.ts';
import { FakeTransport, settle } from '../../fake-transport.ts';

const none: AdapterBase = { repository: null, folder: null, own_code: false };
const result = (folder: string): ExportResult => ({ files: [], folder, bytes: 1, scores: null, count: null, base: none, download: null });
const asking = { phase: 'asking', done: 3, total: 44 } as const;

async function begin(state: object = { progress: null, last: null }) {
  const transport = new FakeTransport();
  const notices = new Notices(({ code }) => code);
  const takeHome = new TakeHome({ api: new Api(transport), notices }, 'r');
  transport.asked[0]?.answer(state);
  await settle();
  return { transport, notices, takeHome };
}

describe('an export', () => {
  it('is told while it goes on, and is there when it is over', async () => {
    const { transport, takeHome } = await begin();
    void takeHome.export();
    void takeHome.export();
    expect(transport.asked.map(({ name }) => name)).toEqual(['export.adapter']);
    expect(takeHome.progress?.phase).toBe('waiting');
    transport.tell({ event: 'export', run: 'other', progress: { ...asking, done: 40 } }, { event: 'export', run: 'r', progress: asking });
    expect(takeHome.progress).toEqual(asking);
    transport.tell({ event: 'export', run: 'r', progress: null });
    transport.asked[0]?.answer(result('/e'));
    await settle();
    expect([takeHome.progress, takeHome.result?.folder, transport.asked.length]).toEqual([null, '/e', 0]);
  });

  it('of before, or of another window, is there too', async () => {
    const { transport, takeHome } = await begin({ progress: asking, last: result('/old') });
    expect([takeHome.progress, takeHome.result?.folder]).toEqual([asking, '/old']);
    transport.tell({ event: 'export', run: 'r', progress: null });
    transport.asked[0]?.answer({ progress: null, last: result('/new') });
    await settle();
    expect([takeHome.progress, takeHome.result?.folder]).toEqual([null, '/new']);
  });

  it('that fails says why and leaves the one before; trying again takes the words back', async () => {
    const { transport, takeHome } = await begin({ progress: null, last: result('/old') });
    void takeHome.export();
    transport.asked[0]?.refuse(new NamesakeError('disk.full', 'x'));
    await settle();
    expect([takeHome.error?.code, takeHome.progress, takeHome.result?.folder]).toEqual(['disk.full', null, '/old']);
    void takeHome.export();
    expect(takeHome.error).toBeNull();
  });

  it('goes on while the connection is away, and how it stands is asked then', async () => {
    const { transport, takeHome } = await begin();
    void takeHome.export();
    transport.tell({ event: 'export', run: 'r', progress: asking });
    transport.asked[0]?.breakOff();
    await settle();
    expect([takeHome.error, takeHome.progress]).toEqual([null, asking]);
    transport.tell({ event: 'lost' });
    transport.asked[0]?.answer({ progress: null, last: result('/e') });
    await settle();
    expect([takeHome.progress, takeHome.result?.folder]).toEqual([null, '/e']);
  });

  it('is heard no more once it is closed', async () => {
    const { transport, takeHome } = await begin();
    takeHome.close();
    transport.tell({ event: 'export', run: 'r', progress: asking }, { event: 'lost' });
    expect([takeHome.progress, transport.asked.length]).toEqual([null, 0]);
  });
});

it('the proof compares with training where both are known', () => {
  const scores = (recall: number, leak: number): Scores => ({ zh: { recall, leak }, retention: { kl: 0, perplexity_ratio: 1 } });
  const count = { knows: { right: 24, of: 24 }, alone: { right: 20, of: 20 } };
  expect(verdictOf(count, scores(1, 0), scores(1, 0))).toBe('same');
  expect(verdictOf(count, scores(1, 0), scores(0.9, 0.1))).toBe('same');
  expect(verdictOf(count, scores(0.9, 0), scores(1, 0))).toBe('less');
  expect(verdictOf(count, scores(1, 0.1), scores(1, 0))).toBe('less');
  expect(verdictOf(count, scores(1, 0), null)).toBe('alone');
  expect(verdictOf(null, null, scores(1, 0))).toBe('unasked');
});

it('the lines name base, folder and system text as Python reads them', () => {
  const lines = pythonLines({ base: none, words: 'the model\nimport os', folder: 'C:\\exports\\"x"', system: '你是小锋。\n简短', question: '你是谁？' });
  expect(lines).toContain('\nbase = "…"  # the model import os\n');
  expect(lines).toContain('\nadapter = "C:\\\\exports\\\\\\"x\\""\n');
  expect(lines).toContain('    {"role": "system", "content": "你是小锋。\\n简短"},\n    {"role": "user", "content": "你是谁？"},');
  expect(lines).not.toContain('trust_remote_code');
  const asked = { words: 'b', folder: 'f', system: null, question: 'q' };
  expect(pythonLines({ ...asked, base: none })).not.toContain('system');
  expect(pythonLines({ ...asked, base: { ...none, folder: 'C:\\my model' } })).toContain('\nbase = "C:\\\\my model"\n');
  expect(pythonLines({ ...asked, base: none, system: '' })).toContain('{"role": "system", "content": ""}');
});

it('the lines open a model with code of its own from its repository, and trust that code', () => {
  const lines = pythonLines({ base: { repository: 'owner/internlm2', folder: null, own_code: true }, words: 'b', folder: 'f', system: null, question: 'q' });
  expect(lines).toContain('\nbase = "owner/internlm2"\n');
  expect(lines).toContain('AutoTokenizer.from_pretrained(base, trust_remote_code=True)\n');
  expect(lines).toContain('AutoModelForCausalLM.from_pretrained(base, trust_remote_code=True)\n');
});
