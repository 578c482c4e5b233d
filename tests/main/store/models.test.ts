import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Db } from '../../../main/store/db.ts';
import { ModelStore } from '../../../main/store/models.ts';
import { temporaryFolder } from '../../support/files.ts';

describe('ModelStore', () => {
  let db: Db;
  let models: ModelStore;
  beforeEach(() => {
    db = openDatabase(join(temporaryFolder(), 'namesake.db'));
    models = new ModelStore(db);
    return () => {
      db.close();
    };
  });

  it('adds, replaces, finds and lists models by id', () => {
    models.add({ id: 'b', path: '/b.gguf' });
    models.add({ id: 'a', path: '/old.gguf' });
    models.add({ id: 'a', path: '/文件 a.gguf' });
    expect(models.list()).toEqual([{ id: 'a', path: '/文件 a.gguf' }, { id: 'b', path: '/b.gguf' }]); // prettier-ignore
    expect(models.find('a')).toEqual({ id: 'a', path: '/文件 a.gguf' });
    expect(models.find('c')).toBeUndefined();
    expect([models.remove('a'), models.remove('a')]).toEqual([true, false]);
    expect(models.list()).toEqual([{ id: 'b', path: '/b.gguf' }]);
  });

  it('remembers what a hub holds by its REF', () => {
    const model = {
      ...{ id: 'hf--o--n--1', file: 'n.gguf', size_bytes: 5, sha256: 'a'.repeat(64), licence: null, licence_url: null },
      sources: [{ kind: 'huggingface' as const, repo: 'o/n', revision: 'main', file: 'n.gguf' }],
    };
    models.addHubModel('hf:o/n', { ...model, size_bytes: 4 });
    models.addHubModel('hf:o/n', model);
    models.addHubModel('hf:o/m', model);
    expect(models.hubModel('hf:o/n')).toEqual(model);
    expect(models.hubModel('hf:o/x')).toBeUndefined();
    expect(models.hubModels()).toEqual([{ ref: 'hf:o/m', model }, { ref: 'hf:o/n', model }]);
    // One row that is none costs itself alone.
    models.addHubModel('hf:o/bad', { ...model, size_bytes: 2 ** 53 });
    expect(models.hubModel('hf:o/bad')).toBeUndefined();
    expect(models.hubModels().map(({ ref }) => ref)).toEqual(['hf:o/m', 'hf:o/n']);
    expect([models.removeHubModel('hf:o/m'), models.removeHubModel('hf:o/m')]).toEqual([true, false]);
  });

  it('knows a hash for one size and time only', () => {
    models.addFileHash('/m.gguf', 5, 1.5, 'a');
    models.addFileHash('/m.gguf', 6, 2.25, 'b');
    expect([models.fileHash('/m.gguf', 5, 1.5), models.fileHash('/m.gguf', 6, 2.25), models.fileHash('/m.gguf', 6, 2.5)]).toEqual([undefined, 'b', undefined]);
  });

  it('remembers the licence that was accepted, not another one', () => {
    models.acceptLicence('hf:o/n', 'old');
    models.acceptLicence('hf:o/n', 'new');
    expect([models.licenceAccepted('hf:o/n', 'new'), models.licenceAccepted('hf:o/n', 'old'), models.licenceAccepted('hf:o/m', 'new')]).toEqual([true, false, false]);
  });

  it('knows the models of runs that go on', () => {
    const insert = db.prepare(`INSERT INTO runs (id, name, status, recipe, steps, created_at, updated_at) VALUES (?, '', ?, ?, 1, '', '')`);
    for (const [id, status] of [['a', 'running'], ['b', 'done'], ['c', 'preparing'], ['d', 'running']] as const) {
      insert.run(id, status, JSON.stringify({ model: { ref: id === 'd' ? 'ref-a' : `ref-${id}` } }));
    }
    expect(models.trainedRefs().sort()).toEqual(['ref-a', 'ref-c']);
  });

  it('remembers base answers by model, system text and length', () => {
    models.addBaseAnswers('m', null, 48, [['q', { text: 'none', cut: false }], ['r', { text: 'long', cut: true }]]); // prettier-ignore
    models.addBaseAnswers('m', '', 48, [['q', { text: 'empty', cut: false }]]);
    models.addBaseAnswers('m', 'Be brief.', 48, [['q', { text: 'text', cut: false }]]);
    models.addBaseAnswers('m', null, 24, [['q', { text: 'short', cut: true }]]);
    models.addBaseAnswers('other', null, 48, [['q', { text: 'other', cut: false }]]);
    expect(models.baseAnswers('m', null, 48)).toEqual(
      new Map([['q', { text: 'none', cut: false }], ['r', { text: 'long', cut: true }]]), // prettier-ignore
    );
    expect(models.baseAnswers('m', '', 48).get('q')?.text).toBe('empty');
    expect(models.baseAnswers('m', 'Be brief.', 48).get('q')?.text).toBe('text');
    expect(models.baseAnswers('m', null, 24).get('q')).toEqual({ text: 'short', cut: true });
    expect(models.baseAnswers('nobody', null, 48).size).toBe(0);
  });

  it('replaces an answer, also where no system text was given', () => {
    for (const text of ['old', 'new']) models.addBaseAnswers('m', null, 48, [['q', { text, cut: false }]]);
    expect(models.baseAnswers('m', null, 48)).toEqual(new Map([['q', { text: 'new', cut: false }]]));
  });

  it('adds all answers or none', () => {
    const answers = [['q', { text: 'a', cut: false }], ['r', { text: null as unknown as string, cut: false }]] as const; // prettier-ignore
    expect(() => {
      models.addBaseAnswers('m', null, 48, answers);
    }).toThrow(/NOT NULL/);
    expect(models.baseAnswers('m', null, 48).size).toBe(0);
  });
});
