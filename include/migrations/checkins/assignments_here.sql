-- The assignments of this partition, and those of other partitions that links of series lead to or from (crossed.sql).
SELECT *,
    -- a base without a week is of week 1
    CASE WHEN has_week THEN recurringWeek WHEN isRecurring THEN '1' END AS week
FROM (
    SELECT
        id, clientId, formId, isRecurring, recurringWeek,
        -- a week of another type is there, so it is not missing
        recurringWeek IS NOT NULL OR json_extract(_mistyped, '$.recurringWeek') IS NOT NULL AS has_week,
        totalWeeks, dueDate, nullif(responseId, '') AS responseId, true AS own
    FROM check_in_assignments
    UNION ALL
    SELECT
        c.id, c.clientId, c.formId, c.isRecurring, c.recurringWeek, c.recurringWeek IS NOT NULL OR c.odd_week, c.totalWeeks,
        c.at, nullif(c.link, ''), false
    FROM crossed c ANTI JOIN check_in_assignments a ON a.id = c.id
    WHERE c.kind = 'assignment'
)
