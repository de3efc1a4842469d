CREATE VIEW rows AS
SELECT o.id, c.name AS country_name, o.total, o._key AS _source
FROM orders o
JOIN countries c ON c.code = upper(o.country);

CREATE VIEW findings AS
SELECT o._key AS _source, o._key AS key, 'reject' AS severity, 'unknown_country' AS code,
    'no country has the code ' || coalesce(o.country, 'null') AS message
FROM orders o
WHERE NOT EXISTS (FROM countries c WHERE c.code = upper(o.country));
