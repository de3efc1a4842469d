-- Every row that was expected, compared with what was read back (prove/verify.py).

-- name: of_plans
-- The rows of the plans so far, with why apply has not written some of them.
SELECT $plan.$key, $columns, $verb,
    $to_be_gone AS $gone,
    $verb = 'drift' OR coalesce($why IN ($conflicts), false) AS $alone,
    $reason,
    true AS $of_plan
FROM ($plans) $plan LEFT JOIN $not_written ON $plan.$key = $not_written.$key

-- name: others
-- The rows that no plan knows: they are to stay as they are.
SELECT $key, $columns, 'keep', false, false, NULL, false FROM $rest

-- name: untouched
-- The run's writing has set nothing off.
SELECT *, false AS $ours, false AS $ours_if_gone FROM ($rows)

-- name: touched
-- A row that a trigger has touched and left as it is expected is nobody's work; one that is otherwise, is the run's.
SELECT * REPLACE (
    coalesce($reason, CASE WHEN $ours OR ($ours_if_gone AND $verb = 'keep') THEN $words END) AS $reason
)
FROM (
    SELECT *,
        $key IN (
            SELECT $now.$key FROM $set_off $now JOIN ($rows) $expected ON $now.$key = $expected.$key WHERE $differs
        ) AS $ours,
        $rows_went AS $ours_if_gone
    FROM ($rows)
)

-- name: known
SELECT $key FROM $should_rows UNION ALL SELECT $key FROM $rest UNION ALL SELECT $key FROM ($plans)

-- name: kind
CASE
    -- left alone: an exception, unless it has to be there and is not
    WHEN $expected.$alone THEN
        CASE WHEN $row.$key IS NULL AND NOT $expected.$gone AND NOT $touched THEN 'missing' ELSE 'left_alone' END
    -- as expected: it is to be absent, and is; or it is there, and is the same
    WHEN $expected.$gone AND $row.$key IS NULL THEN NULL
    WHEN NOT $expected.$gone AND $row.$key IS NOT NULL AND NOT $differs THEN NULL
    -- gone: the plan did not mean to write it, and this run has not set that off; else it is missing
    WHEN $row.$key IS NULL AND $expected.$verb = 'keep' AND NOT $expected.$ours_if_gone THEN 'moved_on'
    WHEN $row.$key IS NULL THEN 'missing'
    -- other than expected: the plan did not mean to write it, or not those columns, and this run has not set that off
    WHEN ($expected.$verb = 'keep' OR $not_owned) AND NOT $expected.$ours THEN 'moved_on'
    ELSE 'different'
END

-- name: differs
-- Of a row that was added, columns that the table itself fills say nothing.
CASE WHEN $expected.$verb = 'add' THEN $added_differs ELSE $whole_differs END

-- name: suspects
CREATE TEMP TABLE suspects AS
-- every expected row that is not as it should be
SELECT $kind AS kind, $expected.$key AS key,
    CASE WHEN NOT $expected.$gone THEN CAST(to_json($row_expected) AS VARCHAR) END AS planned,
    CASE WHEN $found.$key IS NOT NULL THEN CAST(to_json($row_found) AS VARCHAR) END AS found,
    $expected.$reason AS reason,
    CASE WHEN $found.$key IS NOT NULL THEN $hash END AS hash,
    $expected.$verb IN ('add', 'change') AND NOT $expected.$alone AND $applied AS written
FROM expected $expected LEFT JOIN found $found ON $expected.$key = $found.$key
WHERE $kind IS NOT NULL
UNION ALL
-- every row that was found and that no plan knows
SELECT 'extra', $found.$key, NULL, CAST(to_json($row_found) AS VARCHAR), NULL, NULL, false
FROM found $found ANTI JOIN known $expected ON $found.$key = $expected.$key

-- name: asked
SELECT $keys FROM expected $expected JOIN suspects $asked ON $expected.$key = $asked.key AND $asked.kind IN $again

-- name: seen
-- Rows that were asked for again, as they are now.
CREATE OR REPLACE TEMP TABLE $seen AS
SELECT $expected.$key AS key, $kind AS kind,
    CASE WHEN $now.$key IS NOT NULL THEN CAST(to_json($row_now) AS VARCHAR) END AS found,
    CASE WHEN $now.$key IS NOT NULL THEN $hash END AS hash
FROM expected $expected JOIN $asked_for $asked ON $expected.$key = $asked.$key
LEFT JOIN (SELECT *, $key_text AS $key FROM $read_now) $now ON $expected.$key = $now.$key

-- name: right_by_now
DELETE FROM suspects WHERE kind IN $again AND key IN (SELECT key FROM $seen WHERE kind IS NULL)

-- name: still_wrong
UPDATE suspects SET kind = s.kind, found = s.found, hash = s.hash FROM $seen s
WHERE suspects.kind IN $again AND suspects.key = s.key

-- name: unread
-- What could not be read is never a success.
UPDATE suspects SET kind = 'unverified' WHERE kind IN $again AND key IN (SELECT $key FROM $unread)
