-- The assignments that are there; one without a week counts as of week 1.
SELECT
    count(*) AS total,
    count(*) FILTER (coalesce(w.week, '1') = '1') AS base,
    count(*) FILTER (w.number >= 2) AS week_2_on,
    count(l.id) AS with_response_id,
    count(*) FILTER (l.wrong = 'link_dangling') AS link_dangling,
    count(*) FILTER (l.wrong = 'link_elsewhere') AS link_elsewhere,
    count(*) FILTER (l.wrong = 'link_wrong_week') AS link_wrong_week,
    count(*) FILTER (l.wrong = 'link_one_sided') AS link_one_sided,
    count(*) FILTER (w.off) AS due_date_off
FROM check_in_assignments a
JOIN weeks_there w ON w.id = a.id
LEFT JOIN links l ON l.kind = 'assignment' AND l.id = a.id
