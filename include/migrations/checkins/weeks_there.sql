-- Week and due date of each assignment that is there, beside those that its series says it should have.
SELECT *, due_date IS NOT NULL AND instant_order(dueDate) IS DISTINCT FROM instant_order(due_date) AS off
FROM (
    SELECT
        a.id, coalesce(a.recurringWeek, CAST(json_extract(a._mistyped, '$.recurringWeek') AS VARCHAR)) AS week, a.dueDate,
        b.id AS base_id,
        regexp_full_match(week, '[1-9]\d*') AS whole,
        CASE WHEN length(week) <= 9 AND whole THEN CAST(week AS BIGINT) END AS number,
        TRY_CAST(split_part(coalesce(a.totalWeeks, t.totalWeeks), '.', 1) AS BIGINT) AS named,
        -- 1 where it says less, as with the base
        CASE WHEN named < 1 THEN 1 ELSE named END AS total_weeks,
        iso_plus_days(b.dueDate, 7 * (number - 1)) AS due_date
    FROM check_in_assignments a
    LEFT JOIN bases b ON b.clientId = a.clientId AND b.formId = a.formId
    LEFT JOIN check_in_assignments t ON t.id = b.id
)
