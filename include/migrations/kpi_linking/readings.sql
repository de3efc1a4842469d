-- Phase readings: kpi_readings → kpi_data, one row for every (reading, new link of the same KPI and tenant)
-- (rules 2, 3, 4, 7, 8 and 9).

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
CREATE OR REPLACE TEMP TABLE rejected_readings AS
SELECT id, tenant_id, kpi_id, reading_date, _mistyped, code
FROM (
    SELECT e.*, CASE
        WHEN coalesce(e.kpi_id, '') = '' AND json_extract(e._mistyped, '$.kpi_id') IS NULL THEN 'missing_key'
        WHEN coalesce(e.tenant_id, '') = '' AND json_extract(e._mistyped, '$.tenant_id') IS NULL THEN 'missing_key'
        WHEN e._mistyped IS NOT NULL THEN 'bad_type'
        WHEN iso_instant(e.reading_date) IS NULL THEN 'bad_date'
        WHEN l.id IS NULL THEN 'unlinked'
    END AS code
    FROM kpi_readings e
    LEFT JOIN ranked_links l ON l.tenant_id = e.tenant_id AND l.kpi_id = e.kpi_id AND l.place = 1
)
WHERE code IS NOT NULL;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    -- Rule 4: an id that an earlier phase's table holds too is left to it.
    CASE WHEN l.place = 1 AND c.id IS NULL THEN e.id
        ELSE uuid5_url('purposepath-kpi-readings/' || e.id || '/' || l.id)
    END AS id,
    e.tenant_id,
    l.id AS kpi_link_id,
    'Actual' AS data_category,
    CAST(NULL AS VARCHAR) AS target_subtype,
    'Measured' AS actual_subtype,
    e.value AS post_value,
    e.reading_date AS post_date,
    e.period_start AS measured_period_start_date,
    CAST(NULL AS VARCHAR) AS label,
    CAST(NULL AS VARCHAR) AS confidence_level,
    CAST(NULL AS VARCHAR) AS rationale,
    e.original_value,
    e.is_adjusted AS is_manual_override,
    e.adjustment_reason AS override_comment,
    e.source AS data_source,
    e.external_id AS source_reference_id,
    false AS triggers_replan,
    false AS replan_threshold_exceeded,
    CAST(NULL AS BOOLEAN) AS auto_adjustment_applied,
    e.entered_by AS recorded_by,
    e.entered_at AS recorded_at,
    e.entered_by AS created_by,
    e.entered_at AS created_at,
    CAST(NULL AS VARCHAR) AS updated_by,
    CAST(NULL AS VARCHAR) AS updated_at,
    'purposepath-kpi-readings' AS legacy_table,
    e.id AS legacy_id,
    e._extra AS legacy_extra,
    e.id AS _source
FROM kpi_readings e
ANTI JOIN rejected_readings r ON r.id = e.id
JOIN ranked_links l ON l.tenant_id = e.tenant_id AND l.kpi_id = e.kpi_id
LEFT JOIN colliding_ids c ON c.legacy_table = 'purposepath-kpi-readings' AND c.id = e.id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'reject' AS severity, code,
    'Reading ' || id || CASE code
        WHEN 'missing_key' THEN ' has no ' || CASE
            WHEN coalesce(tenant_id, '') = '' AND json_extract(_mistyped, '$.tenant_id') IS NULL THEN 'tenant_id'
            ELSE 'kpi_id'
        END
        WHEN 'bad_type' THEN ' holds values of another type than declared: ' || list_aggregate(list_transform(
            json_keys(_mistyped),
            lambda name: name || ' (' || json_keys(json_extract(_mistyped, '$.' || name))[1] || ')'),
            'string_agg', ', ')
        WHEN 'bad_date' THEN ' has no reading_date that is an ISO 8601 date or timestamp: '
            || coalesce('"' || reading_date || '"', 'there is none')
        ELSE ' belongs to KPI ' || kpi_id || ' of tenant ' || tenant_id || ', which has no link that was migrated'
    END || '; it is quarantined with its full content and not written. ' || CASE code
        WHEN 'unlinked' THEN 'Link the KPI in purposepath-goal-kpi-links and plan again, or leave the row out for good.'
        ELSE 'Correct it in purposepath-kpi-readings and plan again.'
    END AS message
FROM rejected_readings
UNION ALL
SELECT
    e.id, e.id, 'warning', 'id_collision',
    'Reading ' || e.id || ' shares its id with a row of ' || c.held_by || ', which keeps it; all rows of this '
    || 'reading in purposepath-kpi-data have derived ids instead. '
    || 'Whoever looks it up by its id has to use legacy_table and legacy_id.'
FROM kpi_readings e
JOIN colliding_ids c ON c.legacy_table = 'purposepath-kpi-readings' AND c.id = e.id
ANTI JOIN rejected_readings r ON r.id = e.id
UNION ALL
SELECT
    id, attribute, 'warning', 'unknown_attribute',
    'Attribute ' || attribute || ' of purposepath-kpi-readings is not in the contract; it is carried '
    || 'to purposepath-kpi-data under legacy_extra. Decide whether the new table should name it.'
FROM (SELECT id, unnest(json_keys(_extra)) AS attribute FROM kpi_readings WHERE _extra IS NOT NULL) e
ANTI JOIN rejected_readings r ON r.id = e.id;
