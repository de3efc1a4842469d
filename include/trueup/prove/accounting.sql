-- What became of source rows, by the rows that they make (prove/accounting.py).

-- name: of_rows
-- Of one output, a row each target row that a source row makes.
SELECT $source_key,
    $verb IN ('add', 'change', 'remove') AS written,
    $verb = 'drift' AS drifted,
    $key IN $left_alone AS alone,
    -- a row that does not exist was not left alone: it is missing, as one that the store refused
    $key IN $missing AS refused
FROM $plan WHERE $source_key IS NOT NULL

-- name: of_sources
-- A source row has one fate, the worst of its rows': missing, left alone as a conflict, as drift, written, unchanged.
WITH fates AS (
    SELECT bool_or(written) AS written, bool_or(drifted) AS drifted, bool_or(alone) AS alone, bool_or(refused) AS refused
    FROM ($of_rows) GROUP BY $source_key
)
SELECT
    count(*) FILTER (written AND NOT drifted AND NOT alone AND NOT refused),
    count(*) FILTER (NOT written AND NOT drifted AND NOT alone AND NOT refused),
    count(*) FILTER (alone AND NOT refused),
    count(*) FILTER (drifted AND NOT alone AND NOT refused),
    count(*) FILTER (refused)
FROM fates
