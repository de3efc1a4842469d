CREATE VIEW read AS
SELECT *, try_cast(amount AS DECIMAL(38, 9)) AS number FROM payments;

CREATE VIEW rows AS
SELECT id, coalesce(currency, 'EUR') AS currency, number AS amount, _key AS _source
FROM read
WHERE status <> 'cancelled' AND number IS NOT NULL;

CREATE VIEW findings AS
SELECT _key AS _source, id AS key, 'reject' AS severity, 'no_number' AS code,
    'amount is no number: ' || coalesce(amount, 'null') AS message
FROM read WHERE status <> 'cancelled' AND number IS NULL
UNION ALL
SELECT _key, id, 'warning', 'currency_assumed', 'has no currency; EUR was taken'
FROM read WHERE status <> 'cancelled' AND number IS NOT NULL AND currency IS NULL
UNION ALL
SELECT _key, id, 'skip', 'cancelled', ''
FROM read WHERE status = 'cancelled';
