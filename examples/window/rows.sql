CREATE VIEW rows AS
SELECT id, began_at, rtrim(page, '/') AS page, _key AS _source FROM visits;
