-- From now on every response that is written has a version. NOT VALID: the rows that are there are not looked at, so the
-- lock is held for a moment only.
DO $$
BEGIN
    IF NOT (SELECT attnotnull FROM pg_attribute
            WHERE attrelid = 'survey_responses'::regclass AND attname = 'scoring_model_version')
        AND NOT EXISTS (SELECT FROM pg_constraint
            WHERE conrelid = 'survey_responses'::regclass AND conname = 'survey_responses_scoring_model_version_given')
    THEN
        ALTER TABLE survey_responses ADD CONSTRAINT survey_responses_scoring_model_version_given
            CHECK (scoring_model_version IS NOT NULL) NOT VALID;
    END IF;
END $$;
