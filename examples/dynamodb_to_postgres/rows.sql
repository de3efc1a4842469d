-- `_extra` has the attributes that are not declared, `_mistyped` the declared ones of another type, in DynamoDB's notation.
CREATE VIEW read AS
SELECT
    *, iso_instant(placedAt) AS placed_at,
    json_of_attribute(_extra, 'tags') AS tags,
    json_from_dynamodb(json_without(_extra, ['tags'])) AS more
FROM shop_orders;

CREATE VIEW rows AS
SELECT
    id, note, total, paid, receipt, placed_at, json_from_dynamodb(address) AS address, tags, more, _key AS _source
FROM read
WHERE placed_at IS NOT NULL AND _mistyped IS NULL;

CREATE VIEW findings AS
SELECT _key AS _source, id AS key, 'reject' AS severity, 'bad_type' AS code,
    'of another type than declared: ' || _mistyped AS message
FROM read WHERE _mistyped IS NOT NULL
UNION ALL
SELECT _key, id, 'reject', 'bad_date', 'placedAt is no ISO 8601 date: ' || coalesce(placedAt, 'there is none')
FROM read WHERE placed_at IS NULL AND _mistyped IS NULL;
