-- A column without a default: no row is rewritten, and the lock is held for a moment only (the store gives up on a lock
-- that is not free soon, and tries again).
ALTER TABLE survey_responses ADD COLUMN IF NOT EXISTS scoring_model_version varchar(20);
