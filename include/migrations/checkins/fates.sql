-- What becomes of each response: kept, rejected, left as it is with a warning, or linked, and to which assignment.
WITH kept AS (
    SELECT id FROM form_responses
    WHERE recurringWeek IS NULL AND json_extract(_mistyped, '$.recurringWeek') IS NULL
    UNION
    SELECT r.id FROM form_responses r SEMI JOIN check_in_assignments a ON a.id = r.assignmentId
    UNION
    SELECT id FROM placed_elsewhere
),
-- Numbers are text in canonical form, so a whole one has no point, however many digits it has.
of_week AS (
    SELECT *, row_number() OVER (
        PARTITION BY clientId, formId, recurringWeek ORDER BY instant_order(submittedAt) DESC NULLS LAST, id DESC
    ) AS place
    FROM form_responses r
    ANTI JOIN kept k ON k.id = r.id
    WHERE regexp_full_match(recurringWeek, '[1-9]\d*')
),
-- The assignment of each week: of week 1 the base, of another the smallest id.
assignment_of_week AS (
    SELECT clientId, formId, recurringWeek AS week, min(id) AS id FROM check_in_assignments
    WHERE recurringWeek <> '1' GROUP BY ALL
    UNION ALL
    SELECT clientId, formId, '1', id FROM bases
),
joined AS (
    SELECT
        r.id, r.clientId, r.formId, r.recurringWeek AS week, r.submittedAt, r.place,
        b.id AS base_id, b.last_week, a.id AS there, nullif(a.responseId, '') AS held_by,
        a.id IS NULL AS adds,
        'check-in-assignments/' || b.id || '/week/' || r.recurringWeek AS name,
        -- a week of more digits is past every calendar
        CASE WHEN length(r.recurringWeek) <= 9 THEN CAST(r.recurringWeek AS BIGINT) END AS number,
        iso_plus_days(b.dueDate, 7 * (number - 1)) AS due_date
    FROM of_week r
    LEFT JOIN bases b ON b.clientId = r.clientId AND b.formId = r.formId
    LEFT JOIN assignment_of_week w ON w.clientId = r.clientId AND w.formId = r.formId AND w.week = r.recurringWeek
    LEFT JOIN check_in_assignments a ON a.id = w.id
)
SELECT
    r.id, f.base_id, f.adds, f.due_date, f.week, f.held_by,
    coalesce(f.there, uuid5_url(f.name)) AS assignment_id,
    f.adds AND f.number > f.last_week AS past_total,
    in_window(iso_instant(r.submittedAt)) AS in_run,
    CASE
        WHEN k.id IS NOT NULL THEN 'kept'
        WHEN f.id IS NULL THEN 'bad_week'
        WHEN f.adds AND f.base_id IS NULL THEN 'no_base'
        WHEN f.place > 1 THEN 'duplicate_response'
        WHEN f.adds AND f.due_date IS NULL THEN 'bad_due_date'
        WHEN f.adds AND t.id IS NOT NULL THEN 'id_taken'
        WHEN f.held_by <> r.id THEN 'link_conflict'
        ELSE 'linked'
    END AS fate
FROM form_responses r
LEFT JOIN kept k ON k.id = r.id
LEFT JOIN joined f ON f.id = r.id
LEFT JOIN check_in_assignments t ON f.adds AND t.id = uuid5_url(f.name)
