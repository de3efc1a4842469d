-- Every object of a database's own schemas: kind, name, definition, and the table it belongs to (null if none).
-- What an extension brought is the extension's. Positions of columns are left out: a column that is put back is last.
WITH spaces AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', :ledger)
),
theirs AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relations AS (
    SELECT c.oid, c.relkind, c.relpersistence, c.relispartition, c.reloftype,
        CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS name
    FROM pg_class c JOIN spaces n ON n.oid = c.relnamespace
    WHERE c.relname <> :version_table
        AND NOT EXISTS (SELECT FROM theirs t WHERE t.classid = 'pg_class'::regclass AND t.objid = c.oid)
),
tables AS (SELECT * FROM relations WHERE relkind IN ('r', 'p', 'f'))
SELECT 'table' AS kind, name, concat_ws(' ', CASE tables.relkind WHEN 'p' THEN 'partitioned' WHEN 'f' THEN 'foreign' ELSE 'ordinary' END,
    CASE tables.relpersistence WHEN 'u' THEN 'unlogged' END, pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(tables.oid)) AS definition, name AS "table"
FROM tables JOIN pg_class c USING (oid)
UNION ALL
SELECT 'column', t.name || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'not null' END,
    CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
    CASE WHEN d.oid IS NOT NULL THEN CASE WHEN a.attgenerated = '' THEN 'default ' ELSE 'generated ' END || pg_get_expr(d.adbin, d.adrelid) END,
    CASE WHEN a.attcollation <> ty.typcollation THEN 'collate ' || a.attcollation::regcollation::text END), t.name
FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type ty ON ty.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
UNION ALL
SELECT 'index', t.name || '.' || i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END, t.name
FROM pg_index i JOIN tables t ON t.oid = i.indrelid
UNION ALL
SELECT 'constraint', t.name || '.' || c.conname, pg_get_constraintdef(c.oid), t.name
FROM pg_constraint c JOIN tables t ON t.oid = c.conrelid WHERE c.contype <> 'n'
UNION ALL
SELECT 'trigger', t.name || '.' || g.tgname, pg_get_triggerdef(g.oid), t.name FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, name, pg_get_viewdef(oid), NULL FROM relations WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'sequence', r.name, format_type(s.seqtypid, NULL), NULL
FROM relations r JOIN pg_sequence s ON s.seqrelid = r.oid
UNION ALL
SELECT 'type', n.nspname || '.' || ty.typname, coalesce(
    (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = ty.oid),
    format_type(ty.typbasetype, ty.typtypmod)), NULL
FROM pg_type ty JOIN spaces n ON n.oid = ty.typnamespace
WHERE ty.typtype IN ('e', 'd') AND NOT EXISTS (SELECT FROM theirs t WHERE t.classid = 'pg_type'::regclass AND t.objid = ty.oid)
UNION ALL
SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), NULL
FROM pg_proc p JOIN spaces n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p') AND NOT EXISTS (SELECT FROM theirs t WHERE t.classid = 'pg_proc'::regclass AND t.objid = p.oid)
UNION ALL
SELECT 'extension', extname::text, 'in schema ' || n.nspname, NULL FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
UNION ALL
SELECT 'schema', nspname::text, '', NULL FROM spaces WHERE nspname <> 'public'
ORDER BY 1, 2
