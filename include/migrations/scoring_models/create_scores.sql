CREATE TABLE response_scores (
    response_id uuid NOT NULL REFERENCES survey_responses (id),
    scoring_model_version varchar(20) NOT NULL,
    index_score numeric,
    band text,
    dimension_scores jsonb,
    PRIMARY KEY (response_id, scoring_model_version)
);
CREATE INDEX response_scores_version_idx ON response_scores (scoring_model_version);
