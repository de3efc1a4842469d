-- The responses that are there, and what is wrong with their links.
SELECT
    count(*) AS total,
    count(*) FILTER (r.has_week) AS with_week,
    count(l.id) AS with_link,
    count(*) FILTER (l.wrong = 'link_dangling') AS link_dangling,
    count(*) FILTER (l.wrong = 'link_elsewhere') AS link_elsewhere,
    count(*) FILTER (l.wrong = 'link_wrong_week') AS link_wrong_week,
    count(*) FILTER (l.wrong = 'link_one_sided') AS link_one_sided
FROM responses_here r
LEFT JOIN links l ON l.kind = 'response' AND l.id = r.id
WHERE r.own
