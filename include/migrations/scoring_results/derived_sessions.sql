-- Every session that profiles, types, functions or state know of, once. A session that cannot be migrated brings its
-- rows along, as JSON with every digit, since that is what goes into quarantine.
WITH parts AS (
    SELECT session_id, 1 AS profile, 0 AS types, CASE WHEN _mistyped IS NULL THEN 0 ELSE 1 END AS odd FROM profiles
    UNION ALL SELECT session_id, 0, 1, CASE WHEN _mistyped IS NULL THEN 0 ELSE 1 END FROM types
    UNION ALL SELECT session_id, 0, 0, CASE WHEN _mistyped IS NULL THEN 0 ELSE 1 END FROM functions
    UNION ALL SELECT session_id, 0, 0, CASE WHEN _mistyped IS NULL THEN 0 ELSE 1 END FROM state
    UNION ALL SELECT id, 0, 0, 1 FROM sessions WHERE _mistyped IS NOT NULL AND id IN (SELECT session_id FROM profiles)
),
known AS (
    SELECT session_id, CASE
        WHEN max(profile) = 0 THEN 'no_profile'
        WHEN max(odd) = 1 THEN 'bad_type'
        WHEN max(types) = 0 THEN 'incomplete_session'
    END AS code
    FROM parts
    GROUP BY session_id
),
rejected AS (SELECT session_id FROM known WHERE code IS NOT NULL)
SELECT
    k.session_id,
    p.created_at,
    k.code,
    s.session,
    q.profile,
    t.types,
    f.functions,
    a.state
FROM known k
LEFT JOIN profiles p USING (session_id)
LEFT JOIN (
    SELECT id AS session_id, CAST(to_json(s) AS VARCHAR) AS session FROM sessions s WHERE id IN (FROM rejected)
) s USING (session_id)
LEFT JOIN (
    SELECT session_id, CAST(to_json(p) AS VARCHAR) AS profile FROM profiles p WHERE session_id IN (FROM rejected)
) q USING (session_id)
LEFT JOIN (
    SELECT session_id, CAST(to_json(list(t ORDER BY type_code)) AS VARCHAR) AS types
    FROM types t WHERE session_id IN (FROM rejected) GROUP BY session_id
) t USING (session_id)
LEFT JOIN (
    SELECT session_id, CAST(to_json(list(f ORDER BY func_code)) AS VARCHAR) AS functions
    FROM functions f WHERE session_id IN (FROM rejected) GROUP BY session_id
) f USING (session_id)
LEFT JOIN (
    SELECT session_id, CAST(to_json(a) AS VARCHAR) AS state FROM state a WHERE session_id IN (FROM rejected)
) a USING (session_id)
