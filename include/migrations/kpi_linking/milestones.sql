-- Phase milestones: kpi_milestones → kpi_data, one row for every (milestone, new link of the same KPI and tenant)
-- (rules 2, 3, 5, 8 and 9).

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
CREATE OR REPLACE TEMP TABLE rejected_milestones AS
SELECT id, tenant_id, kpi_id, milestone_date, _mistyped, code
FROM (
    SELECT m.*, CASE
        WHEN coalesce(m.kpi_id, '') = '' AND json_extract(m._mistyped, '$.kpi_id') IS NULL THEN 'missing_key'
        WHEN coalesce(m.tenant_id, '') = '' AND json_extract(m._mistyped, '$.tenant_id') IS NULL THEN 'missing_key'
        WHEN m._mistyped IS NOT NULL THEN 'bad_type'
        WHEN iso_instant(m.milestone_date) IS NULL THEN 'bad_date'
        WHEN l.id IS NULL THEN 'unlinked'
    END AS code
    FROM kpi_milestones m
    LEFT JOIN ranked_links l ON l.tenant_id = m.tenant_id AND l.kpi_id = m.kpi_id AND l.place = 1
)
WHERE code IS NOT NULL;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    CASE WHEN l.place = 1 THEN m.id
        ELSE uuid5_url('purposepath-kpi-milestones/' || m.id || '/' || l.id)
    END AS id,
    m.tenant_id,
    l.id AS kpi_link_id,
    'Target' AS data_category,
    'Expected' AS target_subtype,
    CAST(NULL AS VARCHAR) AS actual_subtype,
    m.target_value AS post_value,
    m.milestone_date AS post_date,
    CAST(NULL AS VARCHAR) AS measured_period_start_date,
    m.label,
    m.confidence_level,
    m.rationale,
    CAST(NULL AS VARCHAR) AS original_value,
    false AS is_manual_override,
    CAST(NULL AS VARCHAR) AS override_comment,
    'Manual' AS data_source,
    CAST(NULL AS VARCHAR) AS source_reference_id,
    false AS triggers_replan,
    false AS replan_threshold_exceeded,
    CAST(NULL AS BOOLEAN) AS auto_adjustment_applied,
    m.created_by AS recorded_by,
    m.created_at AS recorded_at,
    m.created_by,
    m.created_at,
    m.updated_by,
    m.updated_at,
    'purposepath-kpi-milestones' AS legacy_table,
    m.id AS legacy_id,
    m._extra AS legacy_extra,
    m.id AS _source
FROM kpi_milestones m
ANTI JOIN rejected_milestones r ON r.id = m.id
JOIN ranked_links l ON l.tenant_id = m.tenant_id AND l.kpi_id = m.kpi_id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'reject' AS severity, code,
    'Milestone ' || id || CASE code
        WHEN 'missing_key' THEN ' has no ' || CASE
            WHEN coalesce(tenant_id, '') = '' AND json_extract(_mistyped, '$.tenant_id') IS NULL THEN 'tenant_id'
            ELSE 'kpi_id'
        END
        WHEN 'bad_type' THEN ' holds values of another type than declared: ' || list_aggregate(list_transform(
            json_keys(_mistyped),
            lambda name: name || ' (' || json_keys(json_extract(_mistyped, '$.' || name))[1] || ')'),
            'string_agg', ', ')
        WHEN 'bad_date' THEN ' has no milestone_date that is an ISO 8601 date or timestamp: '
            || coalesce('"' || milestone_date || '"', 'there is none')
        ELSE ' belongs to KPI ' || kpi_id || ' of tenant ' || tenant_id || ', which has no link that was migrated'
    END || '; it is quarantined with its full content and not written. ' || CASE code
        WHEN 'unlinked' THEN 'Link the KPI in purposepath-goal-kpi-links and plan again, or leave the row out for good.'
        ELSE 'Correct it in purposepath-kpi-milestones and plan again.'
    END AS message
FROM rejected_milestones
UNION ALL
SELECT
    id, attribute, 'warning', 'unknown_attribute',
    'Attribute ' || attribute || ' of purposepath-kpi-milestones is not in the contract; it is carried '
    || 'to purposepath-kpi-data under legacy_extra. Decide whether the new table should name it.'
FROM (SELECT id, unnest(json_keys(_extra)) AS attribute FROM kpi_milestones WHERE _extra IS NOT NULL) m
ANTI JOIN rejected_milestones r ON r.id = m.id;
