-- The payload of one session ($1), from the legacy tables; no row where it has no profile or no types.
SELECT jsonb_build_object(
    'version', p.results_version,
    'results_version', p.results_version,
    'profile', to_jsonb(p) - 'created_at' - 'updated_at',
    'types', t.listed,
    'functions', coalesce((
        SELECT jsonb_agg(jsonb_build_object('func_code', f.func_code, 'strength', f.strength, 'dimension', f.dimension)
            ORDER BY f.func_code COLLATE "C")
        FROM scoring_results_functions f WHERE f.session_id = p.session_id
    ), '[]'),
    'state', coalesce((
        SELECT jsonb_build_object('overlay_band', a.overlay_band, 'effective_confidence', a.effective_confidence,
            'blocks', a.blocks)
        FROM scoring_results_state a WHERE a.session_id = p.session_id
    ), '{}'),
    'session', jsonb_build_object(
        'id', s.id,
        'status', s.status,
        -- as to_jsonb gives a timestamptz where the time zone is UTC, whatever it is here
        'started_at', (to_jsonb(s.started_at AT TIME ZONE 'UTC') #>> '{}') || '+00:00',
        'completed_at', (to_jsonb(s.completed_at AT TIME ZONE 'UTC') #>> '{}') || '+00:00'
    )
)::text
FROM profiles p
JOIN assessment_sessions s ON s.id = p.session_id
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('type_code', t.type_code, 'fit', t.fit, 'share', t.share, 'rank', t.rank)
        ORDER BY t.rank NULLS LAST, t.type_code COLLATE "C") AS listed
    FROM scoring_results_types t WHERE t.session_id = p.session_id
) t
WHERE p.session_id = %s AND t.listed IS NOT NULL
