import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ChatStore } from '../../../main/store/chats.ts';
import { openDatabase, type Db } from '../../../main/store/db.ts';
import { RunStore } from '../../../main/store/runs.ts';
import { recipeSchema } from '../../../shared/recipe.ts';
import type { Message } from '../../../shared/row.ts';
import { temporaryFolder } from '../../support/files.ts';

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

  it('keeps messages in order, each chat its own', () => {
    const said: Message[] = [
      { role: 'system', content: '' },
      { role: 'user', content: '你好 "\'; DROP TABLE chats' },
      { role: 'assistant', content: 'line\nline' },
    ];
    const [one, two] = [chats.create('m', null), chats.create('m', null)];
    expect(one).not.toBe(two);
    for (const message of said) {
      chats.add(one, message);
      chats.add(two, { ...message, content: `${message.content}!` });
    }
    expect(chats.messages(one)).toEqual(said);
    expect(chats.messages(two).map(({ content }) => content)).toEqual(said.map(({ content }) => `${content}!`));
    expect(chats.messages(99)).toEqual([]);
  });

  it('outlives its run', () => {
    new RunStore(db).create('r', recipeSchema.parse({ data: { source: 'rows.jsonl' } }));
    const chat = chats.create('m', 'r');
    chats.add(chat, { role: 'user', content: 'hi' });
    db.prepare('DELETE FROM runs').run();
    expect(chats.messages(chat)).toHaveLength(1);
    expect(db.prepare('SELECT run_id FROM chats').get()).toEqual({ run_id: null });
  });

  it('refuses a run or chat that is not there', () => {
    expect(() => chats.create('m', 'nobody')).toThrow(/FOREIGN KEY/);
    expect(() => {
      chats.add(99, { role: 'user', content: 'hi' });
    }).toThrow(/FOREIGN KEY/);
  });
});
