// Electron's list of twenty, item by item, on the built program: what it asked of Electron, and what a page can do in fact.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readLines, root } from '../support/files.ts';
import { ask, type PageWindow } from './desktop-home.ts';
import { shells, type DesktopApp } from './standin/launch.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

interface LogLine {
  msg: string;
  code?: string;
  what?: string;
  channel?: string;
}

describe.each(shells.map((make) => make()).map((shell) => [shell.name, shell] as const))('the desktop app in %s', (_name, shell) => {
  describe.skipIf(shell.missing !== null)('security', () => {
    let app: DesktopApp;
    let page: Page;

    beforeAll(async () => {
      await shell.open();
      app = await shell.launch();
      page = await app.page();
    });
    afterAll(() => shell.close());

    const log = (): LogLine[] => {
      const path = join(app.home, 'logs', 'namesake.log');
      return existsSync(path) ? readLines<LogLine>(path) : [];
    };
    /** Runs `work` and gives the refusals that were logged meanwhile. */
    const refusals = async (work: () => Promise<unknown>): Promise<LogLine[]> => {
      const before = log().length;
      await work();
      await vi.waitFor(() => expect(log().length).toBeGreaterThan(before), 60_000);
      return log()
        .slice(before)
        .filter(({ msg }) => msg === 'refused');
    };
    const shownAddress = (): Promise<string> => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.getURL() ?? '');
    /** Runs text in the page the way a page does it: under its policy, which a debugger's own scripts are not. */
    const inPage = (text: string): Promise<unknown> =>
      page.evaluate((text) => {
        const holder = globalThis as unknown as { done?: Promise<unknown> };
        holder.done = new Promise((resolve) => {
          setTimeout(() => {
            const script = document.createElement('script');
            script.textContent = text;
            document.head.append(script);
            setTimeout(() => resolve((globalThis as unknown as { ran?: unknown }).ran ?? null), 200);
          }, 0);
        });
        return holder.done;
      }, text);

    test('1, 18: everything comes from app://, nothing from http or file', async () => {
      expect(await shownAddress()).toMatch(/^app:\/\/namesake\//);
      const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin));
      const origin = await page.evaluate(() => location.origin);
      expect(loaded.length).toBeGreaterThan(0);
      expect(new Set(loaded)).toEqual(new Set([origin]));
    });

    test('2, 3, 4, 6, 8, 9, 10, 11: the preferences of the live window', async () => {
      const preferences = await app.evaluate(({ BrowserWindow }) => {
        const contents = BrowserWindow.getAllWindows()[0]?.webContents as unknown as { getLastWebPreferences(): object };
        return JSON.parse(JSON.stringify(contents.getLastWebPreferences())) as Record<string, unknown>;
      });
      expect(preferences).toMatchObject({ sandbox: true, contextIsolation: true, nodeIntegration: false, webviewTag: false });
      expect(preferences['nodeIntegrationInWorker'] ?? false).toBe(false);
      expect(preferences['nodeIntegrationInSubFrames'] ?? false).toBe(false);
      expect(preferences['webSecurity'] ?? true).toBe(true);
      expect(preferences['allowRunningInsecureContent'] ?? false).toBe(false);
      expect(preferences['experimentalFeatures'] ?? false).toBe(false);
      expect(preferences['enableBlinkFeatures'] ?? '').toBe('');
    });

    test.runIf(shell.name === 'stand-in')('4, 18: the sandbox and the scheme are asked for before the app is ready', async () => {
      const calls = await app.evaluate(({ calls }) => calls);
      expect(calls).toContainEqual({ what: 'app.enableSandbox', args: [] });
      expect(calls).toContainEqual({
        what: 'protocol.registerSchemesAsPrivileged',
        args: [[{ scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } }]],
      });
      const options = calls.find(({ what }) => what === 'new BrowserWindow')?.args[0] as { webPreferences: Record<string, unknown> };
      expect(options.webPreferences).toMatchObject({
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        nodeIntegrationInWorker: false,
        nodeIntegrationInSubFrames: false,
        webviewTag: false,
      });
      expect(Object.keys(options.webPreferences)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(webSecurity|allowRunningInsecureContent|experimentalFeatures|enableBlinkFeatures)$/)]),
      );
    });

    test('5: no permission is granted', async () => {
      const states = await page.evaluate(async () => {
        const names = ['geolocation', 'notifications', 'camera', 'microphone'] as PermissionName[];
        return Promise.all(names.map(async (name) => (await navigator.permissions.query({ name })).state));
      });
      expect(states).toEqual(['denied', 'denied', 'denied', 'denied']);
      const place = page.evaluate(() => new Promise((resolve) => navigator.geolocation.getCurrentPosition(() => resolve('given'), ({ code }) => resolve(code))));
      expect(await place).toBe(1);
      const camera = page.evaluate(() => navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'given', () => 'denied'));
      expect(await camera).toBe('denied');
    });

    test('7: the policy holds: no inline script, no eval, no other host, no frame of one', async () => {
      expect(await inPage('globalThis.ran = "inline"')).toBeNull();
      const evaluated = page.evaluate(
        () => new Promise((resolve) => setTimeout(() => {
          try {
            resolve(new Function('return 1')());
          } catch (error) {
            resolve((error as Error).name);
          }
        }, 0)),
      );
      expect(await evaluated).toBe('EvalError');
      const fetched = page.evaluate(
        () => new Promise((resolve) => setTimeout(() => void fetch('https://example.com/').then(() => resolve('fetched'), () => resolve('blocked')), 0)),
      );
      expect(await fetched).toBe('blocked');
      const directive = page.evaluate(
        () => new Promise((resolve) => {
          document.addEventListener('securitypolicyviolation', (event) => resolve(event.violatedDirective), { once: true });
          setTimeout(() => {
            const frame = document.createElement('iframe');
            frame.src = 'https://example.com/';
            document.body.append(frame);
          }, 0);
        }),
      );
      expect(await directive).toMatch(/^(frame-src|default-src)/);
      const policy = await page.evaluate(async () => (await fetch('/index.html')).headers.get('content-security-policy'));
      expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
      expect(policy).not.toMatch(/unsafe|\*|http/);
    });

    test('12: no webview attaches', async () => {
      const refused = await refusals(() =>
        app.evaluate(({ BrowserWindow }) => {
          const event = { prevented: false, preventDefault: () => (event.prevented = true) };
          const preferences = { nodeIntegration: true };
          (BrowserWindow.getAllWindows()[0]?.webContents as unknown as NodeJS.EventEmitter).emit('will-attach-webview', event, preferences, {});
          if (!event.prevented) throw new Error('a webview may attach');
        }),
      );
      expect(refused).toMatchObject([{ code: 'door.refused', what: 'webview' }]);
    });

    test('13: the page goes nowhere else, however it tries', async () => {
      for (const way of ['href', 'replace', 'look-alike', 'link'] as const) {
        const refused = await refusals(() =>
          page.evaluate((way) => {
            if (way === 'href') location.href = 'https://example.com/';
            else if (way === 'replace') location.replace('http://app.namesake/');
            else if (way === 'look-alike') location.href = 'https://namesake.example.com/index.html';
            else {
              const link = Object.assign(document.createElement('a'), { href: 'https://app.example.com/' });
              document.body.append(link);
              link.click();
            }
          }, way),
        );
        expect(refused, way).toMatchObject([{ code: 'door.refused', what: expect.stringContaining('navigation to "http') }]);
        expect(await shownAddress()).toMatch(/^app:\/\/namesake\//);
      }
      // The page that stays is told on.
      const heard = page.evaluate(() => {
        const { api } = globalThis as PageWindow;
        return new Promise((resolve) => {
          api.onEvents((events) => {
            for (const event of events) if (event.event === 'settings') resolve(event.settings.theme);
          });
          void api.request('settings.set', { theme: 'dark' });
        });
      });
      expect(await heard).toBe('dark');
    });

    test('13: a redirect to elsewhere is stopped', async () => {
      const prevented = await app.evaluate(({ BrowserWindow }) => {
        const contents = BrowserWindow.getAllWindows()[0]?.webContents as unknown as NodeJS.EventEmitter;
        return ['https://example.com/', 'app://namesake.example.com/', 'app://other/', 'file:///etc/passwd', 'not an address', 'app://namesake/index.html'].map((url) => {
          const event = { url, isMainFrame: true, prevented: false, preventDefault: () => (event.prevented = true) };
          contents.emit('will-redirect', event, url);
          return event.prevented;
        });
      });
      expect(prevented).toEqual([true, true, true, true, true, false]);
    });

    test('14, 15: no window opens; only links to known hosts reach the browser of the system', async () => {
      await app.evaluate(({ shell }) => {
        const opened: string[] = [];
        Object.assign(globalThis, { opened });
        shell.openExternal = (address: string) => {
          opened.push(address);
          return Promise.resolve();
        };
      });
      const addresses = [
        'https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct',
        'https://www.apache.org/licenses/LICENSE-2.0',
        'https://example.com/',
        'http://huggingface.co/',
        'https://huggingface.co.example.com/',
        'https://user@huggingface.co/',
        'https://huggingface.co:8443/',
        'file:///etc/passwd',
        'javascript:alert(1)',
      ];
      for (const address of addresses) await page.evaluate((address) => void window.open(address), address);
      await vi.waitFor(async () => {
        const opened = await app.evaluate(() => (globalThis as unknown as { opened: string[] }).opened);
        expect(opened).toEqual(addresses.slice(0, 2));
      }, 60_000);
      await page.waitForTimeout(300);
      expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
    });

    test('16: Electron is one of the three majors that are looked after', () => {
      const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { devDependencies: { electron: string } };
      expect(Number(devDependencies.electron.split('.')[0])).toBeGreaterThanOrEqual(43);
    });

    test('17: a sub-frame has no API, and what it sends all the same is refused', async () => {
      const inFrame = await page.evaluate(() => {
        const frame = document.createElement('iframe');
        document.body.append(frame);
        return typeof (frame.contentWindow as unknown as { api?: unknown }).api;
      });
      expect(inFrame).toBe('undefined');
      if (shell.name !== 'stand-in') return;
      for (const channel of ['request', 'files.choose', 'files.drop']) {
        let reply: unknown;
        const refused = await refusals(async () => {
          reply = await app.evaluate(
            ({ BrowserWindow }, channel) =>
              (BrowserWindow.getAllWindows()[0]?.webContents as unknown as { standinSendFromSubFrame(channel: string, args: unknown[]): Promise<unknown> })
                .standinSendFromSubFrame(channel, ['runs.list', {}]),
            channel,
          );
        });
        expect(reply, channel).toMatchObject({ ok: false, error: { code: 'door.refused' } });
        expect(refused, channel).toMatchObject([{ code: 'door.refused', channel }]);
      }
    });

    test('17: another page in the window is refused', async () => {
      const foreign = await shell.launch();
      try {
        await foreign.page();
        await foreign.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.loadURL('data:text/html,<title>foreign</title>'));
        const there = await foreign.page();
        expect(await ask(there, 'runs.list')).toMatchObject({ ok: false, error: { code: 'door.refused' } });
        const lines = readLines<LogLine>(join(foreign.home, 'logs', 'namesake.log')).filter(({ msg, channel }) => msg === 'refused' && channel === 'request');
        expect(lines).toMatchObject([{ code: 'door.refused' }]);
      } finally {
        await foreign.kill();
      }
    });

    test('18: no path leads out of the page’s folder', async () => {
      const corpus = [
        '/../main/index.js',
        '/..%2fmain/index.js',
        '/%2e%2e/main/index.js',
        '/%2e%2e%2fmain%2findex.js',
        '/assets/..%5c..%5cmain/index.js',
        '/assets/%2e%2e/%2e%2e/preload/index.cjs',
        '/%2fetc/passwd',
        '/C:/Windows/win.ini',
        '/index.html%00.js',
        '/%',
        '/assets',
      ];
      const answers = await page.evaluate(
        (corpus) => Promise.all(corpus.map(async (path) => {
          const { status, headers } = await fetch(path);
          return { status, type: headers.get('content-type'), policy: headers.get('content-security-policy') !== null };
        })),
        corpus,
      );
      for (const answer of answers) expect(answer).toEqual({ status: 404, type: null, policy: true });
    });

    test('19: the fuses of the package', () => {
      const text = readFileSync(join(root, 'electron-builder.yml'), 'utf8');
      const fuses = {
        runAsNode: false,
        enableCookieEncryption: false,
        enableNodeOptionsEnvironmentVariable: false,
        enableNodeCliInspectArguments: false,
        enableEmbeddedAsarIntegrityValidation: true,
        onlyLoadAppFromAsar: true,
        grantFileProtocolExtraPrivileges: false,
      };
      for (const [name, value] of Object.entries(fuses)) expect(text).toMatch(new RegExp(`^  ${name}: ${value}$`, 'm'));
    });

    test('20: the page gets named functions and nothing of Electron or Node', async () => {
      const seen = await page.evaluate(() => {
        const { api } = globalThis as PageWindow;
        return {
          keys: Object.keys(api).sort(),
          files: Object.keys(api.files).sort(),
          node: ['require', 'process', 'module', 'Buffer', 'ipcRenderer', 'electron'].filter((name) => name in globalThis),
          frozen: (() => {
            try {
              (api as { request: unknown }).request = null;
            } catch {
              return true;
            }
            return typeof api.request === 'function';
          })(),
        };
      });
      expect(seen).toEqual({ keys: ['files', 'language', 'onEvents', 'platform', 'request'], files: ['choose', 'fromDrop'], node: [], frozen: true });
      const heard = await page.evaluate(
        () => new Promise<number>((resolve) => {
          const { api } = globalThis as PageWindow;
          const leave = api.onEvents((...args: unknown[]) => {
            leave();
            resolve(args.length);
          });
          void api.request('settings.set', { notify_when_done: false });
        }),
      );
      expect(heard).toBe(1);
    });

    test('a name that is no request goes no further than the preload', async () => {
      for (const name of ['run', '__proto__', 'constructor', 'files.choose', 'toString', '']) {
        expect(await ask(page, name), name).toMatchObject({ ok: false, error: { code: 'request.unknown' } });
      }
    });

    test('malformed, oversized and hostile messages are refused by code, each with one line of the log', async () => {
      const cases: [string, unknown, string][] = [
        ['runs.get', {}, 'request.invalid'],
        ['runs.get', { run: '../../etc' }, 'request.invalid'],
        ['runs.get', { run: '20200101-000000-abcdef', extra: 1 }, 'request.invalid'],
        ['runs.get', Array.from({ length: 60 }).reduce<unknown>((inner) => [inner], 1), 'request.invalid'],
        ['chats.say', { chat: 1, text: 'x'.repeat(5_000_000), sides: ['after'] }, 'request.too_large'],
        ['models.add', { file: '/etc/passwd' }, 'request.invalid'],
      ];
      for (const [name, input, code] of cases) {
        const what = `${name} ${JSON.stringify(input).slice(0, 60)}`;
        let reply: unknown;
        const refused = await refusals(async () => (reply = await ask(page, name, input)));
        expect(reply, what).toMatchObject({ ok: false, error: { code } });
        expect(refused, what).toHaveLength(1);
      }
      const polluting = page.evaluate(() => {
        const input = JSON.parse('{"run":"20200101-000000-abcdef","__proto__":{"x":1}}') as unknown;
        return (globalThis as PageWindow).api.request('runs.get', input);
      });
      expect(await polluting).toMatchObject({ ok: false, error: { code: 'request.invalid' } });
    });

    test('a flood is refused after its first two hundred, with one line of the log; the page is answered again soon', async () => {
      let codes: string[] = [];
      const refused = await refusals(async () => {
        codes = await page.evaluate(async () => {
          const { api } = globalThis as PageWindow;
          const replies = await Promise.all(Array.from({ length: 1000 }, () => api.request('app.about', {})));
          return replies.map((reply) => (reply.ok ? 'ok' : reply.error.code));
        });
      });
      const answered = codes.filter((code) => code === 'ok').length;
      expect(answered).toBeGreaterThan(100);
      expect(answered).toBeLessThan(900);
      expect(new Set(codes)).toEqual(new Set(['ok', 'request.too_many']));
      expect(refused).toMatchObject([{ code: 'request.too_many' }]);
      await page.waitForTimeout(500);
      expect(await ask(page, 'app.about')).toMatchObject({ ok: true });
    });

    test('a dropped file becomes an id; a path that is made up does not', async () => {
      mkdirSync(join(app.home, 'mine'), { recursive: true });
      const file = join(app.home, 'mine', 'rows.jsonl');
      writeFileSync(file, '{"messages":[]}\n');
      await page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), { type: 'file', id: 'handed' })));
      // Playwright would hand a copy to a browser that it did not start.
      const session = await page.context().newCDPSession(page);
      const { root: top } = await session.send('DOM.getDocument');
      const { nodeId } = await session.send('DOM.querySelector', { nodeId: top.nodeId, selector: '#handed' });
      await session.send('DOM.setFileInputFiles', { nodeId, files: [file] });
      await session.detach();
      const drop = (kind: string): Promise<unknown> =>
        page.evaluate((kind) => {
          const input = document.querySelector<HTMLInputElement>('#handed');
          return (globalThis as PageWindow).api.files.fromDrop(input?.files?.[0] as File, kind as 'rows');
        }, kind);
      expect(await drop('rows')).toEqual({ ok: true, result: { file: expect.stringMatching(/^[0-9a-f]{32}$/), name: 'rows.jsonl' } });
      expect(await drop('model')).toMatchObject({ ok: false, error: { code: 'request.invalid' } });
      expect(await drop('anything')).toMatchObject({ ok: false, error: { code: 'request.invalid' } });
      // A File that has no path.
      const madeUp = page.evaluate(() => (globalThis as PageWindow).api.files.fromDrop(new File(['x'], 'rows.jsonl'), 'rows'));
      expect(await madeUp).toMatchObject({ ok: false, error: { code: 'request.invalid' } });
    });

    test('a chosen file becomes an id; choosing none is no error', async () => {
      const file = join(app.home, 'mine', 'rows.jsonl');
      await app.evaluate(({ dialog }, file) => {
        const asked: unknown[] = [];
        Object.assign(globalThis, { asked });
        dialog.showOpenDialog = ((...args: unknown[]) => {
          asked.push(args.at(-1));
          return Promise.resolve({ canceled: asked.length > 1, filePaths: asked.length > 1 ? [] : [file] });
        }) as typeof dialog.showOpenDialog;
      }, file);
      const choose = (): Promise<unknown> => page.evaluate(() => (globalThis as PageWindow).api.files.choose('rows'));
      expect(await choose()).toEqual({ ok: true, result: { file: expect.stringMatching(/^[0-9a-f]{32}$/), name: 'rows.jsonl' } });
      expect(await choose()).toEqual({ ok: true, result: null });
      const asked = await app.evaluate(() => (globalThis as unknown as { asked: { properties: string[]; filters: { extensions: string[] }[] }[] }).asked);
      expect(asked[0]).toMatchObject({ properties: ['openFile'], filters: [{ extensions: ['jsonl', 'json'] }] });
    });

    test('crash dumps stay in the home', async () => {
      expect(await app.evaluate(({ app }) => app.getPath('crashDumps'))).toBe(join(app.home, 'crashes'));
      expect(await app.evaluate(({ crashReporter }) => crashReporter.getUploadToServer())).toBe(false);
    });
  });
});
