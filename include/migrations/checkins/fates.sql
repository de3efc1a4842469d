-- What becomes of each response: kept, rejected, left as it is with a warning, or linked, and to which assignment. Of other
-- partitions' responses too, as far as links lead there (`own` is false): whose assignment is free depends on them.
WITH RECURSIVE mending AS (
    SELECT value = 'mend' AS on FROM params WHERE id = 'relink'
),
kept AS (
    SELECT id FROM responses_here WHERE NOT has_week
    UNION
    SELECT l.id FROM links l CROSS JOIN mending m
    WHERE l.kind = 'response' AND (l.wrong IS NULL OR (l.wrong <> 'link_dangling' AND NOT m.on))
),
-- Numbers are text in canonical form, so a whole one has no point, however many digits it has.
of_week AS (
    SELECT *, row_number() OVER (
        PARTITION BY clientId, formId, recurringWeek ORDER BY instant_order(submittedAt) DESC NULLS LAST, id DESC
    ) AS place
    FROM responses_here r
    ANTI JOIN kept k ON k.id = r.id
    WHERE regexp_full_match(recurringWeek, '[1-9]\d*')
),
-- The assignment of each week: of week 1 the base, of another the smallest id.
assignment_of_week AS (
    SELECT clientId, formId, recurringWeek AS week, min(id) AS id FROM assignments_here
    WHERE recurringWeek <> '1' GROUP BY ALL
    UNION ALL
    SELECT clientId, formId, '1', id FROM bases
),
joined AS (
    SELECT
        r.id, r.clientId, r.formId, r.recurringWeek AS week, r.submittedAt, r.place,
        b.id AS base_id, b.last_week, a.id AS there, a.responseId AS held_by,
        a.id IS NULL AS adds,
        'check-in-assignments/' || b.id || '/week/' || r.recurringWeek AS name,
        -- a week of more digits is past every calendar
        CASE WHEN length(r.recurringWeek) <= 9 THEN CAST(r.recurringWeek AS BIGINT) END AS number,
        iso_plus_days(b.dueDate, 7 * (number - 1)) AS due_date
    FROM of_week r
    LEFT JOIN bases b ON b.clientId = r.clientId AND b.formId = r.formId
    LEFT JOIN assignment_of_week w ON w.clientId = r.clientId AND w.formId = r.formId AND w.week = r.recurringWeek
    LEFT JOIN assignments_here a ON a.id = w.id
),
decided AS (
    SELECT
        r.id, r.own, r.submittedAt, f.base_id, f.adds, f.due_date, f.week, f.held_by,
        coalesce(f.there, uuid5_url(f.name)) AS assignment_id,
        f.adds AND f.number > f.last_week AS past_total,
        CASE
            WHEN k.id IS NOT NULL THEN 'kept'
            WHEN f.id IS NULL THEN 'bad_week'
            WHEN f.adds AND f.base_id IS NULL THEN 'no_base'
            WHEN f.place > 1 THEN 'duplicate_response'
            WHEN f.adds AND f.due_date IS NULL THEN 'bad_due_date'
            WHEN f.adds AND f.number > 520 THEN 'too_many_weeks'
            WHEN f.adds AND t.id IS NOT NULL THEN 'id_taken'
            ELSE 'linked'
        END AS fate
    FROM responses_here r
    LEFT JOIN kept k ON k.id = r.id
    LEFT JOIN joined f ON f.id = r.id
    LEFT JOIN assignments_here t ON f.adds AND t.id = uuid5_url(f.name)
),
-- An assignment that carries another response is free only where that one is linked to another assignment, which has to be
-- free in turn. Without mending none is.
blocked AS (
    SELECT d.id FROM decided d CROSS JOIN mending m
    WHERE d.fate = 'linked' AND d.held_by <> d.id
        AND (NOT m.on OR d.held_by NOT IN (SELECT id FROM decided WHERE fate = 'linked'))
    UNION
    SELECT d.id FROM decided d JOIN blocked b ON b.id = d.held_by
    WHERE d.fate = 'linked' AND d.held_by <> d.id
)
SELECT
    d.* EXCLUDE (fate, submittedAt), in_window(iso_instant(d.submittedAt)) AS in_run,
    CASE WHEN b.id IS NOT NULL THEN 'link_conflict' ELSE d.fate END AS fate
FROM decided d LEFT JOIN blocked b ON b.id = d.id
