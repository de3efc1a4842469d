-- What becomes of each source row of a phase (plan/fates.py).

-- name: fates
CREATE OR REPLACE TEMP TABLE $fates AS
SELECT DISTINCT $source_key, 'made' AS fate, '' AS rule FROM ($made_rows)
UNION ALL
-- a finding of these is a fate, too; a warning is about a row that has one
SELECT DISTINCT $source_key, severity, CASE severity WHEN 'skip' THEN code ELSE '' END
FROM $findings WHERE severity IN ('reject', 'keep', 'skip')

-- name: counted
-- Of the rows that the run is about: how many have which fate.
SELECT fate, rule, count(*) FROM $fates SEMI JOIN $wanted ON $fates.$source_key = $wanted.$key GROUP BY ALL

-- name: none
-- Wanted rows with no fate.
SELECT $wanted.$key FROM $wanted ANTI JOIN $fates ON $wanted.$key = $fates.$source_key

-- name: several
-- Rows with two fates or more.
SELECT $source_key FROM $fates GROUP BY $source_key HAVING count(*) > 1

-- name: strangers
-- What rows or findings name that is no row of the source.
SELECT $fates.$source_key FROM $fates ANTI JOIN $source $is ON $fates.$source_key = $is.$key
