-- Phase readings: kpi_readings → kpi_data (rule 7). What becomes of each column; data.sql makes the rows.
CREATE OR REPLACE TEMP VIEW legacy AS
SELECT
    'purposepath-kpi-readings' AS legacy_table, 'Reading' AS noun, 'reading_date' AS dated_by,
    id, tenant_id, kpi_id, _extra, _mistyped,
    'Actual' AS data_category,
    CAST(NULL AS VARCHAR) AS target_subtype,
    'Measured' AS actual_subtype,
    value AS post_value,
    reading_date AS post_date,
    period_start AS measured_period_start_date,
    CAST(NULL AS VARCHAR) AS label,
    CAST(NULL AS VARCHAR) AS confidence_level,
    CAST(NULL AS VARCHAR) AS rationale,
    original_value,
    is_adjusted AS is_manual_override,
    adjustment_reason AS override_comment,
    source AS data_source,
    external_id AS source_reference_id,
    false AS triggers_replan,
    false AS replan_threshold_exceeded,
    CAST(NULL AS BOOLEAN) AS auto_adjustment_applied,
    entered_by AS recorded_by,
    entered_at AS recorded_at,
    entered_by AS created_by,
    entered_at AS created_at,
    CAST(NULL AS VARCHAR) AS updated_by,
    CAST(NULL AS VARCHAR) AS updated_at
FROM kpi_readings;
