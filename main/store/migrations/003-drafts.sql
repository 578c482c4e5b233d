-- Drafts with their rows and what takes changes back, settings, and chats whose turns have both sides.
CREATE TABLE drafts (
  id TEXT PRIMARY KEY,
  recipe TEXT NOT NULL,
  -- Number of the next row; none is given twice, so that a window never means another row than it shows.
  next_number INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

-- made: 'wizard' rows are written anew where the persona changes, 'own' ones (imported, written by hand) stay.
-- words: what a search looks through, folded. messages: JSON.
CREATE TABLE draft_rows (
  draft_id TEXT NOT NULL REFERENCES drafts (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  lang TEXT NOT NULL,
  origin TEXT NOT NULL,
  made TEXT NOT NULL CHECK (made IN ('wizard','own')),
  words TEXT NOT NULL,
  messages TEXT NOT NULL,
  PRIMARY KEY (draft_id, number)
) STRICT;
CREATE UNIQUE INDEX draft_rows_id ON draft_rows (draft_id, id);
CREATE INDEX draft_rows_kind ON draft_rows (draft_id, kind, lang, number);

-- One change of a draft's rows. Rows from first_added on are its own; recipe is the one before, where it changed too.
CREATE TABLE draft_changes (
  draft_id TEXT NOT NULL REFERENCES drafts (id) ON DELETE CASCADE,
  change INTEGER NOT NULL,
  first_added INTEGER NOT NULL,
  recipe TEXT,
  PRIMARY KEY (draft_id, change)
) STRICT, WITHOUT ROWID;

-- Rows that a change edited or removed, as they were before.
CREATE TABLE draft_rows_before (
  draft_id TEXT NOT NULL,
  change INTEGER NOT NULL,
  number INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  lang TEXT NOT NULL,
  origin TEXT NOT NULL,
  made TEXT NOT NULL,
  words TEXT NOT NULL,
  messages TEXT NOT NULL,
  PRIMARY KEY (draft_id, change, number),
  FOREIGN KEY (draft_id, change) REFERENCES draft_changes (draft_id, change) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- system NULL = the template's default. adapter: a folder, where it is no run's own.
ALTER TABLE chats ADD COLUMN system TEXT;
ALTER TABLE chats ADD COLUMN adapter TEXT;
ALTER TABLE chats ADD COLUMN precision TEXT NOT NULL DEFAULT 'as-stored';
ALTER TABLE chats ADD COLUMN device TEXT NOT NULL DEFAULT 'auto';

-- before and after: what either side answered; NULL where it was not asked or said nothing.
CREATE TABLE chat_turns (
  chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
  turn INTEGER NOT NULL,
  question TEXT NOT NULL,
  before TEXT,
  after TEXT,
  PRIMARY KEY (chat_id, turn)
) STRICT, WITHOUT ROWID;
INSERT INTO chat_turns
SELECT asked.chat_id, asked.place / 2, asked.content,
       iif(chats.run_id IS NULL, said.content, NULL), iif(chats.run_id IS NULL, NULL, said.content)
FROM chat_messages AS asked
JOIN chat_messages AS said ON said.chat_id = asked.chat_id AND said.place = asked.place + 1
JOIN chats ON chats.id = asked.chat_id
WHERE asked.role = 'user' AND said.role = 'assistant';
DROP TABLE chat_messages;
