-- The legacy tables as the contract has them, with one column of profiles that it does not name.
CREATE TABLE IF NOT EXISTS assessment_sessions (
    id uuid PRIMARY KEY,
    status text,
    started_at timestamptz,
    completed_at timestamptz,
    user_id uuid
);
CREATE TABLE IF NOT EXISTS profiles (
    session_id uuid PRIMARY KEY REFERENCES assessment_sessions (id),
    type_code text,
    confidence numeric,
    base_func text,
    creative_func text,
    overlay text,
    results_version text,
    created_at timestamptz,
    updated_at timestamptz,
    trace jsonb
);
CREATE TABLE IF NOT EXISTS scoring_results_types (
    session_id uuid, type_code text, fit numeric, share numeric, rank int, PRIMARY KEY (session_id, type_code)
);
CREATE TABLE IF NOT EXISTS scoring_results_functions (
    session_id uuid, func_code text, strength numeric, dimension int, PRIMARY KEY (session_id, func_code)
);
CREATE TABLE IF NOT EXISTS scoring_results_state (
    session_id uuid PRIMARY KEY, overlay_band text, effective_confidence numeric, blocks jsonb
);
