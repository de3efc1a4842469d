CREATE VIEW rows AS
SELECT id, concat_ws(E'\n', title, body) AS text, _key AS _source FROM entries;
