// The contract as windows meet it: strict inputs, refusals by code with one line of log, and an answer whatever comes.
import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { isRequestName, requests, type RequestName } from '../../../shared/api.ts';
import { errorCodes } from '../../../shared/errors.ts';
import '../../support/arbitrary.ts';
import { tinyApi, type TinyApi } from '../../support/tiny-api.ts';

vi.setConfig({ testTimeout: 60_000 });

const names = Object.keys(requests) as RequestName[];
const run = '20240607-120000-abcdef';
const draft = '0123456789abcdef';
const persona = { owner: 'Ann', name: 'Bo', languages: ['en'] };

/** An input of each request that its schema lets through, and that finds nothing in an empty home. */
const valid: Record<RequestName, Record<string, unknown>> = {
  'app.about': {},
  'app.doctor': {},
  'app.show': { what: 'run', run },
  'app.delete_everything': { confirm: 'delete everything' },
  'app.disk': {},
  'app.licences': {},
  'window.visible': { visible: false },
  'settings.get': {},
  'settings.tokens': {},
  'settings.set': { theme: 'dark' },
  'settings.set_token': { source: 'huggingface', token: null },
  'models.list': {},
  'models.download': { model: 'no-such-model', accept_licence: true },
  'models.pause': { model: 'no-such-model' },
  'models.remove': { model: 'no-such-model' },
  'models.add': { file: '0'.repeat(32) },
  'models.memory': { recipe: { data: { persona }, model: { ref: 'no-such-model' } } },
  'persona.preview': { persona },
  'drafts.create': { persona, model: 'no-such-model' },
  'drafts.from_run': { run },
  'drafts.list': {},
  'drafts.get': { draft },
  'drafts.change': { draft, recipe: { data: { persona } } },
  'drafts.delete': { draft },
  'drafts.questions': { draft },
  'drafts.set_questions': { draft, questions: { identity: ['a'], ordinary: [] } },
  'rows.summary': { of: { draft } },
  'rows.page': { of: { draft }, offset: 0, limit: 10 },
  'rows.life': { of: { draft }, number: 0 },
  'rows.place': { of: { run }, number: 0 },
  'rows.edit': { draft, number: 0, row: { id: 'a', messages: [{ role: 'user', content: 'a' }] } },
  'rows.add': { draft, row: { id: 'a', messages: [{ role: 'user', content: 'a' }] } },
  'rows.delete': { draft, numbers: [0] },
  'rows.undo': { draft },
  'rows.import': { draft, file: '0'.repeat(32), format: 'auto' },
  'runs.start': { draft },
  'runs.list': {},
  'runs.facts': {},
  'runs.deleted': {},
  'runs.get': { run },
  'runs.metrics': { run, after: 0 },
  'runs.probes': { run, step: 0 },
  'runs.pause': { run },
  'runs.resume': { run },
  'runs.stop': { run },
  'runs.cancel': { run },
  'runs.rename': { run, name: 'a' },
  'runs.choose': { run, step: 1 },
  'runs.delete': { run },
  'runs.undelete': { run },
  'runs.diff': { a: run, b: run },
  'chats.open': { target: { run } },
  'chats.reopen': { chat: 1 },
  'chats.say': { chat: 1, text: 'a', sides: ['after'] },
  'chats.cancel': { chat: 1 },
  'chats.close': { chat: 1 },
  'chats.list': {},
  'chats.delete': { chat: 1 },
  'export.adapter': { run },
  'export.state': { run },
};
/** What an empty home answers to them; every other one is refused by a code that says what is missing. */
const answered = new Set<RequestName>([
  'app.about', 'app.doctor', 'app.delete_everything', 'window.visible', 'settings.get', 'settings.set', 'settings.set_token', 'models.list', 'drafts.list', 'app.disk', 'app.licences', 'settings.tokens', 'runs.facts', 'runs.deleted',
  'models.pause', 'persona.preview', 'drafts.delete', 'runs.list', 'chats.cancel', 'chats.close', 'chats.list',
]); // prettier-ignore

function logLines({ core }: TinyApi): Record<string, unknown>[] {
  const path = join(core.home.logs, 'namesake.log');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each(names)('%s', (name) => {
  const { input } = requests[name];

  it('takes no key that it does not know, at any level of its own', () => {
    expect(input.safeParse(valid[name]).success).toBe(true);
    expect(input.safeParse({ ...valid[name], extra: 1 }).success).toBe(false);
    for (const wrong of [null, 1, 'text', [], [valid[name]], true]) expect(input.safeParse(wrong).success).toBe(false);
  });

  it('has a JSON schema: nothing in it but data', () => {
    expect(z.toJSONSchema(input, { io: 'input', unrepresentable: 'throw' })).toMatchObject({ type: 'object', additionalProperties: false });
  });
});

it('every request is answered, or refused by a code that says what is not there', async () => {
  const tiny = tinyApi();
  for (const name of names) {
    if (name === 'app.delete_everything') continue;
    const reply = await tiny.api.request(name, valid[name]);
    expect([name, reply.ok ? true : reply.error.code]).toEqual([name, answered.has(name) ? true : expect.stringMatching(/^(run|draft|chat|file|model)\.(unknown|not_active)$/)]);
  }
});

it('a setting that is changed leaves the others as they are', async () => {
  const { ask } = tinyApi();
  await ask('settings.set', { theme: 'dark', threads: 2 });
  expect(await ask('settings.set', { language: 'zh' })).toMatchObject({ theme: 'dark', threads: 2, language: 'zh' });
});

describe('refusals', () => {
  it('write one line of log with name, code and door, and nothing of what was sent', async () => {
    const tiny = tinyApi();
    const { refused } = tiny;
    const secret = 'geheim-42';
    expect(await refused(secret, {})).toBe('request.unknown');
    expect(await refused('runs.get', { run: `../${secret}` })).toBe('request.invalid');
    expect(await refused('runs.get', { run: 'unknown-1' })).toBe('run.unknown');
    expect(await refused('settings.set_token', { source: 'huggingface', token: secret, extra: secret })).toBe('request.invalid');
    expect(await refused('chats.say', { chat: 4, text: secret, sides: ['after'] })).toBe('chat.unknown');
    expect(logLines(tiny)).toMatchObject([
      { request: 'unknown', code: 'request.unknown', door: 'serve' },
      { request: 'runs.get', code: 'request.invalid' },
      { request: 'runs.get', code: 'run.unknown' },
      { request: 'settings.set_token', code: 'request.invalid' },
      { request: 'chats.say', code: 'chat.unknown' },
    ]);
    expect(JSON.stringify(logLines(tiny))).not.toContain(secret);
  });

  it('of what nobody expected have no words of it: the log says where', async () => {
    const tiny = tinyApi();
    vi.spyOn(tiny.core.runs, 'list').mockImplementation(() => {
      throw new TypeError('about geheim-42');
    });
    const reply = await tiny.api.request('runs.list', {});
    expect(reply).toMatchObject({ ok: false, error: { code: 'internal', params: {} } });
    expect(JSON.stringify(reply)).not.toContain('geheim-42');
    expect(logLines(tiny)).toMatchObject([{ request: 'runs.list', code: 'internal', kind: 'TypeError', door: 'serve' }]);
    expect(JSON.stringify(logLines(tiny))).not.toMatch(/geheim-42|"\/|file:/);
    expect((logLines(tiny)[0]?.['trace'] as string[]).join('\n')).toMatch(/main\/api\//);
  });

  it.each([
    ['a model by its path', 'chats.open', { target: { model: '../../etc/passwd' } }, 'request.invalid'],
    ['a model by an absolute path', 'drafts.create', { persona, model: '/etc/passwd' }, 'request.invalid'],
    ['a model by a path of Windows', 'drafts.create', { persona, model: 'C:\\x.gguf' }, 'request.invalid'],
    ['a file of the working folder as a model', 'drafts.create', { persona, model: 'package.json' }, 'model.unknown'],
    ['a model file of the working folder', 'chats.open', { target: { model: 'x.gguf' } }, 'model.unknown'],
    ['a hub that climbs', 'models.download', { model: 'hf:../../x', accept_licence: true }, 'request.invalid'],
    ['a run that climbs', 'runs.delete', { run: '..' }, 'request.invalid'],
    ['a run with a slash', 'runs.get', { run: 'a/b' }, 'request.invalid'],
    ['a file by its path', 'models.add', { file: '/etc/passwd' }, 'request.invalid'],
    ['memory of a file', 'models.memory', { recipe: { data: { persona }, model: { ref: '/etc/passwd' } } }, 'model.unknown'],
  ])('%s', async (_, name, input, code) => {
    expect(await tinyApi().refused(name, input)).toBe(code);
  });

  it('a recipe may not name files of this machine', async () => {
    const { ask, refused } = tinyApi();
    const made = await ask('drafts.create', { persona: { owner: 'Ann', name: 'Bo', languages: ['en'] } });
    const { recipe } = made;
    for (const wrong of [
      { ...recipe, data: { ...recipe.data, source: '/etc/passwd' } },
      { ...recipe, method: { ...recipe.method, init_adapter: '/etc' } },
      { ...recipe, evaluate: { questions: '/etc/passwd' } },
      { ...recipe, model: { ...recipe.model, ref: '/etc/passwd' } },
    ]) {
      expect(await refused('drafts.change', { draft: made.draft, recipe: wrong })).toMatch(/^(recipe\.invalid|model\.unknown)$/);
    }
    expect((await ask('drafts.get', { draft: made.draft })).recipe).toEqual(recipe);
  });
});

describe('hostile inputs', () => {
  /** Values that JSON, a web socket or a structured clone could bring. */
  const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withNullPrototype: true, withSparseArray: true, maxDepth: 4 });
  const poison = fc.constantFrom<unknown>(
    JSON.parse('{"__proto__":{"polluted":1}}'),
    JSON.parse('{"constructor":{"prototype":{"polluted":1}}}'),
    JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`),
    JSON.parse(`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`),
    Array.from({ length: 200_000 }, () => 0),
    { text: 'x'.repeat(5_000_000) },
  );

  /** A valid input with one of its values, at any depth, made something else. */
  function spoilt(input: Record<string, unknown>): fc.Arbitrary<unknown> {
    const keys = Object.keys(input);
    if (keys.length === 0) return anything;
    return fc.tuple(fc.constantFrom(...keys), fc.oneof(anything, poison)).chain(([key, value]) => {
      const inner = input[key];
      const plain = fc.constant({ ...input, [key]: value });
      const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
      return isObject ? fc.oneof(plain, spoilt(inner as Record<string, unknown>).map((deeper) => ({ ...input, [key]: deeper }))) : plain;
    });
  }

  it('never throw and never change an object that was not theirs: every answer is a reply', async () => {
    const { api } = tinyApi();
    const safe = names.filter((name) => !['app.delete_everything', 'app.doctor', 'models.list', 'models.memory'].includes(name));
    const name = fc.constantFrom<RequestName>(...safe);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.tuple(fc.oneof(anything, fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty')), anything),
          name.chain((one) => fc.tuple(fc.constant(one), fc.oneof(anything, poison, spoilt(valid[one])))),
        ),
        async ([asked, input]) => {
          const reply = await api.request(asked, input);
          if (reply.ok) return isRequestName(asked) && JSON.stringify(reply) !== undefined;
          return errorCodes.includes(reply.error.code) && reply.error.code !== 'internal' && reply.error.detail.length < 2000;
        },
      ),
      { numRuns: 600 },
    );
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('whose getters throw are refused, too', async () => {
    const { api } = tinyApi();
    const trap = new Proxy({}, { ownKeys: () => { throw new Error('trap'); } }); // prettier-ignore
    expect(await api.request('runs.list', trap)).toMatchObject({ ok: false, error: { code: 'internal' } });
  });
});
