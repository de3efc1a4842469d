-- Sessions as the application makes them: a profile, sixteen types, seven functions and a state each, 26 rows in all.
INSERT INTO assessment_sessions
SELECT md5('session ' || n)::uuid, 'completed', at, at + interval '20 minutes', md5('user ' || n % 50000)::uuid
FROM generate_series(1, %(sessions)s) n, LATERAL (SELECT timestamptz '2024-01-01 00:00Z' + n * interval '97 seconds') t(at);
INSERT INTO profiles
SELECT id, 'T' || n % 16, round((0.5 + n % 499 / 1000.0)::numeric, 4), 'F' || n % 8, 'F' || n % 7, NULL, '1.' || n % 3,
    completed_at, completed_at
FROM (SELECT *, row_number() OVER (ORDER BY started_at) AS n FROM assessment_sessions) s;
INSERT INTO scoring_results_types
SELECT id, 'T' || t, round(((n * 31 + t * 17) % 9973 / 9973.0)::numeric, 6), round((t / 136.0)::numeric, 6), 16 - t
FROM (SELECT id, row_number() OVER (ORDER BY started_at) AS n FROM assessment_sessions) s, generate_series(0, 15) t;
INSERT INTO scoring_results_functions
SELECT id, 'F' || f, round(((n * 13 + f * 7) % 997 / 997.0)::numeric, 5), f % 4
FROM (SELECT id, row_number() OVER (ORDER BY started_at) AS n FROM assessment_sessions) s, generate_series(0, 6) f;
INSERT INTO scoring_results_state
SELECT id, 'band ' || n % 5, round((n % 1000 / 1000.0)::numeric, 3), jsonb_build_object('blocks', n % 9, 'seen', n % 2 = 0)
FROM (SELECT id, row_number() OVER (ORDER BY started_at) AS n FROM assessment_sessions) s;
ANALYZE;
