import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { answer, CONTENT_SECURITY_POLICY, fileOf, isAppUrl } from '../../../main/desktop/protocol.ts';
import { temporaryFolder } from '../../support/files.ts';

vi.mock('electron', () => ({ protocol: {} }));

const folder = join('/', 'app', 'renderer');

test.each([
  ['app://namesake/', 'index.html'],
  ['app://namesake/index.html', 'index.html'],
  ['app://namesake/assets/index-a1.js', 'assets/index-a1.js'],
  ['app://namesake/assets/%E5%B0%8F.svg', 'assets/小.svg'],
  ['app://namesake/index.html?v=1#top', 'index.html'],
])('%s is %s of the page’s folder', (address, file) => {
  expect(fileOf(address, folder)).toBe(join(folder, file));
});

test.each([
  'app://namesake/../main/index.js',
  'app://namesake/%2e%2e/main/index.js',
  'app://namesake/..%2fmain/index.js',
  'app://namesake/assets/%2e%2e%2f%2e%2e%2fmain/index.js',
  'app://namesake/..%5cmain%5cindex.js',
  'app://namesake/..\\main\\index.js',
  'app://namesake/C:/Windows/win.ini',
  'app://namesake/%43%3A%5CWindows',
  'app://namesake/index.html::$DATA',
  'app://namesake/index.html%00.js',
  'app://namesake/%',
  'app://namesake/%c0%ae%c0%ae/main',
  'app://other/index.html',
  'app://namesake.example.com/index.html',
  'app://user@namesake/index.html',
  'app://namesake:8080/index.html',
  'https://namesake/index.html',
  'file:///etc/passwd',
  'namesake/index.html',
  '',
])('%s is no file outside of the page’s folder', (address) => {
  const file = fileOf(address, folder);
  // Dots that an address already resolves lead to a file inside, which is not there.
  if (file !== null) expect(file.startsWith(`${folder}/`)).toBe(true);
});

test('no address whatever leads out', () => {
  const part = fc.constantFrom('..', '%2e%2e', '.', '%2f', '/', '\\', '%5c', 'a', '%00', ':', '%25', '%252e');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const file = fileOf(`app://namesake/${parts.join('')}`, folder);
      expect(file === null || file.startsWith(`${folder}/`)).toBe(true);
    }),
  );
});

test('only the app’s own origin is its own', () => {
  expect(isAppUrl('app://namesake/index.html')).toBe(true);
  for (const address of ['app://namesake.com/', 'app://x@namesake/', 'app://namesake:1/', 'apps://namesake/', 'https://namesake/', 'app:namesake', 'x']) {
    expect(isAppUrl(address), address).toBe(false);
  }
});

test('files have their type and the policy; anything else is 404, with the policy', async () => {
  const root = temporaryFolder();
  mkdirSync(join(root, 'assets'));
  writeFileSync(join(root, 'index.html'), '<p>hi');
  writeFileSync(join(root, 'secret.txt'), 'x');
  const get = (path: string, method = 'GET'): Promise<Response> => answer({ url: `app://namesake${path}`, method }, root);
  const page = await get('/');
  expect([page.status, page.headers.get('content-type'), await page.text()]).toEqual([200, 'text/html; charset=utf-8', '<p>hi']);
  expect(page.headers.get('x-content-type-options')).toBe('nosniff');
  for (const wrong of [get('/none.js'), get('/assets'), get('/assets/'), get('/secret.txt'), get('/', 'POST'), get('/', 'HEAD')]) {
    const response = await wrong;
    expect([response.status, await response.text()]).toEqual([404, '']);
    expect(response.headers.get('content-security-policy')).toBe(CONTENT_SECURITY_POLICY);
  }
});

test('the policy lets nothing in by default and nothing inline', () => {
  const directives = new Map(CONTENT_SECURITY_POLICY.split('; ').map((line) => [line.split(' ')[0], line.split(' ').slice(1).join(' ')] as const));
  expect(Object.fromEntries(directives)).toEqual({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self' data:",
    'font-src': "'self'",
    'connect-src': "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  });
});
