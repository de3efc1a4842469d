-- Phase milestones: kpi_milestones → kpi_data (rule 5). What becomes of each column; data.sql makes the rows.
CREATE OR REPLACE TEMP VIEW legacy AS
SELECT
    'purposepath-kpi-milestones' AS legacy_table, 'Milestone' AS noun, 'milestone_date' AS dated_by,
    id, tenant_id, kpi_id, _extra, _mistyped,
    'Target' AS data_category,
    'Expected' AS target_subtype,
    CAST(NULL AS VARCHAR) AS actual_subtype,
    target_value AS post_value,
    milestone_date AS post_date,
    CAST(NULL AS VARCHAR) AS measured_period_start_date,
    label,
    confidence_level,
    rationale,
    CAST(NULL AS VARCHAR) AS original_value,
    false AS is_manual_override,
    CAST(NULL AS VARCHAR) AS override_comment,
    'Manual' AS data_source,
    CAST(NULL AS VARCHAR) AS source_reference_id,
    false AS triggers_replan,
    false AS replan_threshold_exceeded,
    CAST(NULL AS BOOLEAN) AS auto_adjustment_applied,
    created_by AS recorded_by,
    created_at AS recorded_at,
    created_by,
    created_at,
    updated_by,
    updated_at
FROM kpi_milestones;
