-- A response whose stamp is rolled back has no version again, so the column may be null again, and the check goes if it is
-- still there; and so does what stamps responses to come. The column itself stays: what reads it goes on working, and the next
-- run stamps it again.
DROP TRIGGER IF EXISTS survey_responses_stamp ON survey_responses;
DROP FUNCTION IF EXISTS survey_responses_stamp();
ALTER TABLE survey_responses DROP CONSTRAINT IF EXISTS survey_responses_scoring_model_version_given;
ALTER TABLE survey_responses ALTER COLUMN scoring_model_version DROP NOT NULL;
