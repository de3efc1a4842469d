-- What a transform sees (plan/inputs.py).

-- name: derived
-- The result of an author's query over one partition, with its canonical key, by which its rows are counted.
CREATE TEMP TABLE $relation AS
SELECT $columns, $key_text AS $key
-- the bracket stands on a line of its own: a query may end in a comment
FROM ($query
)
-- the query sees look-ups whole: of what it gives for every partition, each keeps its own
WHERE $only

-- name: in_window
-- From the start (inclusive) to the end (exclusive); a null is in no window.
coalesce(instant >= $start AND instant < $end, false)
