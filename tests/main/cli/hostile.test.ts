// Hostile models, files and folders: each gives its code, from the engine and from the command line.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type EngineProcess } from '../../../main/engine/client.ts';
import { NamesakeError } from '../../../shared/errors.ts';
import { errorCode, namesake } from '../../support/cli.ts';
import { fixture, readJson, temporaryFolder } from '../../support/files.ts';

vi.setConfig({ testTimeout: 30_000 });

const expected = Object.entries(readJson(fixture('hostile/expected.json')) as Record<string, [string, string]>);

describe('opening', () => {
  let engine: EngineProcess;
  beforeAll(() => {
    engine = startEngine({ priority: 'normal' });
  });
  afterAll(() => engine.dispose());

  it.each(expected)('%s gives %j', async (file, [code]) => {
    const outcome = await engine
      .open({ path: fixture('hostile', file), precision: 'as-stored', device: 'cpu', threads: 1, isa: 'auto' })
      .then(() => 'ok')
      .catch((error: unknown) => (error instanceof NamesakeError ? error.code : String(error)));
    expect(outcome).toBe(code);
  });
});

// One file of each code through the command line, which makes every check that loading makes.
const files = expected.filter(([file, [code]]) => file.endsWith('.gguf') && code !== 'ok');
const byCode = [...new Map(files.map(([file, [code]]) => [code, file] as const))];
it.each(byCode)('inspect model says %s for %s', async (code, file) => {
  const result = await namesake(['inspect', 'model', fixture('hostile', file), '--json'], { home: temporaryFolder() });
  expect(errorCode(result)).toBe(code);
  expect(result.events).toHaveLength(1);
});
