CREATE VIEW rows AS
SELECT id, customer, _key AS _source FROM carts;

CREATE VIEW rows_order_lines AS
SELECT
    c.id AS order_id,
    l.line,
    c.lines::JSON ->> ('$[' || (l.line - 1) || '].article') AS article,
    (c.lines::JSON ->> ('$[' || (l.line - 1) || '].quantity'))::BIGINT AS quantity,
    c._key AS _source
FROM carts c, unnest(range(1, json_array_length(c.lines)::BIGINT + 1)) AS l(line);
