-- Rows that belong to a parent, and are replaced as a set (plan/sets.py).

-- name: left_out
-- Of the parents that the run is about: what is there, and is not given any more.
CREATE OR REPLACE TEMP TABLE $left_out AS
SELECT $is.*, $planned.$source_key AS $parent, $theirs AS $drifts
FROM $there $is
JOIN $parents $planned ON $belongs AND $planned.$in_window
LEFT JOIN $keys $known ON $is.$key = $known.$key
ANTI JOIN ($accounted) $should ON $is.$key = $should.$key

-- name: planned
UNION ALL
SELECT CASE WHEN $is.$parent IN ($drifting) THEN 'drift' ELSE 'remove' END, $is.$key, $is.$parent, $columns, $row
FROM $left_out $is
