-- The shape of one table as JSON; no row where there is no such table. $1: schema, $2: table.
SELECT json_build_object(
    'oid', c.oid::int8,
    'kind', c.relkind::text,
    'has_children', c.relhassubclass,
    'role', current_user,
    'in_recovery', pg_is_in_recovery(),
    'damage_hidden', 'on' IN (
        coalesce(current_setting('zero_damaged_pages', true), ''), coalesce(current_setting('ignore_checksum_failure', true), '')
    ),
    -- whether policies would hide rows from this role; of an owner, only where they are forced
    'policies', row_security_active(c.oid),
    'elsewhere', EXISTS (
        WITH RECURSIVE part AS (
            SELECT c.oid
            UNION ALL
            SELECT i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid
        )
        SELECT FROM part JOIN pg_catalog.pg_class one ON one.oid = part.oid WHERE one.relkind = 'f'
    ),
    -- whether the first copy of a subscription to it, or to a part of it, is not whole yet
    'filling', EXISTS (
        WITH RECURSIVE part AS (
            SELECT c.oid
            UNION ALL
            SELECT i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid
        )
        SELECT FROM part JOIN pg_catalog.pg_subscription_rel s ON s.srrelid = part.oid WHERE s.srsubstate NOT IN ('s', 'r')
    ),
    -- what may change more than what is written: triggers and rules, or only foreign keys that take rows along
    'acts', CASE WHEN EXISTS (
        WITH RECURSIVE part AS (
            SELECT c.oid
            UNION ALL
            SELECT i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid
        )
        SELECT FROM part JOIN pg_catalog.pg_trigger t ON t.tgrelid = part.oid
        WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
    ) OR EXISTS (
        SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '3', '4')
    ) THEN 'triggers' WHEN EXISTS (
        SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = c.oid
            AND (k.confupdtype IN ('c', 'n', 'd') OR k.confdeltype IN ('c', 'n', 'd'))
    ) THEN 'references' ELSE '' END,
    'stored', c.relkind = 'r' AND coalesce(method.amname = 'heap', false) AND NOT c.relhassubclass,
    'estimated_rows', CASE -- before 14, a table that was never analysed had 0
        WHEN c.reltuples = 0 AND c.relpages = 0 AND current_setting('server_version_num')::int4 < 140000 THEN -1
        ELSE c.reltuples END::float8,
    'columns', coalesce((
        SELECT json_agg(
            json_build_object(
                'name', a.attname,
                'not_null', a.attnotnull,
                'refuses_null', base.refuses_null,
                'sets', CASE WHEN a.attgenerated <> '' THEN 'generated' WHEN a.attidentity <> '' THEN 'identity'
                    WHEN a.atthasdef THEN 'default' ELSE '' END,
                'type', CASE WHEN base.builtin THEN base.typname ELSE '' END,
                -- with -1, and not NULL: NULL gives char(n) as "character", a cast to which keeps one letter
                'cast', format_type(base.oid, -1),
                'exact', format_type(base.oid, base.modifier)
            ) ORDER BY a.attnum
        )
        FROM pg_catalog.pg_attribute a
        CROSS JOIN LATERAL (
            WITH RECURSIVE up AS (
                SELECT ty.*, a.atttypmod AS modifier, ty.typnotnull AS refuses_null FROM pg_catalog.pg_type ty WHERE ty.oid = a.atttypid
                UNION ALL
                SELECT ty.*, up.typtypmod, up.refuses_null OR ty.typnotnull FROM up JOIN pg_catalog.pg_type ty ON ty.oid = up.typbasetype
                WHERE up.typtype = 'd'
            )
            SELECT up.oid, up.typname, up.typnamespace = 'pg_catalog'::regnamespace AS builtin, up.modifier,
                up.refuses_null
            FROM up WHERE up.typtype <> 'd'
        ) base
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '[]'),
    'indexes', coalesce((
        SELECT json_agg(
            json_build_object(
                'name', named.relname,
                'primary', i.indisprimary,
                'unique', i.indisunique AND i.indimmediate,
                'nulls_equal', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
                'valid', i.indisvalid,
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
