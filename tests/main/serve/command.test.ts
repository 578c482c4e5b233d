// `namesake serve` as a person starts and stops it.
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { canCertify, certify } from '../../support/certificate.ts';
import { errorCode, eventsOf, namesake, type CliResult } from '../../support/cli.ts';
import { temporaryFolder } from '../../support/files.ts';
import { tinyModel } from '../../support/tiny-run.ts';
import { startSmallRun, WatchedRun, reached } from '../../support/window-run.ts';
import { ask, Client, handOverModel, sessionOf } from '../../support/door-client.ts';

vi.setConfig({ testTimeout: 240_000 });

/** Serves on a free port until `visit` is through, then as SIGTERM has it. */
async function serve(args: readonly string[], visit: (url: URL, child: ChildProcess) => Promise<void>, home = temporaryFolder()): Promise<CliResult> {
  let failure: unknown = new Error('it did not serve');
  const result = await namesake(['serve', '--port', '0', '--json', ...args], {
    home,
    onEvent: ({ url }, child) => {
      void visit(new URL(String(url)), child)
        .then(
          () => (failure = null),
          (error: unknown) => (failure = error),
        )
        .finally(() => child.kill('SIGTERM'));
    },
  });
  if (failure !== null) throw failure;
  return result;
}

/** Signs in and opens a window. */
async function enter({ port, pathname, search }: URL): Promise<{ client: Client; cookie: string }> {
  const { cookie } = sessionOf(await ask(Number(port), { path: pathname + search }));
  const client = new Client(Number(port), { cookie });
  expect(await client.opened()).toBe(101);
  return { client, cookie };
}

describe('serve', () => {
  it('prints an address that works, and ends well when it is told to', async () => {
    const result = await serve([], async (url) => {
      expect(url.hostname).toBe('127.0.0.1');
      const { client, cookie } = await enter(url);
      expect(await client.request('app.about', {})).toMatchObject({ door: 'serve' });
      const page = await ask(Number(url.port), { path: '/', headers: { cookie } });
      expect(page.body).toContain('<title>Namesake</title>');
    });
    expect(result.code).toBe(0);
    expect(result.events).toEqual([{ event: 'serving', url: expect.any(String) as string, port: expect.any(Number) as number }]);
    expect(result.stderr).toContain(String(result.events[0]?.['url']));
  });

  it('prints another address for a line on stdin and for a hang-up', async () => {
    const home = temporaryFolder();
    let served = 0;
    const result = await namesake(['serve', '--port', '0', '--json'], {
      home,
      input: '\n',
      onEvent: (_event, child) => {
        served += 1;
        if (served === 1) child.kill('SIGHUP');
        // Once only: a second SIGTERM is somebody who will not wait, and ends it with 130.
        if (served === 3) child.kill('SIGTERM');
      },
    });
    expect(result.code).toBe(0);
    const urls = eventsOf(result, 'serving').map(({ url }) => url);
    expect(urls).toHaveLength(3);
    expect(new Set(urls).size).toBe(urls.length);
  });

  it('pauses the run that goes on, which a later one takes up again', async () => {
    const home = temporaryFolder();
    let run = '';
    await serve(
      [],
      async (url) => {
        const { client, cookie } = await enter(url);
        const model = await handOverModel(client, tinyModel, { port: Number(url.port), cookie, origin: url.origin });
        run = await startSmallRun(client, model, 600);
        const watched = new WatchedRun(client, run);
        await watched.load();
        await reached(watched, 5);
      },
      home,
    );
    await serve(
      [],
      async (url) => {
        const { client } = await enter(url);
        const { status, step } = await client.request('runs.get', { run });
        expect(status).toBe('paused');
        expect(step).toBeGreaterThanOrEqual(5);
        expect(step).toBeLessThan(600);
        const watched = new WatchedRun(client, run);
        await client.request('runs.resume', { run });
        await watched.load();
        await expect.poll(() => watched.status, { timeout: 110_000 }).toBe('done');
        expect(watched.curve).toHaveLength(600);
      },
      home,
    );
  });

  it('says so where the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const result = await namesake(['serve', '--port', String(port), '--json'], { home: temporaryFolder() });
    expect(errorCode(result)).toBe('door.taken');
    expect(result.stderr).toContain(String(port));
  });

  it('serves no other machine in the clear unless told to', async () => {
    const result = await namesake(['serve', '--host', '0.0.0.0', '--port', '0', '--json'], { home: temporaryFolder() });
    expect(errorCode(result)).toBe('door.insecure');
    const served = await serve(['--host', '0.0.0.0', '--insecure'], async (url) => {
      const { port, pathname, search } = url;
      expect(sessionOf(await ask(Number(port), { path: pathname + search })).cookie).toContain('namesake=');
    });
    expect(served.code).toBe(0);
    expect(served.stderr).toContain('Without encryption');
  });

  it.each([
    ['--port', '70000'],
    ['--port', '-1'],
    ['--port', 'x'],
    ['--tls-cert', '/nowhere.pem'],
    ['--tls-cert', '/nowhere.pem', '--tls-key', '/nowhere.pem'],
    ['--more'],
  ])('is bad usage with %s %s', async (...args) => {
    const result = await namesake(['serve', ...args, '--json'], { home: temporaryFolder() });
    expect(errorCode(result, 2)).toBe('usage.invalid');
  });

  it.skipIf(!canCertify)('serves with TLS, and its cookie never travels without', async () => {
    const { cert, key } = certify(temporaryFolder()).paths;
    const result = await serve(['--tls-cert', cert, '--tls-key', key], async (url) => {
      expect(url.protocol).toBe('https:');
      const cookies = await new Promise<string[] | undefined>((resolve, reject) => {
        request(url, { ca: readFileSync(cert) }, (response) => {
          response.resume().on('end', () => resolve(response.headers['set-cookie']));
        })
          .on('error', reject)
          .end();
      });
      expect(cookies).toEqual([expect.stringMatching(/; HttpOnly; Secure; SameSite=Strict$/)]);
    });
    expect(result.code).toBe(0);
  });
});
