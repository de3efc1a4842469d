-- The responses of this partition, and those of other partitions that links of series lead to or from (crossed.sql).
SELECT
    id, clientId, formId, recurringWeek,
    recurringWeek IS NOT NULL OR json_extract(_mistyped, '$.recurringWeek') IS NOT NULL AS has_week,
    nullif(assignmentId, '') AS assignmentId, submittedAt, true AS own
FROM form_responses
UNION ALL
SELECT c.id, c.clientId, c.formId, c.recurringWeek, c.recurringWeek IS NOT NULL OR c.odd_week, nullif(c.link, ''), c.at, false
FROM crossed c ANTI JOIN form_responses r ON r.id = c.id
WHERE c.kind = 'response'
