-- What would go wrong when a plan is applied or taken back (plan/checks.py).

-- name: lost
-- A before-image of no canonical form, which the plan changes; of a row that is removed also what is not declared.
($verb = 'change' AND $odd IS NOT NULL AND $odd IS DISTINCT FROM $mistyped)
OR ($verb = 'remove' AND ($odd IS NOT NULL OR $undeclared IS NOT NULL))

-- name: irreversible
-- The first of those rows, and how many they are.
SELECT *, count(*) OVER () FROM ($lost_rows) ORDER BY $key LIMIT 1

-- name: reference
-- A composite value as one text; null where a part is, since then it refers to nothing.
CASE WHEN NOT ($any_null) THEN to_json([$values]) END

-- name: numbered
-- Rows of a file that are written, with the transaction that writes each: added rows in batches by key, changed ones together.
SELECT $key, $verb, $refers_from AS $from, $refers_to AS $to,
    '$nth ' || CASE
        WHEN $verb = 'add'
        THEN CAST((row_number() OVER (PARTITION BY $verb ORDER BY $key) - 1) // $size AS VARCHAR)
        ELSE ''
    END AS $batch
FROM ($planned_rows) WHERE $verb IN ('add', 'change')

-- name: over_batches
-- Rows that refer to a row which another transaction adds.
WITH rows AS ($numbered_rows)
SELECT $a.$key, $b.$key, count(*) OVER ()
FROM rows $a JOIN rows $b ON $a.$from = $b.$to
WHERE $b.$verb = 'add' AND $a.$batch <> $b.$batch
ORDER BY 1 LIMIT 1

-- name: moves
-- Rows of a phase that are written and whose indexed values are not as they were.
SELECT *, $nth AS $phase FROM (SELECT $key, $verb, $new, $was FROM ($rows) WHERE $verb IN $written)
WHERE $verb <> 'change' OR NOT ($stays)

-- name: handed_on
-- Rows that are to have what another has, until the plan changes or removes that one in the same phase or a later one.
WITH every AS ($moves)
SELECT $a.$key, min($b.$key), min($b.$verb), count(*) OVER ()
FROM every $a JOIN every $b ON $same
WHERE $a.$verb <> 'remove' AND $b.$verb <> 'add' AND $a.$key <> $b.$key AND $a.$phase <= $b.$phase
GROUP BY $a.$key ORDER BY $a.$key LIMIT $examples
