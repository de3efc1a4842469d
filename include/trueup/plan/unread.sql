-- Values of the sources that nobody reads (plan/unread.py).

-- name: values
-- Each value in `_mistyped`: the row's key, the value's name, the whole of `_mistyped`, the value as it is shown, and why it
-- cannot be read (null unless it is so).
SELECT key, name, whole,
    left(CAST(json_extract(whole, $pointer) AS VARCHAR), $longest) AS shown,
    json_extract_string(whole, $pointer || '/$unreadable/why') AS why
FROM (
    SELECT $key AS key, $mistyped AS whole, unnest(json_keys($mistyped)) AS name
    FROM $source WHERE $mistyped IS NOT NULL
)

-- name: made
-- Of an output: what a row of it carries, where a value might be read.
SELECT $source_key, $extra AS extra, $mistyped AS odd, [$texts] AS texts, [$replaced] AS given FROM $view

-- name: reject
INSERT INTO $findings
WITH v AS ($values), r AS ($made_rows),
-- values that a row carries: by name in `_extra` or `_mistyped`, replaced by another, or `_mistyped` whole in a column
carried AS (
    SELECT DISTINCT v.key, v.name FROM v JOIN r ON r.$source_key = v.key
    WHERE list_contains(coalesce(json_keys(r.extra), []), v.name)
        OR list_contains(coalesce(json_keys(r.odd), []), v.name)
        OR list_contains(r.given, v.name)
        OR len(list_filter(r.texts, lambda t: contains(t, v.whole))) > 0
),
-- values that the script does not take by their name, and of whose row it says nothing
lost AS (SELECT v.* FROM v $without_findings WHERE NOT coalesce(v.name IN ($names), false)),
unread AS (
    SELECT v.* FROM lost v ANTI JOIN carried c ON c.key = v.key AND c.name = v.name
    UNION
    -- what cannot be read at all is read by nobody, whatever the script does
    SELECT * FROM v WHERE why IS NOT NULL
)
SELECT v.key, v.key, 'reject',
    CASE WHEN bool_or(v.why IS NOT NULL) THEN '$unreadable_value' ELSE '$unread_value' END,
    'row ' || v.key || ' of ' || $table || ': ' || string_agg(
        CASE
            WHEN v.why IS NOT NULL THEN 'column ' || v.name || ' cannot be read: ' || v.why
            ELSE 'column ' || v.name || ' holds ' || v.shown || ', which is not a valid ' || $type
                || '; it stands only in _mistyped, and neither the rows nor the findings say what becomes of it'
                || CASE WHEN v.shown IN ('"NaN"', '"Infinity"', '"-Infinity"', '"infinity"', '"-infinity"')
                    THEN ' (a column of PostgreSQL that is declared as Type.TEXT carries it)' ELSE '' END
        END,
        '; ' ORDER BY v.name
    )
-- only source rows that become rows: of any other it is known what became of it
FROM unread v SEMI JOIN r ON r.$source_key = v.key
GROUP BY v.key

-- name: warn
INSERT INTO $beside
SELECT key, 'warning', '$unread_value',
    'row ' || key || ' of ' || $table || ': ' || string_agg(
        'column ' || name || ' holds ' || coalesce(why, shown) || ', which is not as declared, so it is read as null',
        '; ' ORDER BY name
    )
FROM ($values) GROUP BY key
