-- Runs, what they measured, models, remembered base answers and chats.
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('preparing','running','paused','stopped','cancelled','interrupted','failed','done')),
  recipe TEXT NOT NULL,
  step INTEGER NOT NULL DEFAULT 0,
  steps INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  chosen_step INTEGER,
  error_code TEXT,
  error_detail TEXT,
  result TEXT
) STRICT;

CREATE TABLE metrics (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  loss REAL NOT NULL,
  grad_norm REAL NOT NULL,
  lr REAL NOT NULL,
  tokens INTEGER NOT NULL,
  tokens_per_second REAL NOT NULL,
  PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;

-- scores is NULL for a checkpoint that was not evaluated; step 0 is the base.
CREATE TABLE checkpoints (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  is_right INTEGER NOT NULL DEFAULT 0,
  scores TEXT,
  kept INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE probes (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  place INTEGER NOT NULL,
  lang TEXT NOT NULL,
  kind TEXT NOT NULL,
  question TEXT NOT NULL,
  answer TEXT NOT NULL,
  hit INTEGER NOT NULL,
  PRIMARY KEY (run_id, step, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL,
  added_at TEXT NOT NULL
) STRICT;

-- What the base model says, by its fingerprint: asked once, used by every run.
CREATE TABLE base_answers (
  model TEXT NOT NULL,
  system TEXT,
  question TEXT NOT NULL,
  max_tokens INTEGER NOT NULL,
  answer TEXT NOT NULL,
  cut INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX base_answers_key ON base_answers (model, ifnull(system, char(0)), question, max_tokens);

CREATE TABLE chats (
  id INTEGER PRIMARY KEY,
  run_id TEXT REFERENCES runs (id) ON DELETE SET NULL,
  model TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE chat_messages (
  chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
  place INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('system','user','assistant')),
  content TEXT NOT NULL,
  PRIMARY KEY (chat_id, place)
) STRICT, WITHOUT ROWID;
