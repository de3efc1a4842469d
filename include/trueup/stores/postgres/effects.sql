-- What a table does by itself, as JSON. $1: its oid.
SELECT json_build_object(
    'triggers', coalesce((
        SELECT json_agg(json_build_object(
            'name', t.tgname,
            'function', p.proname,
            'before', t.tgtype & 2 <> 0,
            'rows', t.tgtype & 1 <> 0,
            'on_insert', t.tgtype & 4 <> 0,
            'on_delete', t.tgtype & 8 <> 0,
            'on_update', t.tgtype & 16 <> 0
        ) ORDER BY t.tgname)
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = $1::oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
    ), '[]'),
    'rules', coalesce((
        SELECT json_agg(json_build_object('name', r.rulename, 'event', r.ev_type) ORDER BY r.rulename)
        FROM pg_catalog.pg_rewrite r WHERE r.ev_class = $1::oid AND r.ev_type IN ('2', '3', '4')
    ), '[]')
)::text AS effects
