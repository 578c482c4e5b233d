-- The result that a run has as soon as the adapter of the checkpoint that it names is in place (JSON): a kill in between is
-- made up for. NULL = nothing is being chosen.
ALTER TABLE runs ADD COLUMN choosing TEXT;
