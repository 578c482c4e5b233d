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
