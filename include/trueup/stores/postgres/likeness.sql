-- What makes another table like this one, beside the types of its columns, as JSON. $1: the table's oid. What rests on an
-- object that another database may not have is told with it (`needs`): a function, an operator, a sequence, a domain.
WITH one AS (SELECT c.* FROM pg_catalog.pg_class c WHERE c.oid = $1::int8::oid),
needs AS (
    SELECT d.classid, d.objid, string_agg(DISTINCT pg_describe_object(d.refclassid, d.refobjid, 0), ', ') AS what
    FROM pg_catalog.pg_depend d CROSS JOIN one
    WHERE d.deptype IN ('n', 'a') AND d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass)
        AND NOT (d.refclassid = 'pg_class'::regclass AND d.refobjid = one.oid)
        AND d.refclassid <> 'pg_namespace'::regclass
        -- enums and composites are made; a domain is what it is made from
        AND NOT (d.refclassid = 'pg_type'::regclass AND (SELECT t.typtype <> 'd' FROM pg_catalog.pg_type t WHERE t.oid = d.refobjid))
    GROUP BY d.classid, d.objid
)
SELECT json_build_object(
    'comment', obj_description(one.oid, 'pg_class'),
    'columns', coalesce((
        SELECT json_agg(json_build_object(
            'name', a.attname,
            'identity', CASE
                WHEN a.attidentity = 'a' THEN 'ALWAYS'
                WHEN a.attidentity = 'd' OR (ty.typname IN ('int2', 'int4', 'int8') AND
                    pg_get_serial_sequence(one.oid::regclass::text, a.attname) IS NOT NULL) THEN 'BY DEFAULT'
                ELSE '' END,
            'generated', CASE a.attgenerated WHEN 's' THEN 'STORED' WHEN 'v' THEN 'VIRTUAL' ELSE '' END,
            'expression', pg_get_expr(ad.adbin, ad.adrelid),
            'needs', n.what,
            'collation', CASE WHEN a.attcollation <> ty.typcollation THEN a.attcollation::regcollation::text END,
            'domains', coalesce((
                -- the column's domain, and those that it is made from
                WITH RECURSIVE made_from AS (
                    SELECT ty.oid, ty.typtype, ty.typbasetype, ty.typdefault, 1 AS n
                    UNION ALL
                    SELECT t.oid, t.typtype, t.typbasetype, t.typdefault, n + 1
                    FROM made_from m JOIN pg_catalog.pg_type t ON t.oid = m.typbasetype WHERE m.typtype = 'd'
                )
                SELECT json_agg(json_build_object(
                    'name', format_type(m.oid, NULL), 'default', m.typdefault,
                    'checks', coalesce((
                        SELECT json_agg(json_build_object('says', pg_get_constraintdef(k.oid), 'needs', (
                            SELECT string_agg(DISTINCT pg_describe_object(d.refclassid, d.refobjid, 0), ', ')
                            FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
                                AND d.refclassid <> 'pg_type'::regclass)) ORDER BY k.conname)
                        FROM pg_catalog.pg_constraint k WHERE k.contypid = m.oid AND k.contype = 'c'), '[]'::json)
                ) ORDER BY m.n) FROM made_from m WHERE m.typtype = 'd'), '[]'::json),
            'quoted', quote_ident(a.attname),
            'comment', col_description(one.oid, a.attnum)
        ) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = one.oid AND ad.adnum = a.attnum
        LEFT JOIN needs n ON n.classid = 'pg_attrdef'::regclass AND n.objid = ad.oid
        WHERE a.attrelid = one.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '[]'::json),
    'constraints', coalesce((
        SELECT json_agg(json_build_object(
            'kind', k.contype, 'name', k.conname, 'says', pg_get_constraintdef(k.oid), 'valid', k.convalidated, 'unique', k.contype = 'u',
            'needs', CASE WHEN k.contype <> 'f' THEN n.what END,
            'refers', k.confrelid::regclass::text, 'itself', k.confrelid = one.oid,
            'columns', coalesce((
                SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = one.oid AND a.attnum = ANY (k.conkey)), '[]'::json)
        ) ORDER BY k.contype, k.conname)
        FROM pg_catalog.pg_constraint k LEFT JOIN needs n
            ON (n.classid = 'pg_constraint'::regclass AND n.objid = k.oid) OR (n.classid = 'pg_class'::regclass AND n.objid = k.conindid AND k.contype <> 'f')
        WHERE k.conrelid = one.oid AND k.contype IN ('c', 'u', 'x', 'f')
    ), '[]'::json),
    'indexes', coalesce((
        SELECT json_agg(json_build_object(
            'kind', '', 'name', i.relname, 'unique', x.indisunique, 'valid', true,
            'says', regexp_replace(pg_get_indexdef(x.indexrelid), '^.*? USING ', 'USING '),
            'needs', n.what,
            'columns', coalesce((
                SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_depend d
                    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = one.oid AND d.refobjsubid = a.attnum
                    AND d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
                WHERE a.attrelid = one.oid), '[]'::json)
        ) ORDER BY i.relname)
        FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
        LEFT JOIN needs n ON n.classid = 'pg_class'::regclass AND n.objid = x.indexrelid
        WHERE x.indrelid = one.oid AND x.indisvalid AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
    ), '[]'::json),
    'partitioned', CASE WHEN one.relkind = 'p' THEN pg_get_partkeydef(one.oid) END,
    'policies', coalesce((SELECT json_agg(p.polname ORDER BY p.polname) FROM pg_catalog.pg_policy p WHERE p.polrelid = one.oid), '[]'::json),
    'granted', one.relacl IS NOT NULL
) AS likeness
FROM one
