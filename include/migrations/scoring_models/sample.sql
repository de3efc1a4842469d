CREATE TABLE IF NOT EXISTS surveys (id uuid PRIMARY KEY, name text, scoring_config jsonb);
CREATE TABLE IF NOT EXISTS survey_responses (
    id uuid PRIMARY KEY,
    survey_id uuid,
    submitted_at timestamptz,
    answers jsonb,
    dimension_scores jsonb,
    index_score numeric,
    band text
);
