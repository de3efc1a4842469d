CREATE TABLE scoring_results (
    session_id uuid PRIMARY KEY REFERENCES assessment_sessions (id),
    type_code text,
    confidence numeric,
    scoring_version text NOT NULL,
    payload jsonb NOT NULL,
    computed_at timestamptz
);
CREATE INDEX scoring_results_type_code_idx ON scoring_results (type_code);
CREATE INDEX scoring_results_scoring_version_idx ON scoring_results (scoring_version);
