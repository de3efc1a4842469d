-- Phase links: goal_kpi_links → kpi_links, one row for one, under the same id (rules 1, 8 and 9).

-- Rule 8. An attribute of another type is there, so it is not missing.
CREATE OR REPLACE TEMP TABLE rejected_links AS
SELECT id, tenant_id, kpi_id, _mistyped, code
FROM (
    SELECT *, CASE
        WHEN coalesce(kpi_id, '') = '' AND json_extract(_mistyped, '$.kpi_id') IS NULL THEN 'missing_key'
        WHEN coalesce(tenant_id, '') = '' AND json_extract(_mistyped, '$.tenant_id') IS NULL THEN 'missing_key'
        WHEN _mistyped IS NOT NULL THEN 'bad_type'
    END AS code
    FROM goal_kpi_links
)
WHERE code IS NOT NULL;

-- Rule 1: the user who owns the KPI, else the one who made the link.
CREATE OR REPLACE TEMP TABLE user_of_link AS
SELECT
    l.id, l.tenant_id, l.kpi_id,
    k.id IS NULL AS kpi_missing,
    coalesce(nullif(k.owner_id, ''), nullif(l.created_by, '')) AS user_id
FROM goal_kpi_links l
ANTI JOIN rejected_links r ON r.id = l.id
LEFT JOIN kpis k ON k.tenant_id = l.tenant_id AND k.id = l.kpi_id;

-- Rule 1: the person of the same tenant who is that user. Only the users asked for, out of all people.
CREATE OR REPLACE TEMP TABLE person_of_user AS
SELECT tenant_id, linked_user_id AS user_id, min(id) AS person_id, count(*) AS people
FROM people p
SEMI JOIN user_of_link u ON u.tenant_id = p.tenant_id AND u.user_id = p.linked_user_id
GROUP BY ALL;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    l.id,
    l.tenant_id,
    l.kpi_id,
    coalesce(p.person_id, u.user_id) AS person_id,
    l.goal_id,
    CAST(NULL AS VARCHAR) AS strategy_id,
    l.threshold_pct,
    l.link_type,
    l.weight,
    l.display_order,
    l.is_primary,
    l.created_by,
    l.created_at,
    l.updated_by,
    l.updated_at,
    -- Rule 9: carried unchanged. Only where the link brings an attribute whose name the new table needs for a value of
    -- its own do these go, as they are, under legacy_extra (with a legacy_extra of their own, whose name that takes).
    -- DuckDB writes control characters as \u001F, the canonical form as \u001f: hence the walk over escapes.
    CASE
        WHEN l._extra IS NULL THEN NULL
        WHEN json_extract(l._extra, '$.person_id') IS NULL AND json_extract(l._extra, '$.strategy_id') IS NULL
            THEN l._extra
        ELSE list_aggregate(
            list_transform(
                regexp_extract_all(CAST(json_normalize(json_merge_patch(
                    json_remove(json_remove(json_remove(l._extra, '$.person_id'), '$.strategy_id'), '$.legacy_extra'),
                    json_object('legacy_extra', json_object('M', json_merge_patch('{}', json_object(
                        'person_id', json_extract(l._extra, '$.person_id'),
                        'strategy_id', json_extract(l._extra, '$.strategy_id'),
                        'legacy_extra', json_extract(l._extra, '$.legacy_extra')))))
                )) AS VARCHAR), '\\u[0-9A-Fa-f]{4}|\\.|[^\\]+'),
                lambda token: CASE WHEN starts_with(token, '\u') THEN lower(token) ELSE token END),
            'string_agg', '')
    END AS _extra,
    l.id AS _source
FROM goal_kpi_links l
JOIN user_of_link u ON u.id = l.id
LEFT JOIN person_of_user p ON p.tenant_id = u.tenant_id AND p.user_id = u.user_id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'reject' AS severity, code,
    'Link ' || id || CASE code
        WHEN 'missing_key' THEN ' has no ' || CASE
            WHEN coalesce(tenant_id, '') = '' AND json_extract(_mistyped, '$.tenant_id') IS NULL THEN 'tenant_id'
            ELSE 'kpi_id'
        END
        ELSE ' holds values of another type than declared: ' || list_aggregate(list_transform(
            json_keys(_mistyped),
            lambda name: name || ' (' || json_keys(json_extract(_mistyped, '$.' || name))[1] || ')'),
            'string_agg', ', ')
    END || '; it is quarantined with its full content and not written. '
    || 'Correct it in purposepath-goal-kpi-links and plan again.' AS message
FROM rejected_links
UNION ALL
SELECT
    id, id, 'warning', 'kpi_missing',
    'Link ' || id || ' names KPI ' || kpi_id || ', which tenant ' || tenant_id || ' does not have in purposepath-kpis; '
    || 'it is written, with its person found by its created_by. Check whether the link should still exist.'
FROM user_of_link
WHERE kpi_missing
UNION ALL
SELECT
    u.id, u.id, 'warning', 'ambiguous_person',
    'Link ' || u.id || ': ' || p.people || ' people of tenant ' || u.tenant_id || ' are linked to user ' || u.user_id
    || '; it is written with the smallest id, ' || p.person_id
    || '. Correct purposepath-people if that is the wrong one.'
FROM user_of_link u
JOIN person_of_user p ON p.tenant_id = u.tenant_id AND p.user_id = u.user_id
WHERE p.people > 1
UNION ALL
SELECT
    id, attribute, 'warning', 'unknown_attribute',
    'Attribute ' || attribute || ' of purposepath-goal-kpi-links is not in the contract; it is carried '
    || 'to purposepath-kpi-links ' || CASE
        WHEN attribute IN ('person_id', 'strategy_id') THEN 'under legacy_extra, as that name has a new meaning there'
        WHEN attribute = 'legacy_extra'
            THEN 'unchanged, or inside another legacy_extra where the link also has a person_id or strategy_id'
        ELSE 'unchanged'
    END || '. Decide whether the new table should name it.'
FROM (SELECT id, unnest(json_keys(_extra)) AS attribute FROM goal_kpi_links WHERE _extra IS NOT NULL) l
ANTI JOIN rejected_links r ON r.id = l.id;
