-- Phase actuals: kpi_actuals → kpi_data (rule 6). What becomes of each column; data.sql makes the rows.
CREATE OR REPLACE TEMP VIEW legacy AS
SELECT
    'purposepath-kpi-actuals' AS legacy_table, 'Actual' AS noun, 'measurement_date' AS dated_by,
    id, tenant_id, kpi_id, _extra, _mistyped,
    'Actual' AS data_category,
    CAST(NULL AS VARCHAR) AS target_subtype,
    'Measured' AS actual_subtype,
    actual_value AS post_value,
    measurement_date AS post_date,
    CAST(NULL AS VARCHAR) AS measured_period_start_date,
    CAST(NULL AS VARCHAR) AS label,
    CAST(NULL AS VARCHAR) AS confidence_level,
    CAST(NULL AS VARCHAR) AS rationale,
    original_value,
    is_manual_override,
    override_comment,
    data_source,
    source_reference_id,
    triggers_replan,
    replan_threshold_exceeded,
    auto_adjustment_applied,
    recorded_by,
    recorded_at,
    recorded_by AS created_by,
    recorded_at AS created_at,
    CAST(NULL AS VARCHAR) AS updated_by,
    CAST(NULL AS VARCHAR) AS updated_at
FROM kpi_actuals;
