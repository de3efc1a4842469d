-- Phase results: one unified row of every session with a profile and types. Numbers are joined in as the digits that
-- they are, never through a double; the engine brings the payload into canonical form.

CREATE OR REPLACE TEMP TABLE types_of AS
SELECT session_id, array_to_string(list(
    concat('{"type_code":', json_or_null(type_code), ',"fit":', coalesce(fit, 'null'), ',"share":', coalesce(share, 'null'),
        ',"rank":', coalesce(CAST(rank AS VARCHAR), 'null'), '}') ORDER BY rank NULLS LAST, type_code
), ',') AS listed
FROM types
GROUP BY session_id;

CREATE OR REPLACE TEMP TABLE functions_of AS
SELECT session_id, array_to_string(list(
    concat('{"func_code":', json_or_null(func_code), ',"strength":', coalesce(strength, 'null'),
        ',"dimension":', coalesce(CAST(dimension AS VARCHAR), 'null'), '}') ORDER BY func_code
), ',') AS listed
FROM functions
GROUP BY session_id;

-- Columns of profiles that the contract does not name are part of the payload too; `_extra` has those with a value.
CREATE OR REPLACE TEMP TABLE more_of_profile AS
SELECT p.session_id, string_agg(',' || json_or_null(u.name) || ':null', '' ORDER BY u.name) AS nulls
FROM profiles p
JOIN undeclared u ON u.source = 'profiles'
WHERE NOT list_contains(coalesce(json_keys(p._extra), []), u.name)
GROUP BY p.session_id;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    p.session_id,
    p.type_code,
    p.confidence,
    p.results_version AS scoring_version,
    concat(
        '{"version":', json_or_null(p.results_version), ',"results_version":', json_or_null(p.results_version),
        ',"profile":{"session_id":', json_or_null(p.session_id), ',"type_code":', json_or_null(p.type_code),
        ',"confidence":', coalesce(p.confidence, 'null'), ',"base_func":', json_or_null(p.base_func),
        ',"creative_func":', json_or_null(p.creative_func), ',"overlay":', json_or_null(p.overlay),
        ',"results_version":', json_or_null(p.results_version),
        CASE WHEN p._extra IS NOT NULL THEN ',' || substr(p._extra, 2, length(p._extra) - 2) END,
        m.nulls,
        '},"types":[', t.listed, '],"functions":[', f.listed, '],"state":{', CASE WHEN a.session_id IS NOT NULL THEN concat(
            '"overlay_band":', json_or_null(a.overlay_band), ',"effective_confidence":',
            coalesce(a.effective_confidence, 'null'), ',"blocks":', coalesce(a.blocks, 'null')) END,
        '},"session":{"id":', json_or_null(s.id), ',"status":', json_or_null(s.status),
        ',"started_at":', coalesce('"' || json_timestamp(s.started_at) || '"', 'null'),
        ',"completed_at":', coalesce('"' || json_timestamp(s.completed_at) || '"', 'null'), '}}'
    ) AS payload, -- concat leaves nulls out
    p.updated_at AS computed_at,
    p.session_id AS _source
FROM profiles p
JOIN known_sessions k ON k.session_id = p.session_id AND k.code IS NULL
JOIN sessions s ON s.id = p.session_id
JOIN types_of t ON t.session_id = p.session_id
LEFT JOIN functions_of f ON f.session_id = p.session_id
LEFT JOIN state a ON a.session_id = p.session_id
LEFT JOIN more_of_profile m ON m.session_id = p.session_id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    session_id AS _source, session_id AS key, 'reject' AS severity, code,
    'Session ' || session_id || CASE code
        WHEN 'no_profile' THEN ' has scoring rows but no row in profiles'
        WHEN 'incomplete_session' THEN ' has a profile but no row in scoring_results_types'
        ELSE ' has a number or a timestamp that JSON cannot carry (NaN or infinity)'
    END || '; its rows are quarantined with their full content and no unified row is written. '
    || CASE code WHEN 'bad_type' THEN 'Correct the value and plan again.' ELSE 'Score the session again, or leave it out for good.' END
    AS message
FROM known_sessions
WHERE code IS NOT NULL
UNION ALL
SELECT
    k.session_id, k.session_id, 'warning', 'no_state',
    'Session ' || k.session_id || ' has no row in scoring_results_state; its unified row is written with an empty state.'
FROM known_sessions k
ANTI JOIN state a ON a.session_id = k.session_id
WHERE k.code IS NULL;
