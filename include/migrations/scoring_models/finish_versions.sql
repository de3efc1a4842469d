-- Responses to come: an application that does not know the column goes on, and its rows get the version that is in force when
-- they are submitted. The function has its owner's rights, since an application need not be able to read the versions.
CREATE OR REPLACE FUNCTION survey_responses_stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    NEW.scoring_model_version := (
        SELECT v.version
        FROM scoring_model_versions v
        WHERE v.effective_from <= NEW.submitted_at
            AND (
                NOT (v.definition ->> 'opt_in')::boolean
                OR v.version = (SELECT s.scoring_config ->> 'model' FROM surveys s WHERE s.id = NEW.survey_id)
            )
        ORDER BY v.effective_from DESC
        LIMIT 1
    );
    IF NEW.scoring_model_version IS NULL AND (
        SELECT a.attnotnull OR EXISTS (
            SELECT FROM pg_constraint c
            WHERE c.conrelid = TG_RELID AND c.conname = 'survey_responses_scoring_model_version_given'
        )
        FROM pg_attribute a WHERE a.attrelid = TG_RELID AND a.attname = 'scoring_model_version'
    ) THEN
        RAISE EXCEPTION 'before_first_model: response % was submitted %, when no scoring model was in force, so it has no '
            'scoring_model_version', NEW.id, coalesce('at ' || NEW.submitted_at, 'at no time that is given')
            USING ERRCODE = 'not_null_violation', TABLE = TG_TABLE_NAME, COLUMN = 'scoring_model_version';
    END IF;
    RETURN NEW;
END $$;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'survey_responses'::regclass AND tgname = 'survey_responses_stamp') THEN
        CREATE TRIGGER survey_responses_stamp BEFORE INSERT ON survey_responses
            FOR EACH ROW WHEN (NEW.scoring_model_version IS NULL) EXECUTE FUNCTION survey_responses_stamp();
    END IF;
END $$;
