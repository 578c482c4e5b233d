-- The checkpoint that a chat is with (NULL = the run's chosen adapter), when it was spoken in last, and answers that ended
-- before the model was done: 'length' (its token limit) or 'cancelled'.
ALTER TABLE chats ADD COLUMN step INTEGER;
ALTER TABLE chats ADD COLUMN used_at TEXT;
ALTER TABLE chat_turns ADD COLUMN before_cut TEXT CHECK (before_cut IN ('length','cancelled'));
ALTER TABLE chat_turns ADD COLUMN after_cut TEXT CHECK (after_cut IN ('length','cancelled'));
