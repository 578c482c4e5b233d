// Downloads as windows and commands see them: how they stand, paused, gone on with, failed.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Home } from '../../../main/home.ts';
import { Downloads } from '../../../main/services/downloads.ts';
import type { DownloadState } from '../../../shared/model.ts';
import { modelPath, type ModelEntry, type ModelSource } from '../../../tools/fetch-model.mjs';
import { hostileServer, type Answer, type HostileServer } from '../../support/hostile-server.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';
import { temporaryFolder } from '../../support/files.ts';

const data = createHash('shake256', { outputLength: 300_000 }).update('model').digest();
const patience = { attempts: 2, pauseMs: 1, longestWaitMs: 50, idleMs: 5000, headMs: 5000 };

function entry(...sources: (HostileServer | ModelSource)[]): ModelEntry {
  return {
    id: 'tiny',
    file: 'tiny.gguf',
    size_bytes: data.length,
    sha256: createHash('sha256').update(data).digest('hex'),
    sources: sources.map((source) => ('origin' in source ? { kind: 'url', url: source.url() } : source)),
  };
}

function downloadsOf(folder: string, change: Partial<typeof patience> = {}) {
  const states: DownloadState[] = [];
  const lines: string[] = [];
  const downloads = new Downloads(new Home(folder), {
    hubs: () => [],
    progress: { log: (line) => lines.push(line), onBytes: () => undefined },
    patience: { ...patience, ...change },
  });
  downloads.onState((state) => states.push(state));
  return { downloads, states, lines };
}

/** Sends the file in four pieces, so that there is something to see on the way. */
async function slowServer(): Promise<HostileServer> {
  return hostileServer(data, ({ count }): Answer => (count < 4 ? { kind: 'die', after: 75_000 } : { kind: 'serve' }));
}

describe('Downloads', () => {
  it('tells how a download stands, from the first byte to the last', async () => {
    const folder = temporaryFolder();
    const { downloads, states } = downloadsOf(folder);
    const server = await slowServer();
    const model = entry(server);
    expect(downloads.state('tiny', model)).toBeNull();
    expect(await downloads.fetch('tiny', model)).toBe(modelPath(folder, model));
    expect(states[0]).toMatchObject({ model: 'tiny', state: 'running', source: new URL(server.origin).host, done: 0, total: data.length, error: null });
    expect(states.at(-1)).toMatchObject({ state: 'done', done: data.length, bytes_per_second: 0, eta_seconds: null });
    expect(downloads.state('tiny', model)).toBeNull();
    expect(readdirSync(dirname(modelPath(folder, model))).sort()).toEqual(['tiny.gguf', 'tiny.gguf.verified']);
    // What is here is no download.
    const before = states.length;
    await downloads.fetch('tiny', model);
    expect(states).toHaveLength(before);
  });

  it('measures speed and time left', async () => {
    const { downloads, states } = downloadsOf(temporaryFolder(), { pauseMs: 250 });
    // 60 kB every 250 ms.
    const server = await hostileServer(data, ({ count }) => (count < 5 ? { kind: 'die', after: 60_000 } : { kind: 'serve' }));
    await downloads.fetch('tiny', entry(server));
    const measured = states.filter(({ bytes_per_second }) => bytes_per_second > 0);
    expect(measured.length).toBeGreaterThan(1);
    for (const { bytes_per_second, eta_seconds, done, total } of measured) {
      expect(bytes_per_second).toBeLessThan(60_000 / 0.19);
      expect(eta_seconds).toBeCloseTo((total - done) / bytes_per_second);
    }
  });

  it('fetches once for all that ask', async () => {
    const folder = temporaryFolder();
    const { downloads } = downloadsOf(folder);
    const server = await slowServer();
    const paths = await Promise.all([1, 2, 3].map(() => downloads.fetch('tiny', entry(server))));
    expect(new Set(paths).size).toBe(1);
    expect(server.served()).toBe(data.length);
  });

  it('waits for one that goes on elsewhere, follows it, and takes what it fetched', async () => {
    const folder = temporaryFolder();
    const first = downloadsOf(folder);
    const second = downloadsOf(folder);
    let go = (): void => undefined;
    const server = await hostileServer(data, ({ count }) => (count === 1 ? { kind: 'stall', after: 100_000 } : { kind: 'serve' }));
    const begun = new Promise<void>((resolve) => (go = resolve));
    first.downloads.onState(({ done }) => done > 0 && go());
    const one = first.downloads.fetch('tiny', entry(server)).catch((error: unknown) => error);
    await begun;
    const two = second.downloads.fetch('tiny', entry(server));
    await expect.poll(() => second.states.at(-1)?.done).toBe(100_000);
    expect(second.lines).toEqual(['waiting for another process that fetches the model']);
    await first.downloads.pause('tiny');
    expect(await one).toMatchObject({ code: 'cancelled' });
    expect(readFileSync(await two).equals(data)).toBe(true);
    expect(server.served()).toBe(data.length);
  });

  it('pauses, remembers that through a restart, and goes on without fetching anything twice', async () => {
    const folder = temporaryFolder();
    const { downloads, states } = downloadsOf(folder);
    const server = await hostileServer(data, ({ count }) => (count === 1 ? { kind: 'stall', after: 123_456 } : { kind: 'serve' }));
    const model = entry(server);
    const fetching = downloads.fetch('tiny', model).catch((error: unknown) => error);
    await expect.poll(() => statSync(`${modelPath(folder, model)}.part`, { throwIfNoEntry: false })?.size).toBe(123_456);
    expect(downloads.isRunning('tiny')).toBe(true);
    await downloads.pause('tiny');
    expect(await fetching).toMatchObject({ code: 'cancelled' });
    expect(states.at(-1)).toMatchObject({ state: 'paused', done: 123_456, error: null });
    const later = downloadsOf(folder);
    expect(later.downloads.state('tiny', model)).toMatchObject({ state: 'paused', done: 123_456, total: data.length });
    await later.downloads.pause('tiny');
    await later.downloads.fetch('tiny', model);
    expect(server.served()).toBe(data.length);
    expect(later.states[0]).toMatchObject({ state: 'running', done: 123_456 });
  });

  it('is given up by one who waits without holding up another, and pauses when nobody waits any more', async () => {
    const folder = temporaryFolder();
    const { downloads, states } = downloadsOf(folder);
    const server = await hostileServer(data, ({ count }) => (count === 1 ? { kind: 'stall', after: 123_456 } : { kind: 'serve' }));
    const model = entry(server);
    const [one, two] = [new AbortController(), new AbortController()];
    const [first, second] = [one, two].map(({ signal }) => downloads.fetch('tiny', model, signal).catch((error: unknown) => error));
    await expect.poll(() => statSync(`${modelPath(folder, model)}.part`, { throwIfNoEntry: false })?.size).toBe(123_456);
    one.abort();
    expect(await first).toMatchObject({ code: 'cancelled' });
    expect(downloads.isRunning('tiny')).toBe(true);
    two.abort();
    expect(await second).toMatchObject({ code: 'cancelled' });
    await expect.poll(() => downloads.isRunning('tiny')).toBe(false);
    expect(states.at(-1)).toMatchObject({ state: 'paused', done: 123_456 });
    // What a person asked for goes on, whoever gives up beside them.
    const asked = downloads.fetch('tiny', model);
    expect(await downloads.fetch('tiny', model, AbortSignal.abort()).catch((error: unknown) => error)).toMatchObject({ code: 'cancelled' });
    expect(readFileSync(await asked).equals(data)).toBe(true);
    expect(server.served()).toBe(data.length);
  });

  it('is begun anew for who comes in the very moment in which the last one gives up', async () => {
    const folder = temporaryFolder();
    const { downloads } = downloadsOf(folder);
    const model = entry(await hostileServer(data));
    const leaving = new AbortController();
    const first = downloads.fetch('tiny', model, leaving.signal).catch((error: unknown) => error);
    leaving.abort();
    const second = downloads.fetch('tiny', model, new AbortController().signal);
    expect(await first).toMatchObject({ code: 'cancelled' });
    expect(readFileSync(await second).equals(data)).toBe(true);
  });

  it('goes on with the next source where the first one stopped', async () => {
    const folder = temporaryFolder();
    const { downloads, states, lines } = downloadsOf(folder);
    const dying = await hostileServer(data, ({ count }) => ({ kind: 'die', after: count === 1 ? 200_000 : 0 }));
    const good = await hostileServer(data);
    const path = await downloads.fetch('tiny', entry(dying, good));
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(dying.served() + good.served()).toBe(data.length);
    expect([...new Set(states.map(({ source }) => source))]).toEqual([dying, good].map(({ origin }) => new URL(origin).host));
    expect(lines.join('\n')).toContain(`${dying.url()}: `);
  });

  it.each<[string, Answer[], string, Record<string, unknown>]>([
    ['permission before all else', [{ kind: 'status', status: 404 }, { kind: 'status', status: 403 }], 'download.denied', { host: expect.stringMatching(/^127/) }],
    ['wrong files', [{ kind: 'claim', size: 5 }, { kind: 'serve', file: Buffer.alloc(300_000) }], 'model.checksum_mismatch', {}],
    ['the network', [{ kind: 'status', status: 404 }, { kind: 'status', status: 500 }], 'download.failed', {}],
  ])('says what failed: %s', async (_what, answers, code, params) => {
    const folder = temporaryFolder();
    const { downloads, states } = downloadsOf(folder);
    const servers = await Promise.all(answers.map((answer) => hostileServer(data, () => answer)));
    const model = entry(...servers);
    await expect(downloads.fetch('tiny', model)).rejects.toMatchObject({ code, params });
    expect(states.at(-1)).toMatchObject({ state: 'failed', error: { code } });
    expect(downloads.state('tiny', model)).toMatchObject({ state: 'failed', error: { code } });
    expect(readdirSync(dirname(modelPath(folder, model)))).toEqual([]);
    await downloads.fetch('tiny', entry(await hostileServer(data)));
    expect(downloads.state('tiny', model)).toBeNull();
  });

  it('says in numbers what a full disk lacks', async () => {
    const disk = mountSmallDisk(250);
    if (disk === null) return;
    const { downloads } = downloadsOf(disk);
    const error: unknown = await downloads.fetch('tiny', entry(await hostileServer(data))).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'disk.full', detail: expect.stringMatching(/needs 1 MB of free disk space and has 0 MB/) as string });
  });
});
