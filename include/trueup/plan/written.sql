-- What a run wrote, by its plan and by those that it had before it began again (plan/written.py).

-- name: by_one_plan
-- Rows that were added, changed or removed, less those that apply left alone and those that the store refused.
SELECT $verb, $key, $source_key, $columns, $before FROM ($plan)
WHERE $verb IN ('add', 'change', 'remove') AND $key NOT IN $not_written

-- name: as_left
-- Whether the second plan found a row as the first one meant to leave it, or as the run's own writing left it otherwise.
(CASE
    WHEN $first.$verb = 'remove' THEN $second.$before IS NULL
    WHEN $first.$verb = 'add' THEN $second.$before IS NOT NULL AND NOT $added_differs
    ELSE $second.$before IS NOT NULL AND NOT $whole_differs
END OR $second.$before IS NOT NULL AND $became)

-- name: newest
CASE WHEN $second.$key IS NULL THEN $first.$column ELSE $second.$column END AS $column

-- name: one_after_the_other
SELECT
    CASE WHEN $gone THEN 'remove' WHEN $before IS NULL THEN 'add' ELSE 'change' END AS $verb,
    * EXCLUDE ($gone)
FROM (
    SELECT coalesce($second.$verb, $first.$verb) = 'remove' AS $gone, $newest,
        CASE
            -- only the first plan has it, or both, and the second found it as the first had left it:
            -- it was before as the first one found it
            WHEN $second.$key IS NULL OR ($first.$key IS NOT NULL AND $as_left) THEN $first.$before
            -- else the first one was never applied to it
            ELSE $second.$before
        END AS $before
    FROM ($by_first) $first FULL OUTER JOIN ($by_second) $second ON $first.$key = $second.$key
)
-- what came and went is as if it had never been
WHERE NOT ($gone AND $before IS NULL)
