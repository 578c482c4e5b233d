// Chats: conversations that a person had with a model, turn by turn, with what either side answered.
import type { ChatSummary, Side } from '../../shared/api.ts';
import type { StopReason } from '../../shared/chat.ts';
import { NamesakeError } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Db } from './db.ts';

/** Who a chat is with. */
export interface ChatPartner {
  /** Id of a model, or the path of its file. */
  model: string;
  run: string | null;
  /** A checkpoint of the run; null = its chosen adapter. */
  step: number | null;
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
  /** Why an answer ended before the model was done; null where it did not. */
  before_cut: Cut | null;
  after_cut: Cut | null;
}

/** What a list shows of a chat's first words, in code points: an utterance may be as long as a book's chapter. */
const FIRST_CHARACTERS = 200;

type Cut = Exclude<StopReason, 'stop'>;

/** What a side said, and how it ended. */
export interface SaidAnswer {
  text: string;
  stop: StopReason;
}

export class ChatStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  create({ run, step, model, system, adapter, precision, device }: ChatPartner): number {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO chats (run_id, step, model, created_at, system, adapter, precision, device) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(run, step, model, new Date().toISOString(), system, adapter, precision, device);
    return Number(lastInsertRowid);
  }

  /** Throws chat.unknown. */
  get(chat: number): ChatPartner {
    const found = this.#db
      .prepare<[number], ChatPartner>('SELECT model, run_id AS run, step, adapter, system, precision, device FROM chats WHERE id = ?')
      .get(chat);
    if (found === undefined) throw new NamesakeError('chat.unknown', `chat ${chat}`);
    return found;
  }

  /** Adds a turn; `again` puts it in the place of the last one. Throws chat.unknown where the chat was deleted. */
  addTurn(chat: number, question: string, answers: Partial<Record<Side, SaidAnswer>>, again = false): void {
    const cut = (side: Side): Cut | null => {
      const stop = answers[side]?.stop;
      return stop === undefined || stop === 'stop' ? null : stop;
    };
    this.#db.transaction(() => {
      const { changes } = this.#db.prepare('UPDATE chats SET used_at = ? WHERE id = ?').run(new Date().toISOString(), chat);
      if (changes === 0) throw new NamesakeError('chat.unknown', `chat ${chat}`);
      if (again) {
        this.#db.prepare('DELETE FROM chat_turns WHERE chat_id = @chat AND turn = (SELECT max(turn) FROM chat_turns WHERE chat_id = @chat)').run({ chat });
      }
      this.#db
        .prepare(
          `INSERT INTO chat_turns (chat_id, turn, question, before, after, before_cut, after_cut)
           VALUES (@chat, (SELECT count(*) FROM chat_turns WHERE chat_id = @chat), @question, @before, @after, @before_cut, @after_cut)`,
        )
        .run({
          chat,
          question,
          before: answers.before?.text ?? null,
          after: answers.after?.text ?? null,
          before_cut: cut('before'),
          after_cut: cut('after'),
        });
    })();
  }

  turns(chat: number): ChatTurn[] {
    return this.#db
      .prepare<[number], ChatTurn>('SELECT question, before, after, before_cut, after_cut FROM chat_turns WHERE chat_id = ? ORDER BY turn')
      .all(chat);
  }

  /** Chats in which something was said, or is being answered (`speaking`: the question by chat); the one used last first. */
  list(speaking: ReadonlyMap<number, string> = new Map()): ChatSummary[] {
    return this.#db
      .prepare<unknown[], Omit<ChatSummary, 'first'> & { first: string | null }>(
        `SELECT chats.id AS chat, model, run_id AS run, step, created_at, coalesce(used_at, created_at) AS used_at, substr(question, 1, @most) AS first
         FROM chats LEFT JOIN chat_turns ON chat_id = chats.id AND turn = 0 ORDER BY coalesce(used_at, created_at) DESC, chats.id DESC`,
      )
      .all({ most: FIRST_CHARACTERS })
      .flatMap((chat) => {
        const first = chat.first ?? speaking.get(chat.chat);
        return first === undefined ? [] : [{ ...chat, first: [...first.slice(0, 2 * FIRST_CHARACTERS)].slice(0, FIRST_CHARACTERS).join('') }];
      });
  }

  /** Throws chat.unknown. */
  delete(chat: number): void {
    const { changes } = this.#db.prepare('DELETE FROM chats WHERE id = ?').run(chat);
    if (changes === 0) throw new NamesakeError('chat.unknown', `chat ${chat}`);
  }

  /** Removes chats that were opened before `time` and in which nothing was said. */
  deleteEmptyBefore(time: Date): void {
    this.#db
      .prepare('DELETE FROM chats WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM chat_turns WHERE chat_id = chats.id)')
      .run(time.toISOString());
  }

  /** Removes a chat in which nothing was said. */
  deleteIfEmpty(chat: number): void {
    this.#db.prepare('DELETE FROM chats WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chat_turns WHERE chat_id = ?)').run(chat, chat);
  }
}
