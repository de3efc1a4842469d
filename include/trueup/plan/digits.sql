-- Rows as they are made of the source, and of both neighbours of its numbers (plan/digits.py).

-- name: rows
-- What is made of a source row, in the order of keys: a neighbour of a number is so near that no other order comes of it.
SELECT $source_key, row_number() OVER (PARTITION BY $source_key ORDER BY $key_text) AS $number_of_row, $columns FROM $made_rows

-- name: compared
-- Of the rows that are not known, or have a number that was made of a double: the source row, and that number of each column.
SELECT * FROM (
    SELECT $planned.$source_key, $expected.$source_key IS NULL OR $found.$source_key IS NULL AS $unknown, $numbers
    FROM ($rows) $planned
    LEFT JOIN ($near) $expected
        ON $planned.$source_key = $expected.$source_key AND $planned.$number_of_row = $expected.$number_of_row
    LEFT JOIN ($far) $found
        ON $planned.$source_key = $found.$source_key AND $planned.$number_of_row = $found.$number_of_row
)
WHERE $unknown OR $any
ORDER BY ALL

-- name: reject
INSERT INTO $findings
SELECT source, source, 'reject', $code, message FROM $given
