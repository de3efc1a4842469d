-- What runs are known to have written (plan/baseline.py).
-- `hash` is always of what the migration writes of a row (`row_hash`).

-- name: related
CREATE TEMP TABLE $baseline AS
SELECT $key, hash, place, added, $there AS there FROM $files WHERE $here AND $only

-- name: set_off
-- What the previous run's own writing made of rows, whether or not it came to read them back.
CREATE OR REPLACE TEMP TABLE $read_back AS
SELECT DISTINCT $key AS key, $hash AS hash FROM $set_off $planned WHERE $key IS NOT NULL

-- name: read_back
-- What the previous run wrote, and found otherwise than planned when it read it back.
INSERT INTO $read_back
SELECT DISTINCT key, hash FROM ($proof) WHERE kind = 'different' AND written AND hash IS NOT NULL

-- name: also_known
-- A key that the baseline has is also known by what was read back of it.
INSERT INTO $baseline
SELECT b.$key, r.hash, any_value(b.place), bool_or(b.added), true
FROM $baseline b JOIN $read_back r ON b.$key = r.key
GROUP BY b.$key, r.hash

-- name: known
CREATE TEMP TABLE $keys AS
SELECT $key, list(hash) AS hashes, bool_or(added) AS added, bool_or(there) AS there FROM $baseline GROUP BY $key

-- name: covered
-- Of each planned row: what is planned, what was found, and whether what was found is Trueup's.
CREATE OR REPLACE TEMP TABLE $covered AS
SELECT $planned.$key, $verb AS verb, $place AS place, coalesce($known.added, false) AS added,
    -- what the run leaves there
    CASE WHEN $verb IN ('add', 'change', 'keep') THEN $hash_planned END AS planned,
    -- what it takes away, or changes
    CASE WHEN $verb IN ('change', 'remove') THEN $hash_found END AS found,
    CASE
        -- nothing was there
        WHEN $verb = 'add' THEN true
        -- somebody else changed it
        WHEN $verb = 'drift' THEN false
        -- it is as the transform gives it, unless a phase keeps whatever it finds
        WHEN $verb = 'keep' AND NOT $keeps_all THEN true
        ELSE $ours
    END AS ours
FROM (SELECT *, $placed AS $place FROM ($plans)) $planned
LEFT JOIN $keys $known ON $planned.$key = $known.$key

-- name: next
SELECT $key, hash, any_value(place) AS place, bool_or(added) AS added, max(there) AS there
FROM (
    -- what this run plans, or keeps as its own: as it will be
    SELECT $key, planned AS hash, place, added OR verb = 'add' AS added,
        CASE WHEN verb = 'keep' THEN 'seen' ELSE 'planned' END AS there
    FROM $covered WHERE verb IN ('add', 'change') OR (verb = 'keep' AND ours)
    UNION ALL
    -- what it found of its own, and is about to change or to remove: until that is done, it is there
    SELECT $key, found, place, added, CASE WHEN verb = 'remove' THEN 'no' ELSE 'seen' END
    FROM $covered WHERE verb IN ('change', 'remove') AND ours
    UNION ALL
    -- of rows that somebody else changed, and of keys that no plan covers: what was known before
    SELECT b.$key, b.hash, b.place, b.added, CASE WHEN b.there OR r.$key IS NOT NULL THEN 'seen' ELSE 'no' END
    FROM $baseline b ANTI JOIN (SELECT $key FROM $covered WHERE ours) c ON b.$key = c.$key
    LEFT JOIN (SELECT $key FROM $rest) r ON b.$key = r.$key
    $and_found
)
GROUP BY $key, hash ORDER BY $key, hash

-- name: found
-- Where nothing was known before, all that is there and that no plan covers is as it was found.
UNION ALL
SELECT $is.$key, $hash, $placed, false, 'seen' FROM $there $is ANTI JOIN $covered c ON $is.$key = c.$key

-- name: became
CREATE OR REPLACE TEMP TABLE $became AS
SELECT DISTINCT $key AS key, $hash AS hash FROM $set_off $planned WHERE $key IS NOT NULL
