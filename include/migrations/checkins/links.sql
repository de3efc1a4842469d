-- Every link of both tables, judged: what it leads to, and the first thing that is wrong with it (null: nothing). The
-- statements about links judge whole tables by the same query (statements.py).
SELECT
    'response' AS kind, r.id, r.assignmentId AS leads_to,
    CASE
        WHEN a.id IS NULL THEN 'link_dangling'
        WHEN (r.clientId, r.formId) IS DISTINCT FROM (a.clientId, a.formId) THEN 'link_elsewhere'
        -- a response without a week may answer any
        WHEN r.has_week AND coalesce(r.recurringWeek <> a.week, true) THEN 'link_wrong_week'
        WHEN a.responseId IS DISTINCT FROM r.id THEN 'link_one_sided'
    END AS wrong
FROM responses_here r LEFT JOIN assignments_here a ON a.id = r.assignmentId
WHERE r.assignmentId IS NOT NULL
UNION ALL
SELECT
    'assignment', a.id, a.responseId,
    CASE
        WHEN r.id IS NULL THEN 'link_dangling'
        WHEN (r.clientId, r.formId) IS DISTINCT FROM (a.clientId, a.formId) THEN 'link_elsewhere'
        WHEN r.has_week AND coalesce(r.recurringWeek <> a.week, true) THEN 'link_wrong_week'
        WHEN r.assignmentId IS DISTINCT FROM a.id THEN 'link_one_sided'
    END
FROM assignments_here a LEFT JOIN responses_here r ON r.id = a.responseId
WHERE a.responseId IS NOT NULL
