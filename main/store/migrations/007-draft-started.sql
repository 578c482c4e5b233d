-- When a run was last started from a draft: one that was not changed since is no longer unfinished. NULL = never.
ALTER TABLE drafts ADD COLUMN started_at TEXT;
