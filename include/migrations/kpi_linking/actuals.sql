-- Phase actuals: kpi_actuals → kpi_data, one row for every (actual, new link of the same KPI and tenant)
-- (rules 2, 3, 4, 6, 8 and 9).

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
CREATE OR REPLACE TEMP TABLE rejected_actuals AS
SELECT id, tenant_id, kpi_id, measurement_date, _mistyped, code
FROM (
    SELECT a.*, CASE
        WHEN coalesce(a.kpi_id, '') = '' AND json_extract(a._mistyped, '$.kpi_id') IS NULL THEN 'missing_key'
        WHEN coalesce(a.tenant_id, '') = '' AND json_extract(a._mistyped, '$.tenant_id') IS NULL THEN 'missing_key'
        WHEN a._mistyped IS NOT NULL THEN 'bad_type'
        WHEN iso_instant(a.measurement_date) IS NULL THEN 'bad_date'
        WHEN l.id IS NULL THEN 'unlinked'
    END AS code
    FROM kpi_actuals a
    LEFT JOIN ranked_links l ON l.tenant_id = a.tenant_id AND l.kpi_id = a.kpi_id AND l.place = 1
)
WHERE code IS NOT NULL;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    -- Rule 4: an id that an earlier phase's table holds too is left to it.
    CASE WHEN l.place = 1 AND c.id IS NULL THEN a.id
        ELSE uuid5_url('purposepath-kpi-actuals/' || a.id || '/' || l.id)
    END AS id,
    a.tenant_id,
    l.id AS kpi_link_id,
    'Actual' AS data_category,
    CAST(NULL AS VARCHAR) AS target_subtype,
    'Measured' AS actual_subtype,
    a.actual_value AS post_value,
    a.measurement_date AS post_date,
    CAST(NULL AS VARCHAR) AS measured_period_start_date,
    CAST(NULL AS VARCHAR) AS label,
    CAST(NULL AS VARCHAR) AS confidence_level,
    CAST(NULL AS VARCHAR) AS rationale,
    a.original_value,
    a.is_manual_override,
    a.override_comment,
    a.data_source,
    a.source_reference_id,
    a.triggers_replan,
    a.replan_threshold_exceeded,
    a.auto_adjustment_applied,
    a.recorded_by,
    a.recorded_at,
    a.recorded_by AS created_by,
    a.recorded_at AS created_at,
    CAST(NULL AS VARCHAR) AS updated_by,
    CAST(NULL AS VARCHAR) AS updated_at,
    'purposepath-kpi-actuals' AS legacy_table,
    a.id AS legacy_id,
    a._extra AS legacy_extra,
    a.id AS _source
FROM kpi_actuals a
ANTI JOIN rejected_actuals r ON r.id = a.id
JOIN ranked_links l ON l.tenant_id = a.tenant_id AND l.kpi_id = a.kpi_id
LEFT JOIN colliding_ids c ON c.legacy_table = 'purposepath-kpi-actuals' AND c.id = a.id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'reject' AS severity, code,
    'Actual ' || id || CASE code
        WHEN 'missing_key' THEN ' has no ' || CASE
            WHEN coalesce(tenant_id, '') = '' AND json_extract(_mistyped, '$.tenant_id') IS NULL THEN 'tenant_id'
            ELSE 'kpi_id'
        END
        WHEN 'bad_type' THEN ' holds values of another type than declared: ' || list_aggregate(list_transform(
            json_keys(_mistyped),
            lambda name: name || ' (' || json_keys(json_extract(_mistyped, '$.' || name))[1] || ')'),
            'string_agg', ', ')
        WHEN 'bad_date' THEN ' has no measurement_date that is an ISO 8601 date or timestamp: '
            || coalesce('"' || measurement_date || '"', 'there is none')
        ELSE ' belongs to KPI ' || kpi_id || ' of tenant ' || tenant_id || ', which has no link that was migrated'
    END || '; it is quarantined with its full content and not written. ' || CASE code
        WHEN 'unlinked' THEN 'Link the KPI in purposepath-goal-kpi-links and plan again, or leave the row out for good.'
        ELSE 'Correct it in purposepath-kpi-actuals and plan again.'
    END AS message
FROM rejected_actuals
UNION ALL
SELECT
    a.id, a.id, 'warning', 'id_collision',
    'Actual ' || a.id || ' shares its id with a row of ' || c.held_by || ', which keeps it; all rows of this '
    || 'actual in purposepath-kpi-data have derived ids instead. '
    || 'Whoever looks it up by its id has to use legacy_table and legacy_id.'
FROM kpi_actuals a
JOIN colliding_ids c ON c.legacy_table = 'purposepath-kpi-actuals' AND c.id = a.id
ANTI JOIN rejected_actuals r ON r.id = a.id
UNION ALL
SELECT
    id, attribute, 'warning', 'unknown_attribute',
    'Attribute ' || attribute || ' of purposepath-kpi-actuals is not in the contract; it is carried '
    || 'to purposepath-kpi-data under legacy_extra. Decide whether the new table should name it.'
FROM (SELECT id, unnest(json_keys(_extra)) AS attribute FROM kpi_actuals WHERE _extra IS NOT NULL) a
ANTI JOIN rejected_actuals r ON r.id = a.id;
