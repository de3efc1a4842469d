-- Phase legacy: the rows that the four legacy tables have of a unified row. `exploded` (payload.py) takes a payload apart.

CREATE OR REPLACE TEMP TABLE parts AS
SELECT session_id, computed_at, exploded(session_id, payload) AS whole FROM results;

CREATE OR REPLACE TEMP VIEW sound AS SELECT * FROM parts WHERE whole ->> '$.fault' IS NULL;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    s.session_id,
    s.whole ->> '$.profile.type_code' AS type_code,
    s.whole ->> '$.profile.confidence' AS confidence,
    s.whole ->> '$.profile.base_func' AS base_func,
    s.whole ->> '$.profile.creative_func' AS creative_func,
    s.whole ->> '$.profile.overlay' AS overlay,
    s.whole ->> '$.profile.results_version' AS results_version,
    -- a session that the legacy tables do not know was made when it was computed
    CASE WHEN p.session_id IS NULL THEN s.computed_at ELSE p.created_at END AS created_at,
    s.computed_at AS updated_at,
    p._extra, -- columns that are not declared stay as they are
    s.session_id AS _source
FROM sound s
LEFT JOIN legacy_profiles p ON p.session_id = s.session_id;

CREATE OR REPLACE TEMP VIEW rows_types AS
SELECT session_id, t ->> '$.type_code' AS type_code, t ->> '$.fit' AS fit, t ->> '$.share' AS share,
    CAST(t ->> '$.rank' AS BIGINT) AS rank, session_id AS _source
FROM (SELECT session_id, unnest(from_json(whole -> '$.types', '["JSON"]')) AS t FROM sound);

CREATE OR REPLACE TEMP VIEW rows_functions AS
SELECT session_id, f ->> '$.func_code' AS func_code, f ->> '$.strength' AS strength,
    CAST(f ->> '$.dimension' AS BIGINT) AS dimension, session_id AS _source
FROM (SELECT session_id, unnest(from_json(whole -> '$.functions', '["JSON"]')) AS f FROM sound);

CREATE OR REPLACE TEMP VIEW rows_state AS
SELECT session_id, whole ->> '$.state.overlay_band' AS overlay_band,
    whole ->> '$.state.effective_confidence' AS effective_confidence,
    whole ->> '$.state.blocks' AS blocks, session_id AS _source
FROM sound
WHERE json_type(whole, '$.state') = 'OBJECT';

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    session_id AS _source, session_id AS key, 'reject' AS severity, 'bad_payload' AS code,
    'Session ' || session_id || ' has a payload of which no legacy rows can be made: ' || (whole ->> '$.fault')
    || '. Score it again, or correct the payload.' AS message
FROM parts
WHERE whole ->> '$.fault' IS NOT NULL
UNION ALL
SELECT
    s.session_id, s.session_id, 'warning', 'column_left',
    'The profile of session ' || s.session_id || ' has members that are columns of profiles which this migration does not '
    || 'declare, and that differ there; they stay as they are: declare them in PROFILES to have them carried.'
FROM sound s
LEFT JOIN legacy_profiles p ON p.session_id = s.session_id
WHERE (s.whole ->> '$.profile.more') IS DISTINCT FROM p._extra;
