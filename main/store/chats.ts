// Chats: conversations that a person had with a model, message by message.
import type { Message } from '../../shared/row.ts';
import type { Db } from './db.ts';

export class ChatStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  create(model: string, run: string | null): number {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO chats (run_id, model, created_at) VALUES (?, ?, ?)')
      .run(run, model, new Date().toISOString());
    return Number(lastInsertRowid);
  }

  add(chat: number, message: Message): void {
    this.#db
      .prepare(
        `INSERT INTO chat_messages (chat_id, place, role, content)
         VALUES (@chat, (SELECT count(*) FROM chat_messages WHERE chat_id = @chat), @role, @content)`,
      )
      .run({ chat, role: message.role, content: message.content });
  }

  messages(chat: number): Message[] {
    return this.#db
      .prepare<[number], Message>('SELECT role, content FROM chat_messages WHERE chat_id = ? ORDER BY place')
      .all(chat);
  }
}
