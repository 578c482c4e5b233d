// Files in, files out, and files of the page: nothing else of the disk can be named.
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { doorLimits } from '../../../main/serve/door.ts';
import { temporaryFolder } from '../../support/files.ts';
import { askRaw, type Answer } from '../../support/door-client.ts';
import { openDoor, type TestDoor } from './open-door.ts';

const uploads = { ...doorLimits.uploads, model: 2_000_000, other: 1_000_000 };

/** Sends a file as a window does. */
function upload(door: TestDoor, cookie: string, name: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return door.ask({ path: `/files?name=${encodeURIComponent(name)}`, method: 'POST', body, headers: { cookie, origin: door.door.origin, ...headers } });
}

function codeOf({ body }: Answer): string {
  return (JSON.parse(body) as { error: { code: string } }).error.code;
}

function idOf({ status, body }: Answer): string {
  expect([status, body]).toEqual([200, expect.stringMatching(/^\{"ok":true,"result":\{"file":"[0-9a-f]{32}","name":".*"\}\}$/)]);
  return (JSON.parse(body) as { result: { file: string } }).result.file;
}

/** What lies in the folder of uploads. */
function uploaded(door: TestDoor): string[] {
  return existsSync(door.home.uploads) ? readdirSync(door.home.uploads) : [];
}

/** Paths that try to leave the folder of the page. */
const traversals = [
  '/../secret.txt',
  '/../../../../../../etc/passwd',
  '/assets/../../secret.txt',
  '/assets/..%2f..%2fsecret.txt',
  '/%2e%2e/secret.txt',
  '/%2e%2e%2fsecret.txt',
  '/..%5csecret.txt',
  '/..\\secret.txt',
  '/%252e%252e/secret.txt',
  '/....//secret.txt',
  '/.%00./secret.txt',
  '/index.html%00.txt',
  '//etc/passwd',
  '///etc/passwd',
  '/etc/passwd',
  '/%2fetc/passwd',
  '/C:/Windows/win.ini',
  '/file:///etc/passwd',
  '/%c0%ae%c0%ae/secret.txt',
  '/.secret',
  '/assets/',
  '/assets',
  '/index.html/',
  '/%',
  '/%ff',
  '/w/AAAAAAAAAAAAAAAAAAAAAA/../secret.txt',
  '/w/AAAAAAAAAAAAAAAAAAAAAA/w/AAAAAAAAAAAAAAAAAAAAAA/',
  '/files/../../secret.txt',
  '/files/..%2f..%2fetc%2fpasswd',
  '/files/%2e%2e',
  '/files/00000000000000000000000000000000',
  '/files/000000000000000000000000000000000',
  '/files/0000000000000000000000000000000G',
  '/files/',
  '/files',
  '/files/' + 'a'.repeat(5000),
];

describe('a path', () => {
  it.each(traversals)('%s is refused with a code and one line', async (path) => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const answer = await door.ask({ path, headers: { cookie } });
    expect([400, 404]).toContain(answer.status);
    expect(['request.invalid', 'request.unknown', 'file.unknown']).toContain(codeOf(answer));
    expect(answer.body).not.toMatch(/outside|hidden|root:/);
    expect(door.log()).toHaveLength(1);
  });

  it('with a scheme or a host in it leads nowhere else', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const { port } = door.door;
    const answer = await askRaw(port, `GET http://evil.example/etc/passwd HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404)/);
  });

  it('of the page is served, also under the private path', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    for (const path of ['/', '/index.html', '/w/AAAAAAAAAAAAAAAAAAAAAA/', '/w/AAAAAAAAAAAAAAAAAAAAAA/assets/index-abc123.js']) {
      expect(await door.ask({ path, headers: { cookie } })).toMatchObject({ status: 200 });
    }
  });
});

describe('an upload', () => {
  it('is streamed to the home and known by an id alone', async () => {
    const door = await openDoor({ limits: { uploads } });
    const cookie = await door.signIn();
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    const id = idOf(await upload(door, cookie, 'rows.jsonl', bytes));
    const { path, name } = door.core.files.take(id);
    expect(name).toBe('rows.jsonl');
    expect(path.startsWith(door.home.uploads)).toBe(true);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(uploaded(door)).toHaveLength(1);
    expect(door.log()).toEqual([]);
  });

  const names: [string, string][] = [
    ['../../../etc/passwd', 'passwd'],
    ['..\\..\\windows\\win.ini', 'win.ini'],
    ['/absolute/name.gguf', 'name.gguf'],
    ['a\u0000b\u202Ec.jsonl', 'abc.jsonl'],
    ['line\r\nX-Header: 1', 'lineX-Header 1'],
    ['..', 'file'],
    ['小锋.jsonl', '小锋.jsonl'],
  ];
  it('has the last part of its name, whatever path that pretends to be', async () => {
    const door = await openDoor({ limits: { uploads } });
    const cookie = await door.signIn();
    for (const [given, kept] of names) {
      const id = idOf(await upload(door, cookie, given, 'x'));
      const { path, name } = door.core.files.take(id);
      expect([given, name]).toEqual([given, kept]);
      expect(path).toMatch(/\/uploads\/[0-9a-f]{32}$/);
    }
    expect(readdirSync(door.home.folder).filter((name) => !name.startsWith('namesake.db'))).toEqual(['uploads']);
  });

  it('without a name is refused', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const headers = { cookie, origin: door.door.origin };
    for (const path of ['/files', '/files?name=', '/files?name=a&name=b', `/files?name=${'a'.repeat(300)}`]) {
      const answer = await door.ask({ path, method: 'POST', body: 'x', headers });
      expect([path, answer.status, codeOf(answer)]).toEqual([path, 400, 'request.invalid']);
    }
  });

  it('over the limit is refused before it comes, and while it comes where it does not say how long it is', async () => {
    const door = await openDoor({ limits: { uploads } });
    const cookie = await door.signIn();
    const announced = await upload(door, cookie, 'rows.jsonl', Buffer.alloc(1_000_001));
    expect([announced.status, codeOf(announced)]).toEqual([413, 'file.too_large']);
    expect(announced.body).toContain('"limit":1');
    expect(uploaded(door)).toEqual([]);
    const chunked = await upload(door, cookie, 'rows.jsonl', Buffer.alloc(1_500_000), { 'transfer-encoding': 'chunked' });
    expect([chunked.status, codeOf(chunked)]).toEqual([413, 'file.too_large']);
    expect(uploaded(door)).toEqual([]);
    idOf(await upload(door, cookie, 'model.GGUF', Buffer.alloc(1_500_000)));
  });

  it('that is cut off leaves nothing, and the next one goes through', async () => {
    const door = await openDoor({ limits: { uploads } });
    const cookie = await door.signIn();
    const { port, origin } = door.door;
    const socket = connect(port, '127.0.0.1');
    socket.write(`POST /files?name=a.jsonl HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nCookie: ${cookie}\r\nContent-Length: 1000\r\n\r\nhalf`);
    await expect.poll(() => uploaded(door)).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.part$/)]);
    // One at a time for a session.
    const second = await upload(door, cookie, 'b.jsonl', 'x');
    expect([second.status, codeOf(second)]).toEqual([429, 'request.too_many']);
    socket.destroy();
    await expect.poll(() => uploaded(door)).toEqual([]);
    idOf(await upload(door, cookie, 'b.jsonl', 'x'));
  });

  it('finds room for so many at a time over all sessions', async () => {
    const door = await openDoor({ limits: { uploads: { ...uploads, together: 1 } } });
    const { port, origin } = door.door;
    const cookie = await door.signIn();
    const socket = connect(port, '127.0.0.1');
    socket.write(`POST /files?name=a.jsonl HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nCookie: ${cookie}\r\nContent-Length: 1000\r\n\r\nhalf`);
    await expect.poll(() => uploaded(door)).toHaveLength(1);
    const other = await upload(door, await door.signIn(), 'b.jsonl', 'x');
    expect([other.status, codeOf(other)]).toEqual([429, 'request.too_many']);
    socket.destroy();
  });

  it.skipIf(process.getuid?.() === 0)('says so where the home cannot be written to', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    chmodSync(door.home.folder, 0o500);
    const answer = await upload(door, cookie, 'a.jsonl', 'x');
    chmodSync(door.home.folder, 0o700);
    expect(codeOf(answer)).toBe('disk.unwritable');
  });
});

describe('a download', () => {
  it('is a file that was offered, whole and as an attachment', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const path = join(temporaryFolder(), 'x');
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7) % 256)).toString('latin1');
    writeFileSync(path, bytes);
    const id = door.core.files.offer(path, "小锋's (adapter).zip");
    const answer = await door.ask({ path: `/files/${id}`, headers: { cookie } });
    expect(answer.status).toBe(200);
    expect(answer.body).toBe(bytes);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(Buffer.byteLength(bytes)),
      'content-disposition': "attachment; filename*=UTF-8''%E5%B0%8F%E9%94%8B%27s%20%28adapter%29.zip",
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('is neither what somebody uploaded nor what is gone', async () => {
    const door = await openDoor();
    const cookie = await door.signIn();
    const own = idOf(await upload(door, cookie, 'a.html', '<script>alert(1)</script>'));
    const gone = door.core.files.offer(join(temporaryFolder(), 'gone'), 'gone');
    const folder = door.core.files.offer(temporaryFolder(), 'folder');
    for (const id of [own, gone, folder]) {
      const answer = await door.ask({ path: `/files/${id}`, headers: { cookie } });
      expect([answer.status, codeOf(answer)]).toEqual([404, 'file.unknown']);
    }
  });
});
