// The door in a real browser: what the browser itself makes of cookie, path, policy and sockets.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { forwardPage } from '../../../main/serve/page.ts';
import { chromiumPath, startChromium } from '../../support/chromium.ts';
import { temporaryFolder } from '../../support/files.ts';
import { openDoor, smallPage } from './open-door.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Another program's server on this machine, at the same host and another port. */
async function otherServer(page: string): Promise<{ url: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request);
    response.setHeader('content-type', 'text/html').end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

/** Waits for a page's title: evaluated conditions are what the policy forbids. */
async function shows(page: Page, title: string): Promise<void> {
  await expect.poll(() => page.title(), { timeout: 30_000 }).toBe(title);
}

/** A page that asks the API and writes what it hears. */
function askingPage(): string {
  const folder = smallPage();
  writeFileSync(
    join(folder, 'assets', 'index-abc123.js'),
    `const url = new URL('api', location.href); url.protocol = 'ws:';
     const socket = new WebSocket(url);
     socket.onopen = () => socket.send(JSON.stringify({ id: 1, name: 'app.about', input: {} }));
     socket.onmessage = ({ data }) => { document.title = JSON.parse(data).result.door; };`,
  );
  return folder;
}

describe.skipIf(chromiumPath === null)('a browser', () => {
  it('signs in with the printed address, and with it once', async () => {
    const door = await openDoor({ page: askingPage() });
    const context = await startChromium();
    const page = await context.newPage();
    const address = door.door.newAddress();
    await page.goto(address);
    await shows(page, 'serve');
    expect(page.url()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/w\/[\w-]{22}\/$/);
    expect(await page.evaluate('document.cookie')).toBe('');
    await page.reload();
    await shows(page, 'serve');
    const second = await (await startChromium({ locale: 'zh-CN' })).newPage();
    const refused = await second.goto(address);
    expect(refused?.status()).toBe(401);
    expect(await second.textContent('p')).toContain('这个窗口尚未登录');
  });

  it('signs in from a file of the person’s own, and from a link in another page', async () => {
    const door = await openDoor({ page: askingPage() });
    const file = join(temporaryFolder(), 'serve.html');
    writeFileSync(file, forwardPage('en', door.door.newAddress()));
    const page = await (await startChromium()).newPage();
    await page.goto(pathToFileURL(file).href);
    await shows(page, 'serve');
    // A notebook or a terminal in a page is mostly on the same machine: another site by one name, the same one by the other.
    for (const host of ['localhost', '127.0.0.1']) {
      const { url } = await otherServer(`<a href="${door.door.newAddress().replace('127.0.0.1', host)}">open</a>`);
      const other = await (await startChromium()).newPage();
      await other.goto(url);
      await other.click('a');
      await shows(other, 'serve');
    }
  });

  it('sends the cookie to no other program on this machine', async () => {
    const door = await openDoor({ page: askingPage() });
    const page = await (await startChromium()).newPage();
    await page.goto(door.door.newAddress());
    await shows(page, 'serve');
    const { url, asked } = await otherServer('<title>other</title>');
    await page.goto(url);
    await page.goto(`${url}w/AAAAAAAAAAAAAAAAAAAAAA/`);
    expect(asked.length).toBeGreaterThanOrEqual(2);
    for (const { headers } of asked) expect(headers.cookie).toBeUndefined();
  });

  it('lets no other page use the session: no request, no socket, no frame, no script', async () => {
    const door = await openDoor({ page: askingPage() });
    const page = await (await startChromium()).newPage();
    await page.goto(door.door.newAddress());
    await shows(page, 'serve');
    const own = page.url();
    // Even one that learnt the private path, and is of the same site as this door.
    const { url } = await otherServer('<title>evil</title>');
    await page.goto(url);
    const outcome = await page.evaluate(
      `(async () => {
        const own = ${JSON.stringify(own)};
        const fetched = await fetch(own, { credentials: 'include' }).then(() => 'read', () => 'refused');
        const posted = await fetch(own + 'files?name=a', { method: 'POST', mode: 'no-cors', credentials: 'include', body: 'x' }).then(({ type }) => type, () => 'refused');
        const socket = await new Promise((resolve) => {
          const socket = new WebSocket(own.replace('http', 'ws') + 'api');
          socket.onopen = () => resolve('open');
          socket.onclose = () => resolve('refused');
        });
        const script = await new Promise((resolve) => {
          const element = document.createElement('script');
          element.src = own + 'assets/index-abc123.js';
          element.onload = () => resolve('ran');
          element.onerror = () => resolve('refused');
          document.head.append(element);
        });
        return { fetched, posted, socket, script };
      })()`,
    );
    expect(outcome).toEqual({ fetched: 'refused', posted: expect.stringMatching(/opaque|refused/) as string, socket: 'refused', script: 'refused' });
    expect(door.door.windows).toBe(0);
    expect(new Set(door.log().map(({ code }) => code))).toEqual(new Set(['door.refused']));
  });

  it('runs no script that is not a file of the page, and talks to nobody else', async () => {
    const folder = askingPage();
    writeFileSync(
      join(folder, 'index.html'),
      `<!doctype html><link rel="icon" href="data:,"><body><script>document.title = 'inline'</script><script src="./assets/index-abc123.js"></script>`,
    );
    const door = await openDoor({ page: folder });
    const { url, asked } = await otherServer('');
    const page = await (await startChromium()).newPage();
    await page.goto(door.door.newAddress());
    await shows(page, 'serve');
    const reached = await page.evaluate(`fetch(${JSON.stringify(url)}, { mode: 'no-cors' }).then(() => 'reached', () => 'refused')`);
    expect(reached).toBe('refused');
    expect(asked).toEqual([]);
  });
});
