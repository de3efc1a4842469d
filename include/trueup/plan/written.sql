-- What a run wrote, by its plan and by those that it had before it began again (plan/written.py).

-- name: by_one_plan
-- Rows that were added, changed or removed, if the part had begun, less those that apply left alone and those that the store
-- refused.
SELECT $verb, $key, $source_key, $columns, $before,
    CASE WHEN $unsure THEN $before END AS $as_found, $unsure AND $before IS NULL AS $as_gone
FROM ($plan)
WHERE $verb IN ('add', 'change', 'remove') AND $begun AND $key NOT IN $not_written

-- name: as_left
-- Whether the second plan found a row as the first one, or the run's own writing, left it, or as the first one found it.
CASE
    WHEN $second.$before IS NULL THEN $first.$verb = 'remove' OR $first.$as_gone
    WHEN $became THEN true
    WHEN $first.$as_found IS NOT NULL AND NOT $found_differs THEN true
    WHEN $first.$verb = 'remove' THEN false
    WHEN $first.$verb = 'add' THEN NOT $added_differs
    ELSE NOT $changed_differs
END

-- name: newest
CASE WHEN $second.$key IS NULL THEN $first.$column ELSE $second.$column END AS $column

-- name: one_after_the_other
SELECT
    CASE WHEN $gone THEN 'remove' WHEN $before IS NULL THEN 'add' ELSE 'change' END AS $verb,
    * EXCLUDE ($gone)
FROM (
    SELECT coalesce($second.$verb, $first.$verb) = 'remove' AS $gone, $newest,
        CASE
            -- only the first plan has it, or both, and the second found it as the first may have left it:
            -- it was before as the first one found it
            WHEN $second.$key IS NULL OR ($first.$key IS NOT NULL AND $as_left) THEN $first.$before
            -- else somebody else has made it what the second one found
            ELSE $second.$before
        END AS $before
    FROM ($by_first) $first FULL OUTER JOIN ($by_second) $second ON $first.$key = $second.$key
)

-- name: wrote
SELECT $verb, $key, $source AS $source_key, $columns, $before, $as_found, $as_gone FROM ($query)
-- what came and surely went is as if it had never been
WHERE NOT ($verb = 'remove' AND $before IS NULL AND $as_found IS NULL)
