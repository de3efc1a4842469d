-- Rows of kpi_data, one for every (row of `legacy`, new link of the same KPI and tenant) (rules 2, 3, 4, 8 and 9).
-- `legacy` has the new table's columns but for keys and link, and what messages call the rows (noun) and their date (dated_by).

-- Rule 2: the KPI's links in their order; the first keeps the legacy id.
CREATE OR REPLACE TEMP TABLE ranked_links AS
SELECT
    id, tenant_id, kpi_id,
    row_number() OVER (
        PARTITION BY tenant_id, kpi_id
        ORDER BY coalesce(is_primary, false) DESC, number_order(display_order) NULLS LAST, id
    ) AS place
FROM kpi_links;

-- Rules 3 and 8. An attribute of another type is there, so it is not missing.
CREATE OR REPLACE TEMP TABLE rejected AS
SELECT id, tenant_id, kpi_id, post_date, legacy_table, noun, dated_by, _mistyped, code
FROM (
    SELECT r.*, CASE
        WHEN coalesce(r.kpi_id, '') = '' AND json_extract(r._mistyped, '$.kpi_id') IS NULL THEN 'missing_key'
        WHEN coalesce(r.tenant_id, '') = '' AND json_extract(r._mistyped, '$.tenant_id') IS NULL THEN 'missing_key'
        WHEN r._mistyped IS NOT NULL THEN 'bad_type'
        WHEN iso_instant(r.post_date) IS NULL THEN 'bad_date'
        WHEN l.id IS NULL THEN 'unlinked'
    END AS code
    FROM legacy r
    LEFT JOIN ranked_links l ON l.tenant_id = r.tenant_id AND l.kpi_id = r.kpi_id AND l.place = 1
)
WHERE code IS NOT NULL;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    -- Rule 4: an id that an earlier phase's table holds too is left to it.
    CASE WHEN l.place = 1 AND c.id IS NULL THEN r.id
        ELSE uuid5_url(r.legacy_table || '/' || r.id || '/' || l.id)
    END AS id,
    l.id AS kpi_link_id,
    r.* EXCLUDE (id, kpi_id, noun, dated_by, _extra, _mistyped),
    r.id AS legacy_id,
    r._extra AS legacy_extra,
    r.id AS _source
FROM legacy r
ANTI JOIN rejected x ON x.id = r.id
JOIN ranked_links l ON l.tenant_id = r.tenant_id AND l.kpi_id = r.kpi_id
LEFT JOIN colliding_ids c ON c.legacy_table = r.legacy_table AND c.id = r.id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'reject' AS severity, code,
    noun || ' ' || id || CASE code
        WHEN 'missing_key' THEN ' has no ' || CASE
            WHEN coalesce(tenant_id, '') = '' AND json_extract(_mistyped, '$.tenant_id') IS NULL THEN 'tenant_id'
            ELSE 'kpi_id'
        END
        WHEN 'bad_type' THEN ' holds values of another type than declared: ' || list_aggregate(list_transform(
            json_keys(_mistyped),
            lambda name: name || ' (' || json_keys(json_extract(_mistyped, '$.' || name))[1] || ')'),
            'string_agg', ', ')
        WHEN 'bad_date' THEN ' has no ' || dated_by || ' that is an ISO 8601 date or timestamp: '
            || coalesce('"' || post_date || '"', 'there is none')
        ELSE ' belongs to KPI ' || kpi_id || ' of tenant ' || tenant_id || ', which has no link that was migrated'
    END || '; it is quarantined with its full content and not written. ' || CASE code
        WHEN 'unlinked' THEN 'Link the KPI in purposepath-goal-kpi-links and plan again, or leave the row out for good.'
        ELSE 'Correct it in ' || legacy_table || ' and plan again.'
    END AS message
FROM rejected
UNION ALL
SELECT
    r.id, r.id, 'warning', 'id_collision',
    r.noun || ' ' || r.id || ' shares its id with a row of ' || c.held_by || ', which keeps it; all rows of this '
    || lower(r.noun) || ' in purposepath-kpi-data have derived ids instead. '
    || 'Whoever looks it up by its id has to use legacy_table and legacy_id.'
FROM legacy r
JOIN colliding_ids c ON c.legacy_table = r.legacy_table AND c.id = r.id
ANTI JOIN rejected x ON x.id = r.id
UNION ALL
SELECT
    r.id, attribute, 'warning', 'unknown_attribute',
    'Attribute ' || attribute || ' of ' || legacy_table || ' is not in the contract; it is carried '
    || 'to purposepath-kpi-data under legacy_extra. Decide whether the new table should name it.'
FROM (SELECT id, legacy_table, unnest(json_keys(_extra)) AS attribute FROM legacy WHERE _extra IS NOT NULL) r
ANTI JOIN rejected x ON x.id = r.id;
