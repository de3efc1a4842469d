-- With the valid check, PostgreSQL knows that no row is null and does not look again; then the check has done its work.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'survey_responses'::regclass
            AND conname = 'survey_responses_scoring_model_version_given' AND convalidated)
    THEN
        ALTER TABLE survey_responses ALTER COLUMN scoring_model_version SET NOT NULL;
        ALTER TABLE survey_responses DROP CONSTRAINT survey_responses_scoring_model_version_given;
    END IF;
END $$;
