-- Phase weeks: an assignment for each week of a series that has none, as a copy of the base.
-- Weeks whose response this run links are left to the phase responses, which adds them completed. And what is to be said of
-- the assignments that are there. Where links are mended, an assignment that loses its response to another series is opened.

CREATE OR REPLACE TEMP TABLE missing_weeks AS
SELECT
    b.id AS base_id, CAST(week AS VARCHAR) AS week,
    uuid5_url('check-in-assignments/' || b.id || '/week/' || week) AS id,
    iso_plus_days(b.dueDate, 7 * (week - 1)) AS due_date
FROM (
    -- a base of too many weeks, or whose last week has no due date, is rejected whole
    SELECT *, unnest(range(2, last_week + 1)) AS week FROM bases
    WHERE own AND last_week <= 520 AND iso_plus_days(dueDate, 7 * (last_week - 1)) IS NOT NULL
) b
ANTI JOIN check_in_assignments a
    ON a.clientId = b.clientId AND a.formId = b.formId AND a.recurringWeek = CAST(b.week AS VARCHAR);

CREATE OR REPLACE TEMP TABLE taken_weeks AS
SELECT m.* FROM missing_weeks m SEMI JOIN check_in_assignments a ON a.id = m.id;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    m.id, b.clientId, b.formId, b.isRecurring, m.week AS recurringWeek, b.totalWeeks, 'pending' AS status,
    m.due_date AS dueDate, CAST(NULL AS VARCHAR) AS responseId, CAST(NULL AS VARCHAR) AS score,
    CAST(NULL AS VARCHAR) AS completedAt,
    b._extra,
    canonical_json(json_without(b._mistyped,
        ['recurringWeek', 'status', 'dueDate', 'responseId', 'score', 'completedAt'])) AS _mistyped,
    b.id AS _source
FROM missing_weeks m
JOIN check_in_assignments b ON b.id = m.base_id
ANTI JOIN taken_weeks t ON t.id = m.id
ANTI JOIN fates f ON f.fate = 'linked' AND f.in_run AND f.adds AND f.assignment_id = m.id
UNION ALL
SELECT
    a.id, a.clientId, a.formId, a.isRecurring, a.recurringWeek, a.totalWeeks, 'pending', a.dueDate, NULL, NULL, NULL, a._extra,
    a._mistyped, a.id
FROM released r JOIN check_in_assignments a ON a.id = r.id
WHERE NOT r.together;

-- Bases that give no due date for all of their weeks, though some week is missing.
CREATE OR REPLACE TEMP TABLE undatable AS
SELECT b.id, b.dueDate, b.last_week
FROM bases b
WHERE b.own AND b.last_week BETWEEN 2 AND 520 AND iso_plus_days(b.dueDate, 7 * (b.last_week - 1)) IS NULL AND b.last_week - 1 > (
    SELECT count(DISTINCT a.recurringWeek) FROM check_in_assignments a
    WHERE a.clientId = b.clientId AND a.formId = b.formId AND regexp_full_match(a.recurringWeek, '[1-9]\d{0,8}')
        AND TRY_CAST(a.recurringWeek AS BIGINT) BETWEEN 2 AND b.last_week
);

CREATE OR REPLACE TEMP TABLE too_long AS SELECT id, last_week FROM bases WHERE own AND last_week > 520;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'reject' AS severity, 'too_many_weeks' AS code,
    'Assignment ' || id || ' is the base of ' || last_week || ' weeks, of which a series has 520 at most; none of its missing '
    || 'weeks is added. Correct its totalWeeks in check-in-assignments and plan again.' AS message
FROM too_long
UNION ALL
SELECT
    id, id, 'reject', 'bad_due_date',
    'Assignment ' || id || ' is the base of ' || last_week || ' weeks, but its dueDate, '
    || coalesce('"' || dueDate || '"', 'which is missing') || ', gives no due date for all of them; none of its missing '
    || 'weeks is added. Correct it in check-in-assignments and plan again.'
FROM undatable
UNION ALL
SELECT a.id, a.id, 'keep', '', ''
FROM check_in_assignments a
ANTI JOIN undatable u ON u.id = a.id
ANTI JOIN too_long t ON t.id = a.id
ANTI JOIN (SELECT DISTINCT _source FROM rows) r ON r._source = a.id
UNION ALL
SELECT
    id, id, 'warning', 'duplicate_base',
    'The series of client ' || clientId || ' and form ' || formId || ' has ' || series_bases || ' bases; the one due first, '
    || id || ', is taken. See whether the others belong to another form.'
FROM bases
WHERE own AND series_bases > 1
UNION ALL
SELECT
    base_id, id, 'warning', 'id_taken',
    'Week ' || week || ' of the series of assignment ' || base_id || ' is missing, but its id, ' || id || ', is that of '
    || 'an assignment that says it is of another week; it is left as it is and no assignment is added. Correct its recurringWeek.'
FROM taken_weeks
UNION ALL
SELECT
    a.id, a.id, 'warning', l.wrong,
    'Assignment ' || a.id || ' carries response ' || l.leads_to || ', ' || CASE l.wrong
        WHEN 'link_dangling' THEN 'which does not exist'
        WHEN 'link_elsewhere' THEN 'which is of another series'
        WHEN 'link_wrong_week' THEN 'which is of another week'
        ELSE 'which does not name it as its assignment'
    END || CASE
        WHEN r.id IS NOT NULL THEN '; it is opened again, and the response linked to the assignment of its week.'
        WHEN f.id IS NOT NULL THEN '; the two are linked by this migration.'
        WHEN l.wrong = 'link_dangling' THEN '; it is left as it is. Correct its responseId.'
        ELSE '; it is left as it is. Correct one of the two, or let a run mend such links (relink).'
    END
FROM links l
JOIN check_in_assignments a ON a.id = l.id
LEFT JOIN released r ON r.id = a.id
LEFT JOIN fates f ON f.id = l.leads_to AND f.fate = 'linked' AND f.assignment_id = a.id
WHERE l.kind = 'assignment' AND l.wrong IS NOT NULL
UNION ALL
SELECT
    id, id, 'warning', 'bad_status',
    'Assignment ' || id || ' is completed and carries no response. See whether its status or its responseId is wrong.'
FROM check_in_assignments
WHERE status = 'completed' AND nullif(responseId, '') IS NULL
UNION ALL
SELECT
    id, id, 'warning', 'week_out_of_range',
    'Assignment ' || id || ' is of week ' || week || ', which is not a whole number from 1 to '
    || coalesce(CAST(total_weeks AS VARCHAR), 'the last') || '. Correct its recurringWeek or totalWeeks.'
FROM weeks_there
WHERE week IS NOT NULL AND (NOT whole OR number IS NULL OR number > total_weeks)
UNION ALL
SELECT
    id, id, 'warning', 'due_date_off',
    'Assignment ' || id || ' is of week ' || week || ' and due ' || coalesce('"' || dueDate || '"', 'at no date') || ', but by base '
    || base_id || ' that week is due "' || due_date || '". See which of the two is meant.'
FROM weeks_there
WHERE off;
