// Chats: conversations that a person had with a model, turn by turn, with what either side answered.
import type { ChatSummary, Side } from '../../shared/api.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Db } from './db.ts';

/** Who a chat is with. */
export interface ChatPartner {
  /** Id of a model, or the path of its file. */
  model: string;
  run: string | null;
  /** A folder, where it is no run's own adapter. */
  adapter: string | null;
  /** null = the template's default. */
  system: string | null;
  precision: Recipe['model']['precision'];
  device: Recipe['device'];
}

export interface ChatTurn {
  question: string;
  /** null = it was not asked, or said nothing. */
  before: string | null;
  after: string | null;
}

export class ChatStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  create({ run, model, system, adapter, precision, device }: ChatPartner): number {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO chats (run_id, model, created_at, system, adapter, precision, device) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(run, model, new Date().toISOString(), system, adapter, precision, device);
    return Number(lastInsertRowid);
  }

  /** Throws chat.unknown. */
  get(chat: number): ChatPartner {
    const found = this.#db
      .prepare<[number], ChatPartner>('SELECT model, run_id AS run, adapter, system, precision, device FROM chats WHERE id = ?')
      .get(chat);
    if (found === undefined) throw new NamesakeError('chat.unknown', `chat ${chat}`);
    return found;
  }

  /** Throws chat.unknown where the chat was deleted. */
  addTurn(chat: number, question: string, answers: Partial<Record<Side, string>>): void {
    const { changes } = this.#db
      .prepare(
        `INSERT INTO chat_turns SELECT id, (SELECT count(*) FROM chat_turns WHERE chat_id = @chat), @question, @before, @after
         FROM chats WHERE id = @chat`,
      )
      .run({ chat, question, before: answers.before ?? null, after: answers.after ?? null });
    if (changes === 0) throw new NamesakeError('chat.unknown', `chat ${chat}`);
  }

  turns(chat: number): ChatTurn[] {
    return this.#db
      .prepare<[number], ChatTurn>('SELECT question, before, after FROM chat_turns WHERE chat_id = ? ORDER BY turn')
      .all(chat);
  }

  /** Chats in which something was said, newest first. */
  list(): ChatSummary[] {
    return this.#db
      .prepare<[], ChatSummary>(
        `SELECT chats.id AS chat, model, run_id AS run, created_at, question AS first
         FROM chats JOIN chat_turns ON chat_id = chats.id AND turn = 0 ORDER BY created_at DESC, chats.id DESC`,
      )
      .all();
  }

  /** Throws chat.unknown. */
  delete(chat: number): void {
    const { changes } = this.#db.prepare('DELETE FROM chats WHERE id = ?').run(chat);
    if (changes === 0) throw new NamesakeError('chat.unknown', `chat ${chat}`);
  }

  /** Removes a chat in which nothing was said. */
  deleteIfEmpty(chat: number): void {
    this.#db.prepare('DELETE FROM chats WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chat_turns WHERE chat_id = ?)').run(chat, chat);
  }
}
