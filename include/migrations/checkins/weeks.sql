-- Phase weeks: an assignment for each week of a series that has none, as a copy of the base.
-- Weeks whose response this run links are left to the phase responses, which adds them completed.

CREATE OR REPLACE TEMP TABLE missing_weeks AS
SELECT
    b.id AS base_id, CAST(week AS VARCHAR) AS week,
    uuid5_url('check-in-assignments/' || b.id || '/week/' || week) AS id,
    iso_plus_days(b.dueDate, 7 * (week - 1)) AS due_date
FROM (
    -- a base whose last week has no due date is rejected whole
    SELECT *, unnest(range(2, last_week + 1)) AS week FROM bases
    WHERE iso_plus_days(dueDate, 7 * (last_week - 1)) IS NOT NULL
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
ANTI JOIN fates f ON f.fate = 'linked' AND f.in_run AND f.adds AND f.assignment_id = m.id;

-- Bases that give no due date for all of their weeks, though some week is missing.
CREATE OR REPLACE TEMP TABLE undatable AS
SELECT b.id, b.dueDate, b.last_week
FROM bases b
WHERE b.last_week > 1 AND iso_plus_days(b.dueDate, 7 * (b.last_week - 1)) IS NULL AND b.last_week - 1 > (
    SELECT count(DISTINCT a.recurringWeek) FROM check_in_assignments a
    WHERE a.clientId = b.clientId AND a.formId = b.formId AND regexp_full_match(a.recurringWeek, '[1-9]\d{0,8}')
        AND TRY_CAST(a.recurringWeek AS BIGINT) BETWEEN 2 AND b.last_week
);

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'reject' AS severity, 'bad_due_date' AS code,
    'Assignment ' || id || ' is the base of ' || last_week || ' weeks, but its dueDate, '
    || coalesce('"' || dueDate || '"', 'which is missing') || ', gives no due date for all of them; none of its missing '
    || 'weeks is added. Correct it in check-in-assignments and plan again.' AS message
FROM undatable
UNION ALL
SELECT a.id, a.id, 'keep', '', ''
FROM check_in_assignments a
ANTI JOIN undatable u ON u.id = a.id
ANTI JOIN (SELECT DISTINCT _source FROM rows) r ON r._source = a.id
UNION ALL
SELECT
    id, id, 'warning', 'duplicate_base',
    'The series of client ' || clientId || ' and form ' || formId || ' has ' || series_bases || ' bases; the one due first, '
    || id || ', is taken. See whether the others belong to another form.'
FROM bases
WHERE series_bases > 1
UNION ALL
SELECT
    base_id, id, 'warning', 'id_taken',
    'Week ' || week || ' of the series of assignment ' || base_id || ' is missing, but its id, ' || id || ', is that of '
    || 'an assignment that says it is of another week; it is left as it is and no assignment is added. Correct its recurringWeek.'
FROM taken_weeks;
