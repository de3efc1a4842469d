-- The base of each series (clientId, formId): its assignment of week 1, or, failing that, one that is recurring and has
-- no week. Of several, the earliest due date as an instant, then the smallest id.
SELECT
    id, clientId, formId, dueDate, series_bases, own,
    -- the last whole week of the series; 1 where it names none
    CASE
        WHEN totalWeeks IS NULL OR starts_with(totalWeeks, '-') THEN 1
        WHEN length(split_part(totalWeeks, '.', 1)) > 9 THEN 999999999
        ELSE greatest(1, CAST(split_part(totalWeeks, '.', 1) AS BIGINT))
    END AS last_week
FROM (
    SELECT *,
        count(*) OVER (PARTITION BY clientId, formId, rank) AS series_bases,
        row_number() OVER (
            PARTITION BY clientId, formId ORDER BY rank, instant_order(dueDate) NULLS LAST, id
        ) AS place
    FROM (
        SELECT *, CASE WHEN recurringWeek = '1' THEN 1 WHEN isRecurring AND NOT has_week THEN 2 END AS rank
        FROM assignments_here
        WHERE clientId IS NOT NULL AND formId IS NOT NULL
    )
    WHERE rank IS NOT NULL
)
WHERE place = 1
