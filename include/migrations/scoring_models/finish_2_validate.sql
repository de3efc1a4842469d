-- Looks at every row while others read and write. Where a response has no version (it was rejected, or is outside the
-- run's window), the check stays NOT VALID, and a later run that leaves none finishes it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'survey_responses'::regclass
            AND conname = 'survey_responses_scoring_model_version_given' AND NOT convalidated)
        AND NOT EXISTS (SELECT FROM survey_responses WHERE scoring_model_version IS NULL)
    THEN
        ALTER TABLE survey_responses VALIDATE CONSTRAINT survey_responses_scoring_model_version_given;
    END IF;
END $$;
