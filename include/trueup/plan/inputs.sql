-- What a transform sees (plan/inputs.py).

-- name: given
-- What an author's query gives of one partition.
CREATE OR REPLACE TEMP TABLE $given AS
SELECT *
-- the bracket stands on a line of its own: a query may end in a comment
FROM ($query
)
-- the query sees look-ups whole: of what it gives for every partition, each keeps its own
WHERE $only

-- name: derived
-- The same, of the declared types, with its canonical key, by which its rows are counted.
CREATE TEMP TABLE $relation AS
SELECT $columns, $key_text AS $key FROM $given

-- name: in_window
-- From the start (inclusive) to the end (exclusive); a null is in no window.
coalesce(instant >= $start AND instant < $end, false)
