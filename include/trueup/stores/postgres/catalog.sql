-- The shape of one table as JSON; no row where there is no such table. $1: schema, $2: table.
SELECT json_build_object(
    'oid', c.oid::int8,
    'stored', c.relkind IN ('r', 'm') AND coalesce(method.amname = 'heap', false) AND NOT c.relhassubclass,
    'estimated_rows', c.reltuples::float8,
    'columns', coalesce((
        SELECT json_agg(
            json_build_object(
                'name', a.attname,
                'type', CASE WHEN base.builtin THEN base.typname ELSE '' END,
                -- with -1, and not NULL: NULL gives char(n) as "character", a cast to which keeps one letter
                'cast', format_type(base.oid, -1),
                'exact', format_type(base.oid, base.modifier)
            ) ORDER BY a.attnum
        )
        FROM pg_catalog.pg_attribute a
        CROSS JOIN LATERAL (
            WITH RECURSIVE up AS (
                SELECT ty.*, a.atttypmod AS modifier FROM pg_catalog.pg_type ty WHERE ty.oid = a.atttypid
                UNION ALL
                SELECT ty.*, up.typtypmod FROM up JOIN pg_catalog.pg_type ty ON ty.oid = up.typbasetype
                WHERE up.typtype = 'd'
            )
            SELECT up.oid, up.typname, up.typnamespace = 'pg_catalog'::regnamespace AS builtin, up.modifier
            FROM up WHERE up.typtype <> 'd'
        ) base
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '[]'),
    'indexes', coalesce((
        SELECT json_agg(
            json_build_object(
                'name', named.relname,
                'primary', i.indisprimary,
                'complete', i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL,
                'key', (
                    SELECT coalesce(json_agg(a.attname ORDER BY k.position), '[]')
                    FROM unnest(i.indkey) WITH ORDINALITY k(attnum, position)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                    WHERE k.position <= i.indnkeyatts
                )
            ) ORDER BY named.relname
        )
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class named ON named.oid = i.indexrelid
        WHERE i.indrelid = c.oid
    ), '[]')
)::text AS shape
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am method ON method.oid = c.relam
WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
