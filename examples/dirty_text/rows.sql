-- Each value is read once, and is null where it cannot be read.
CREATE VIEW parts AS
SELECT *, regexp_extract(trim(total), '^([0-9.,]+) (EUR|USD)$', ['amount', 'currency']) AS money FROM orders_legacy;

CREATE VIEW read AS
SELECT
    _key, order_no,
    try_cast(replace(order_no, 'O-', '') AS BIGINT) AS id,
    nullif(lower(trim(email)), '') AS mail,
    nullif(money.currency, '') AS currency,
    try_cast(
        CASE money.currency WHEN 'EUR' THEN replace(replace(money.amount, '.', ''), ',', '.') ELSE replace(money.amount, ',', '') END
        AS DECIMAL(18, 2)
    ) AS amount,
    CAST(try_strptime(placed_on, ['%Y-%m-%d', '%d.%m.%Y', '%m/%d/%Y']) AS DATE) AS day,
    CASE lower(trim(status)) WHEN 'open' THEN 'open' WHEN 'shipped' THEN 'shipped'
        WHEN 'cancelled' THEN 'cancelled' WHEN 'canceled' THEN 'cancelled' END AS state
FROM parts;

-- One place decides: the first thing that is wrong with a row, or null.
CREATE VIEW judged AS
SELECT *,
    CASE WHEN id IS NULL THEN 'bad_number' WHEN mail IS NULL THEN 'no_email' WHEN amount IS NULL THEN 'bad_total'
        WHEN day IS NULL THEN 'bad_date' WHEN state IS NULL THEN 'bad_status' END AS wrong
FROM read;

CREATE VIEW rows AS
SELECT id, mail AS email, currency, amount AS total, day AS placed_on, state AS status, _key AS _source
FROM judged WHERE wrong IS NULL;

CREATE VIEW findings AS
SELECT _key AS _source, order_no AS key, 'reject' AS severity, wrong AS code, 'cannot be read' AS message
FROM judged WHERE wrong IS NOT NULL;
