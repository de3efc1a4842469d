-- Each series: how many weeks have an assignment, and how many up to the last have none.
SELECT
    a.clientId, a.formId,
    count(DISTINCT a.week) FILTER (regexp_full_match(a.week, '[1-9]\d*')) AS existing_weeks,
    greatest(0, coalesce(any_value(b.last_week), 0)
        - count(DISTINCT a.week) FILTER (
            regexp_full_match(a.week, '[1-9]\d{0,8}') AND TRY_CAST(a.week AS BIGINT) <= b.last_week
        )) AS missing_weeks
FROM assignments_here a
LEFT JOIN bases b ON b.clientId = a.clientId AND b.formId = a.formId
WHERE a.own AND a.clientId IS NOT NULL AND a.formId IS NOT NULL
GROUP BY ALL
