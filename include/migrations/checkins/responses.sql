-- Phase responses: each response that is to be linked, and with it, in one transaction, the assignment of its week.

CREATE OR REPLACE TEMP TABLE linked AS
SELECT f.*, r.clientId, r.formId, r.submittedAt, r.score
FROM fates f
JOIN form_responses r ON r.id = f.id
WHERE f.fate = 'linked' AND f.in_run;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT id, clientId, formId, assignment_id AS assignmentId, id AS _source FROM linked;

CREATE OR REPLACE TEMP VIEW rows_assignments AS
-- The assignment that is there: linked and completed, the rest as it is.
SELECT
    a.id, a.clientId, a.formId, a.isRecurring,
    -- a base without a week, to which a response of week 1 is linked, is of week 1
    coalesce(a.recurringWeek, l.week) AS recurringWeek,
    a.totalWeeks, 'completed' AS status, a.dueDate, l.id AS responseId,
    -- what it says of another response, which is linked elsewhere, goes with that
    CASE WHEN l.held_by <> l.id THEN l.score ELSE coalesce(l.score, a.score) END AS score,
    CASE WHEN l.held_by <> l.id THEN l.submittedAt ELSE coalesce(l.submittedAt, a.completedAt) END AS completedAt,
    a._extra, a._mistyped, l.id AS _source
FROM linked l
JOIN check_in_assignments a ON a.id = l.assignment_id
WHERE NOT l.adds
UNION ALL
-- None: a copy of the base, completed at once.
SELECT
    l.assignment_id, b.clientId, b.formId, b.isRecurring, l.week, b.totalWeeks, 'completed', l.due_date, l.id, l.score,
    l.submittedAt, b._extra,
    canonical_json(json_without(b._mistyped,
        ['recurringWeek', 'status', 'dueDate', 'responseId', 'score', 'completedAt'])),
    l.id
FROM linked l
JOIN check_in_assignments b ON b.id = l.base_id
WHERE l.adds
UNION ALL
-- The one that the response leaves, where links are mended: open again.
SELECT
    a.id, a.clientId, a.formId, a.isRecurring, a.recurringWeek, a.totalWeeks, 'pending', a.dueDate, NULL, NULL, NULL, a._extra,
    a._mistyped, l.id
FROM linked l
JOIN released r ON r.response = l.id AND r.together
JOIN check_in_assignments a ON a.id = r.id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT id AS _source, id AS key, 'keep' AS severity, '' AS code, '' AS message
FROM fates
WHERE own AND fate IN ('kept', 'duplicate_response', 'link_conflict')
UNION ALL
SELECT
    f.id, f.id, 'reject', f.fate,
    'Response ' || f.id || CASE f.fate
        WHEN 'bad_week' THEN ' is of week ' || coalesce(r.recurringWeek,
            CAST(json_extract(r._mistyped, '$.recurringWeek') AS VARCHAR)) || ', which is not a whole number from 1 on'
        WHEN 'no_base' THEN ' is of week ' || f.week || ' of a series that has neither an assignment of that week nor a base '
            || 'to copy'
        WHEN 'too_many_weeks' THEN ' is of week ' || f.week || ', which has no assignment, and a series has 520 weeks at most'
        WHEN 'bad_due_date' THEN ' is of week ' || f.week || ', which has no assignment yet, and the dueDate of base '
            || f.base_id || ' gives no due date for it'
        ELSE ' is of week ' || f.week || ', which has no assignment, and the id that one would get, ' || f.assignment_id
            || ', is that of an assignment that says it is of another week'
    END || '; it is quarantined with its full content and not linked. ' || CASE f.fate
        WHEN 'bad_week' THEN 'Correct its recurringWeek and plan again.'
        WHEN 'too_many_weeks' THEN 'Correct its recurringWeek and plan again.'
        WHEN 'no_base' THEN 'Give its client an assignment of the form and plan again, or leave it out for good.'
        WHEN 'bad_due_date' THEN 'Correct the base''s dueDate, or the response''s recurringWeek, and plan again.'
        ELSE 'Correct that assignment''s recurringWeek and plan again.'
    END AS message
FROM fates f
JOIN form_responses r ON r.id = f.id
WHERE f.fate IN ('bad_week', 'no_base', 'bad_due_date', 'too_many_weeks', 'id_taken')
UNION ALL
SELECT
    id, id, 'warning', fate,
    'Response ' || id || ' is one of several of week ' || week || ' of its series and not the latest; it is left as it '
    || 'is. See which of them should count.'
FROM fates
WHERE own AND fate = 'duplicate_response'
UNION ALL
SELECT
    id, id, 'warning', fate,
    'Response ' || id || ' is of week ' || week || ', whose assignment ' || assignment_id || ' carries response ' || held_by
    || '; both are left as they are. See which of the two responses should count.'
FROM fates
WHERE own AND fate = 'link_conflict'
UNION ALL
SELECT
    f.id, f.id, 'warning', 'week_past_total',
    'Response ' || f.id || ' is of week ' || f.week || ', but the series of base ' || f.base_id || ' ends at week '
    || b.last_week || '; the assignment is added anyway. See whether the series was shortened.'
FROM fates f
JOIN bases b ON b.id = f.base_id
WHERE f.own AND f.fate = 'linked' AND f.past_total
UNION ALL
SELECT
    r.id, r.id, 'warning', l.wrong,
    'Response ' || r.id || ' is linked to assignment ' || l.leads_to || ', ' || CASE l.wrong
        WHEN 'link_dangling' THEN 'which does not exist'
        WHEN 'link_elsewhere' THEN 'which is of another series'
        WHEN 'link_wrong_week' THEN 'which is of another week'
        ELSE 'which does not carry it'
    END || CASE
        WHEN f.fate = 'linked' THEN '; it is linked to ' || f.assignment_id || ', the one of its week.'
        WHEN l.wrong = 'link_dangling' THEN '; it is left as it is. Correct its assignmentId.'
        ELSE '; it is left as it is. Correct one of the two, or let a run mend such links (relink).'
    END
FROM links l
JOIN form_responses r ON r.id = l.id
JOIN fates f ON f.id = r.id
WHERE l.kind = 'response' AND l.wrong IS NOT NULL AND NOT (l.wrong = 'link_dangling' AND f.fate = 'linked');
