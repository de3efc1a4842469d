-- A map of DynamoDB has members, so a list stands in one. A column that is null is an attribute that is not there.
CREATE VIEW rows AS
SELECT
    number, amount, rate, customer, note, paid, scan,
    json_timestamp(issued_at) AS issuedAt,
    CAST(due AS VARCHAR) AS due,
    json_to_dynamodb('{"lines":' || lines || '}') AS document,
    CASE WHEN json_array_length(labels) > 0 THEN
        '{"labels":{"SS":' || CAST(to_json(list_sort(list_distinct(CAST(labels AS VARCHAR[])))) AS VARCHAR) || '}}'
    END AS _extra,
    _key AS _source
FROM invoices
WHERE _mistyped IS NULL;

-- NaN, and dates and instants that are infinite, have no place in DynamoDB.
CREATE VIEW findings AS
SELECT _key AS _source, _key AS key, 'reject' AS severity, 'no_place' AS code, 'no place for ' || _mistyped AS message
FROM invoices WHERE _mistyped IS NOT NULL;
