CREATE TABLE scoring_model_versions (
    version text PRIMARY KEY,
    effective_from timestamptz NOT NULL,
    definition jsonb NOT NULL,
    checksum text NOT NULL
);
