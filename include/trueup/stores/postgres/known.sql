-- What makes the types of these names, or of their elements, in a database that has them not yet; null where it is not
-- said here: an enum, a composite of types that every database has, or what an extension brings. $1: names as SQL.
SELECT given.name, CASE
    WHEN extension.name IS NOT NULL THEN format(
        'DO $$ BEGIN IF to_regtype(%L) IS NULL THEN CREATE EXTENSION IF NOT EXISTS %I; END IF; END $$;',
        ty.name, extension.name)
    WHEN made.how IS NOT NULL THEN format(
        'DO $$ BEGIN IF to_regtype(%L) IS NULL THEN %sCREATE TYPE %s AS %s; END IF; END $$;', ty.name,
        CASE WHEN ns.nspname <> 'public' THEN format('CREATE SCHEMA IF NOT EXISTS %I; ', ns.nspname) ELSE '' END,
        ty.name, made.how)
    END AS made_by
FROM unnest($1::text[]) given(name)
CROSS JOIN LATERAL (
    SELECT coalesce(element.oid, named.oid) AS oid, coalesce(element.typtype, named.typtype) AS kind,
        coalesce(element.typrelid, named.typrelid) AS relation, coalesce(element.typnamespace, named.typnamespace) AS schema
    FROM pg_catalog.pg_type named
    LEFT JOIN pg_catalog.pg_type element ON element.oid = named.typelem AND named.typcategory = 'A'
    WHERE named.oid = to_regtype(given.name)
) found
JOIN pg_catalog.pg_namespace ns ON ns.oid = found.schema
CROSS JOIN LATERAL (SELECT format('%I.%I', ns.nspname, t.typname) AS name FROM pg_catalog.pg_type t WHERE t.oid = found.oid) ty
LEFT JOIN LATERAL (
    SELECT e.extname AS name FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = found.oid AND d.deptype = 'e'
) extension ON true
LEFT JOIN LATERAL (
    SELECT format('ENUM (%s)', string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)) AS how
    FROM pg_catalog.pg_enum l WHERE found.kind = 'e' AND l.enumtypid = found.oid HAVING count(*) > 0
    UNION ALL
    SELECT format('(%s)', string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum))
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE found.kind = 'c' AND a.attrelid = found.relation AND a.attnum > 0 AND NOT a.attisdropped
    HAVING count(*) > 0 AND bool_and(t.typnamespace = 'pg_catalog'::regnamespace)
) made ON true
