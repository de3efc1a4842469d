-- The difference between what should be and what is (plan/verbs.py, plan/forward.py).

-- name: leaving
-- Rows that nothing accounts for any more; which of them are to go, `wanted` says.
CREATE TEMP TABLE $leaving AS
SELECT $is.* FROM $there $is JOIN $keys $known ON $is.$key = $known.$key
ANTI JOIN ($accounted) $should ON $is.$key = $should.$key
WHERE $wanted

-- name: rows
-- What should be in the run's window, with what is and what is known of it, null where there is none.
FROM $should_rows $should
LEFT JOIN $there $is ON $should.$key = $is.$key
LEFT JOIN $keys $known ON $should.$key = $known.$key
WHERE $should.$in_window

-- name: verb
CASE
    WHEN $is.$key IS NULL THEN 'add'
    -- it is there and not as it should be: changed, kept, or left alone as somebody else's
    WHEN $changed THEN $differing
    ELSE 'keep'
END

-- name: ours_or_drift
-- A row that is as a run left it, or found it, may be changed; of any other, somebody else made it what it is.
CASE WHEN $ours THEN 'change' ELSE 'drift' END

-- name: planned
-- Every row that should be, with its verb, its new values, and the row as it is.
SELECT $decided AS $verb, $should.$key, $should.$source_key, $columns,
    CASE WHEN $is.$key IS NOT NULL THEN $row END AS $before
$rows

-- name: removed
-- With the first output of a target: its rows that are to go. No source row makes them.
UNION ALL
SELECT 'remove', $is.$key, NULL, $columns, $row FROM $leaving $is

-- name: rejected
-- What the plan itself rejects is as what lies outside the window: the run is not about it.
CREATE TEMP VIEW $view AS
SELECT * REPLACE (
    $in_window AND $source_key NOT IN (SELECT source FROM $rejects WHERE phase = $phase) AS $in_window
) FROM $every
