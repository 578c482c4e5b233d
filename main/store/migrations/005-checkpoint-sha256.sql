-- What the files of a checkpoint hashed to when they were saved; NULL where a kill came before that was known.
ALTER TABLE checkpoints ADD COLUMN sha256 TEXT;
