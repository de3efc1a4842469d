-- Rows as they are made of the source, and of both neighbours of its numbers (plan/digits.py).

-- name: rows
-- What is made of a source row, in the order of keys: a neighbour of a number is so near that no other order comes of it.
SELECT $source_key, row_number() OVER (PARTITION BY $source_key ORDER BY $key_text) AS $number_of_row, $columns FROM $made_rows

-- name: keys
-- A neighbour's rows have keys of their own where a key has such a number.
SELECT $key AS key, $key_text AS of_neighbour FROM ($rows) WHERE $key <> $key_text

-- name: number
-- The number that was made of a double; a value that is null of one of them counts as one.
CASE
    WHEN $one IS NOT DISTINCT FROM $other THEN NULL
    WHEN $one IS NULL OR $other IS NULL THEN CASE WHEN $one IS NOT DISTINCT FROM $same THEN coalesce($one, 'null') END
    ELSE $lost($one, $same, $other)
END

-- name: compared
-- Of the rows that are not known, or have a number that was made of a double: the source row, and that number of each column.
SELECT * FROM (
    SELECT $planned.$source_key, $expected.$source_key IS NULL OR $found.$source_key IS NULL AS $unknown, $numbers
    FROM ($rows) $planned
    LEFT JOIN ($near_keys) near ON $planned.$source_key = near.key
    LEFT JOIN ($far_keys) far ON $planned.$source_key = far.key
    LEFT JOIN ($near) $expected
        ON coalesce(near.of_neighbour, $planned.$source_key) = $expected.$source_key
        AND $planned.$number_of_row = $expected.$number_of_row
    LEFT JOIN ($far) $found
        ON coalesce(far.of_neighbour, $planned.$source_key) = $found.$source_key
        AND $planned.$number_of_row = $found.$number_of_row
    WHERE $planned.$source_key IS NOT NULL
)
WHERE $unknown OR $any
ORDER BY ALL

-- name: reject
INSERT INTO $findings
SELECT source, source, 'reject', $code, message FROM $given
