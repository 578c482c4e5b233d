-- What a run is doing while it goes on (JSON), the values that the words of its error need (JSON), and when it was deleted.
ALTER TABLE runs ADD COLUMN progress TEXT;
ALTER TABLE runs ADD COLUMN error_params TEXT;
ALTER TABLE runs ADD COLUMN deleted_at TEXT;
