-- What a careful engineer writes by hand: one statement for all sessions.
INSERT INTO scoring_results
SELECT p.session_id::uuid, p.type_code, p.confidence, p.results_version,
    jsonb_build_object(
        'version', p.results_version,
        'results_version', p.results_version,
        'profile', to_jsonb(p) - 'created_at' - 'updated_at',
        'types', t.listed,
        'functions', coalesce(f.listed, '[]'),
        'state', coalesce(to_jsonb(a) - 'session_id', '{}'),
        'session', jsonb_build_object('id', s.id, 'status', s.status, 'started_at', s.started_at, 'completed_at', s.completed_at)
    ),
    p.updated_at
FROM {schema}.profiles p
JOIN {schema}.assessment_sessions s ON s.id = p.session_id
JOIN (
    SELECT session_id, jsonb_agg(jsonb_build_object('type_code', type_code, 'fit', fit, 'share', share, 'rank', rank)
        ORDER BY rank, type_code) AS listed
    FROM {schema}.scoring_results_types GROUP BY session_id
) t USING (session_id)
LEFT JOIN (
    SELECT session_id, jsonb_agg(jsonb_build_object('func_code', func_code, 'strength', strength, 'dimension', dimension)
        ORDER BY func_code) AS listed
    FROM {schema}.scoring_results_functions GROUP BY session_id
) f USING (session_id)
LEFT JOIN {schema}.scoring_results_state a USING (session_id)
ON CONFLICT (session_id) DO NOTHING
