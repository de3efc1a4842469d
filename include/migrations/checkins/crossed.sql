-- Rows of both tables that partitions must see besides their own: the ends of every link that leads to another series, and
-- all of these series. Links within a series lie in one partition with both of their ends and need no look-up.
WITH links AS (
    SELECT r.id AS response, a.id AS assignment, r.clientId AS r_client, r.formId AS r_form, a.clientId, a.formId
    FROM form_responses r
    JOIN check_in_assignments a ON a.id = r.assignmentId
    WHERE (r.clientId, r.formId) IS DISTINCT FROM (a.clientId, a.formId)
    UNION
    SELECT r.id, a.id, r.clientId, r.formId, a.clientId, a.formId
    FROM check_in_assignments a
    JOIN form_responses r ON r.id = a.responseId
    WHERE (r.clientId, r.formId) IS DISTINCT FROM (a.clientId, a.formId)
),
series AS (
    SELECT r_client AS clientId, r_form AS formId FROM links
    UNION
    SELECT clientId, formId FROM links
),
responses AS (
    SELECT r.id FROM form_responses r SEMI JOIN links l ON l.response = r.id
    UNION
    SELECT r.id FROM form_responses r SEMI JOIN series s ON s.clientId = r.clientId AND s.formId = r.formId
),
assignments AS (
    SELECT a.id FROM check_in_assignments a SEMI JOIN links l ON l.assignment = a.id
    UNION
    SELECT a.id FROM check_in_assignments a SEMI JOIN series s ON s.clientId = a.clientId AND s.formId = a.formId
)
SELECT
    'response' AS kind, r.id, r.clientId, r.formId, r.recurringWeek,
    json_extract(r._mistyped, '$.recurringWeek') IS NOT NULL AS odd_week,
    r.assignmentId AS link, r.submittedAt AS at, CAST(NULL AS BOOLEAN) AS isRecurring, CAST(NULL AS VARCHAR) AS totalWeeks
FROM form_responses r SEMI JOIN responses c ON c.id = r.id
UNION ALL
SELECT
    'assignment', a.id, a.clientId, a.formId, a.recurringWeek, json_extract(a._mistyped, '$.recurringWeek') IS NOT NULL,
    a.responseId, a.dueDate, a.isRecurring, a.totalWeeks
FROM check_in_assignments a SEMI JOIN assignments c ON c.id = a.id
