-- What a table does by itself, and what may be done to it, as JSON. $1: its oid.
SELECT json_build_object(
    'triggers', coalesce((
        SELECT json_agg(json_build_object(
            'name', t.tgname,
            'function', p.proname,
            'before', t.tgtype & 2 <> 0,
            'rows', t.tgtype & 1 <> 0,
            'on_insert', t.tgtype & 4 <> 0,
            'on_delete', t.tgtype & 8 <> 0,
            'on_update', t.tgtype & 16 <> 0,
            -- not of one partition alone, nor of a parent whose children have triggers of their own
            'always', t.tgqual IS NULL AND cardinality(t.tgattr) = 0 AND t.tgrelid = $1::oid AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
                WHERE i.inhparent = $1::oid AND c.relkind <> 'p'
            ) AND NOT EXISTS (
                SELECT FROM pg_partition_tree($1::oid::regclass) part
                JOIN pg_catalog.pg_trigger one ON one.tgrelid = part.relid AND one.tgname = t.tgname
                WHERE one.tgenabled NOT IN ('O', 'A')
            ),
            'language', (SELECT lanname FROM pg_catalog.pg_language l WHERE l.oid = p.prolang),
            'source', p.prosrc
        ) ORDER BY t.tgname)
        FROM (
            -- of partitions those of their own, of several with one name the first
            SELECT DISTINCT ON (one.tgname) one.*
            FROM (SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid::regclass)) part
            JOIN pg_catalog.pg_trigger one ON one.tgrelid = part.oid
            WHERE NOT one.tgisinternal AND one.tgenabled IN ('O', 'A')
            ORDER BY one.tgname, one.tgrelid <> $1::oid, one.tgrelid
        ) t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    ), '[]'),
    'rules', coalesce((
        SELECT json_agg(json_build_object('name', r.rulename, 'event', r.ev_type) ORDER BY r.rulename)
        FROM pg_catalog.pg_rewrite r WHERE r.ev_class = $1::oid AND r.ev_type IN ('2', '3', '4')
    ), '[]'),
    'deferrable_key', (
        SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = $1::oid AND contype = 'p' AND condeferrable
    ),
    'temporal_key', ( -- from 18
        SELECT conname FROM pg_catalog.pg_constraint k
        WHERE conrelid = $1::oid AND contype = 'p' AND (to_jsonb(k) ->> 'conperiod')::bool
    ),
    'unlogged', EXISTS ( -- itself, or a partition
        SELECT FROM (SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid::regclass)) part
        JOIN pg_catalog.pg_class one ON one.oid = part.oid WHERE one.relpersistence = 'u' AND one.relkind = 'r'
    ),
    -- foreign keys that point at the table, its own among them; of a partitioned table's, the one that was declared
    'references', coalesce((
        SELECT json_agg(json_build_object(
            'name', k.conname,
            'schema', n.nspname,
            'table', child.relname,
            'columns', (
                SELECT json_agg(a.attname ORDER BY u.position) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, position)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
            ),
            'refers_to', (
                SELECT json_agg(a.attname ORDER BY u.position) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, position)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
            ),
            'on_delete', k.confdeltype::text,
            'on_update', k.confupdtype::text,
            'own', k.conrelid = $1::oid
        ) ORDER BY n.nspname, child.relname, k.conname)
        FROM pg_catalog.pg_constraint k
        JOIN pg_catalog.pg_class child ON child.oid = k.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = child.relnamespace
        WHERE k.contype = 'f' AND k.confrelid = $1::oid AND k.conparentid = 0
    ), '[]'),
    -- of columns of numbers: those that the column owns, and those that its default takes values from without owning them
    'sequences', coalesce((
        SELECT json_agg(json_build_object(
            'column', a.attname, 'name', s.oid::regclass::text, 'may', has_sequence_privilege(s.oid, 'UPDATE')
        ) ORDER BY a.attnum, s.oid)
        FROM (
            SELECT d.objid AS sequence, d.refobjsubid AS attnum FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                AND d.refobjid = $1::oid AND d.deptype IN ('a', 'i')
            UNION
            SELECT d.refobjid, f.adnum FROM pg_catalog.pg_attrdef f
            JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
                AND d.refclassid = 'pg_catalog.pg_class'::regclass
            WHERE f.adrelid = $1::oid AND pg_catalog.pg_get_expr(f.adbin, f.adrelid) ~ '^nextval\(''[^'']*''::regclass\)$'
        ) used
        JOIN pg_catalog.pg_class s ON s.oid = used.sequence AND s.relkind = 'S'
        JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attnum = used.attnum
            AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
    ), '[]'),
    'may', json_build_object(
        'SELECT', has_any_column_privilege($1::oid, 'SELECT'),
        'INSERT', has_any_column_privilege($1::oid, 'INSERT'),
        'UPDATE', has_any_column_privilege($1::oid, 'UPDATE'),
        'DELETE', has_table_privilege($1::oid, 'DELETE'),
        'TEMP', has_database_privilege(current_database(), 'TEMP')
    ),
    -- what set default_transaction_read_only on, where something did
    'read_only', (
        SELECT source FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on'
    ),
    'replica', current_setting('session_replication_role') = 'replica',
    'database', current_database()
)::text AS effects
