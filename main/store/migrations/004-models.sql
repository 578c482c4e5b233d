-- What REFs to hubs turned out to be (JSON), sha256 of files by size and time, and licences that were accepted.
CREATE TABLE hub_models (
  ref TEXT PRIMARY KEY,
  model TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE file_hashes (
  path TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  mtime_ms REAL NOT NULL,
  sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE licences (
  model TEXT PRIMARY KEY,
  licence TEXT NOT NULL,
  accepted_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
