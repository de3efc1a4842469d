-- What analytics read. Every row names the version that its scores are of.
CREATE OR REPLACE VIEW response_scores_as_recorded AS
SELECT id AS response_id, survey_id, submitted_at, scoring_model_version, index_score, band, dimension_scores
FROM survey_responses;

-- Every response that has scores under that version: as it was recorded, or as it was scored again.
CREATE OR REPLACE FUNCTION response_scores_under(version text)
RETURNS TABLE (
    response_id uuid, scoring_model_version varchar(20), index_score numeric, band text, dimension_scores jsonb
)
LANGUAGE sql STABLE AS $$
    SELECT s.response_id, s.scoring_model_version, s.index_score, s.band, s.dimension_scores
    FROM response_scores s WHERE s.scoring_model_version = $1
    UNION ALL
    SELECT r.id, r.scoring_model_version, r.index_score, r.band, r.dimension_scores
    FROM survey_responses r
    WHERE r.scoring_model_version = $1
      AND NOT EXISTS (SELECT FROM response_scores s WHERE s.response_id = r.id AND s.scoring_model_version = $1)
$$;
