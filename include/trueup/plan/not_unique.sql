-- Rows that a unique index of the target would not take (plan/not_unique.py).

-- name: meet
-- Keys of rows that have, before or after, the values that another row has, before or after.
INSERT INTO $meeting
SELECT DISTINCT $is.$key FROM ($every) $is
SEMI JOIN (
    SELECT $columns FROM ($every) $apart GROUP BY $columns HAVING min($key) <> max($key)
) $same ON $equal

-- name: state
-- The table as it will be: what was rejected in turns before stays as it was, and is absent if it was.
SELECT $key, $phase, $source, $written, $values
FROM (
    SELECT * REPLACE (
        $written AND NOT coalesce(
            ($is.$phase, $is.$source) IN (SELECT (phase, source) FROM $rejects WHERE turn < $turn), false
        ) AS $written
    )
    FROM $state_of $is
)
WHERE $written OR $there

-- name: clashing
-- Rows to be written that would have what another has, with how many have it, and another of them.
SELECT $turn, $is.$phase, $is.$source, $nth_index, $is.$key,
    'row ' || $is.$key || $message || $rows || ' rows would have the same there, such as '
        || CASE WHEN $first = $is.$key THEN $last ELSE $first END
FROM ($state) $is
JOIN (
    SELECT $columns, count(*) AS $rows, min($key) AS $first, max($key) AS $last
    FROM ($state) $apart GROUP BY $columns HAVING count(*) > 1
) $same ON $equal
WHERE $is.$written

-- name: rejected
-- Of each source row the first reason.
SELECT phase, source, message
FROM (SELECT DISTINCT ON (phase, source) * FROM $rejects ORDER BY phase, source, turn, place, key)
ORDER BY phase, source
