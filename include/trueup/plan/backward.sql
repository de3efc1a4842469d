-- A run's plan, read backwards (plan/backward.py).

-- name: rows
-- What the undone run wrote, with what is, null where there is none.
FROM $written $wrote LEFT JOIN $there $is ON $wrote.$key = $is.$key

-- name: verb
CASE $wrote.$verb
    -- it was added: gone already, as an earlier plan left it, touched since, or to be removed
    WHEN 'add' THEN CASE
        WHEN $is.$key IS NULL THEN 'keep'
        WHEN $wrote.$as_found IS NOT NULL AND NOT $added_found_differs THEN 'remove'
        WHEN $added_differs AND $touched THEN 'drift'
        ELSE 'remove'
    END
    -- it was changed: gone by an earlier plan, or since; as it was before already, as an earlier plan left it, touched since,
    -- or to be put back
    WHEN 'change' THEN CASE
        WHEN $is.$key IS NULL THEN CASE WHEN $wrote.$as_gone THEN 'add' ELSE 'drift' END
        WHEN NOT $before_differs THEN 'keep'
        WHEN $wrote.$as_found IS NOT NULL AND NOT $found_differs THEN 'change'
        WHEN $owned_differs AND $touched THEN 'drift'
        ELSE 'change'
    END
    -- it was removed, after an earlier plan had added it, if it was not there before: to be added again, or still there as
    -- that plan left it; or somebody has added it, the same row or another
    ELSE CASE
        WHEN $is.$key IS NULL THEN CASE WHEN $wrote.$before IS NULL THEN 'keep' ELSE 'add' END
        WHEN $wrote.$before IS NOT NULL AND NOT $whole_differs THEN 'keep'
        WHEN $wrote.$as_found IS NULL OR $found_differs THEN 'drift'
        WHEN $wrote.$before IS NULL THEN 'remove'
        ELSE 'change'
    END
END

-- name: verbs
SELECT $wrote.$key, $verb_of_unit AS $verb $rows

-- name: put_back
-- A column's new value: as it was before the run, where it is put back; else as it is, or as it was written.
CASE
    WHEN $decided.$verb = 'add' OR ($decided.$verb = 'change' AND $owned) THEN $wrote.$before.$column
    ELSE CASE WHEN $is.$key IS NULL THEN $wrote.$column ELSE $is.$column END
END AS $column

-- name: planned
-- By a join: packed into structs, every column of a row would take the room of all of them.
SELECT $decided.$verb AS $verb, $wrote.$key, $wrote.$source_key, $columns,
    CASE WHEN $is.$key IS NOT NULL THEN $row END AS $before
$rows JOIN ($verbs) $decided ON $wrote.$key = $decided.$key
