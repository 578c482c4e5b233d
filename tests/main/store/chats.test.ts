import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { ChatStore, type ChatPartner, type SaidAnswer } from '../../../main/store/chats.ts';
import { openDatabase, type Db } from '../../../main/store/db.ts';
import { RunStore } from '../../../main/store/runs.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import { thrownBy } from '../../support/errors.ts';
import { root, temporaryFolder } from '../../support/files.ts';

const whole = (text: string): SaidAnswer => ({ text, stop: 'stop' });
const partner: ChatPartner = { model: 'm', run: null, step: null, adapter: null, system: null, precision: 'as-stored', device: 'auto' };

describe('ChatStore', () => {
  let db: Db;
  let chats: ChatStore;
  beforeEach(() => {
    db = openDatabase(join(temporaryFolder(), 'namesake.db'));
    chats = new ChatStore(db);
    return () => {
      db.close();
    };
  });

  it('keeps turns in order, each chat its own, and whom they are with', () => {
    const said = [
      { question: '你好 "\'; DROP TABLE chats', before: 'line\nline', after: null, before_cut: 'length', after_cut: null },
      { question: '', before: null, after: '', before_cut: null, after_cut: 'cancelled' },
    ];
    const other: ChatPartner = { ...partner, adapter: '/a', step: 7, system: '', precision: 'f32', device: 'reference' };
    const [one, two] = [chats.create(partner), chats.create(other)];
    expect(one).not.toBe(two);
    chats.addTurn(one, said[0]?.question ?? '', { before: { text: 'line\nline', stop: 'length' } });
    chats.addTurn(two, 'else', { before: whole('a'), after: whole('b') });
    chats.addTurn(one, '', { after: { text: '', stop: 'cancelled' } });
    expect(chats.turns(one)).toEqual(said);
    expect(chats.turns(two)).toEqual([{ question: 'else', before: 'a', after: 'b', before_cut: null, after_cut: null }]);
    expect(chats.turns(99)).toEqual([]);
    expect(chats.get(one)).toEqual(partner);
    expect(chats.get(two)).toEqual(other);
  });

  it('puts a turn in the place of the last one', () => {
    const chat = chats.create(partner);
    for (const question of ['one', 'two']) chats.addTurn(chat, question, { before: { text: question, stop: 'length' } });
    chats.addTurn(chat, 'three', { after: whole('c') }, true);
    expect(chats.turns(chat).map(({ question, before, after, before_cut }) => [question, before, after, before_cut])).toEqual([
      ['one', 'one', null, 'length'],
      ['three', null, 'c', null],
    ]);
  });

  it('lists chats in which something was said, the one used last first, by their first words', () => {
    const ids = ['one', 'two', 'none'].map((first) => {
      const chat = chats.create({ ...partner, model: first });
      if (first !== 'none') chats.addTurn(chat, first, {});
      return chat;
    });
    db.prepare("UPDATE chats SET used_at = '2026-01-01T00:00:00.000Z'").run();
    const listed = (speaking?: ReadonlyMap<number, string>) => chats.list(speaking).map(({ chat, first }) => [chat, first]);
    expect(listed()).toEqual([[ids[1], 'two'], [ids[0], 'one']]);
    chats.addTurn(ids[0] ?? 0, 'later', {});
    expect(listed()).toEqual([[ids[0], 'one'], [ids[1], 'two']]);
    expect(listed(new Map([[ids[2] ?? 0, 'being answered']]))).toContainEqual([ids[2], 'being answered']);
    // However much was said in them: a list of many stays small, and no character is cut in two.
    chats.addTurn(ids[1] ?? 0, '😀'.repeat(10_000), {}, true);
    const first = '😀'.repeat(200);
    expect(listed()[0]).toEqual([ids[1], first]);
    expect(listed(new Map([[ids[2] ?? 0, '😀'.repeat(10_000)]]))).toContainEqual([ids[2], first]);
  });

  it('removes chats, and those that are empty', () => {
    const [said, empty] = [chats.create(partner), chats.create(partner)];
    chats.addTurn(said, 'q', { before: whole('a') });
    chats.deleteIfEmpty(said);
    chats.deleteIfEmpty(empty);
    expect(chats.get(said).model).toBe('m');
    expect(thrownBy(() => chats.get(empty)).code).toBe('chat.unknown');
    const left = chats.create(partner);
    const opened = new Date(db.prepare<[number], { at: string }>('SELECT created_at AS at FROM chats WHERE id = ?').get(left)?.at ?? '');
    chats.deleteEmptyBefore(opened);
    expect(chats.get(left).model).toBe('m');
    chats.deleteEmptyBefore(new Date(opened.getTime() + 1));
    expect(thrownBy(() => chats.get(left)).code).toBe('chat.unknown');
    expect(chats.get(said).model).toBe('m');
    chats.delete(said);
    expect(chats.turns(said)).toEqual([]);
    expect(thrownBy(() => chats.delete(said)).code).toBe('chat.unknown');
    expect(thrownBy(() => chats.addTurn(said, 'q', {})).code).toBe('chat.unknown');
  });

  it('outlives its run', () => {
    new RunStore(db).create('r', recipeSchema.parse({ data: { source: 'rows.jsonl' } }));
    const chat = chats.create({ ...partner, run: 'r' });
    chats.addTurn(chat, 'hi', {});
    db.prepare('DELETE FROM runs').run();
    expect(chats.turns(chat)).toHaveLength(1);
    expect(chats.get(chat).run).toBeNull();
  });

  it('refuses a run that is not there', () => {
    expect(() => chats.create({ ...partner, run: 'nobody' })).toThrow(/FOREIGN KEY/);
  });
});

it('the chats of an older home become turns', () => {
  const path = join(temporaryFolder(), 'namesake.db');
  const old = new Database(path);
  old.exec(readFileSync(join(root, 'main', 'store', 'migrations', '001-runs.sql'), 'utf8'));
  old.pragma('user_version = 1');
  old.exec(`
    INSERT INTO runs (id, name, status, recipe, steps, created_at, updated_at) VALUES ('r', 'r', 'done', '{}', 1, '', '');
    INSERT INTO chats VALUES (1, NULL, 'm', ''), (2, 'r', 'm', '');
    INSERT INTO chat_messages VALUES (1, 0, 'user', 'q0'), (1, 1, 'assistant', 'a0'), (1, 2, 'user', 'q1'), (1, 3, 'assistant', 'a1'),
      (2, 0, 'user', 'who'), (2, 1, 'assistant', 'me'), (2, 2, 'user', 'unanswered');
  `);
  old.close();
  const db = openDatabase(path);
  const chats = new ChatStore(db);
  expect(chats.turns(1)).toEqual([
    { question: 'q0', before: 'a0', after: null, before_cut: null, after_cut: null },
    { question: 'q1', before: 'a1', after: null, before_cut: null, after_cut: null },
  ]);
  expect(chats.turns(2)).toEqual([{ question: 'who', before: null, after: 'me', before_cut: null, after_cut: null }]);
  expect(chats.get(2)).toEqual({ ...partner, run: 'r' });
  db.close();
});
