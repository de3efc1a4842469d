CREATE TABLE invoices (
    number bigint PRIMARY KEY, customer text NOT NULL, note text, amount numeric, rate float8, paid boolean,
    issued_at timestamptz, due date, scan bytea, lines jsonb, labels jsonb
);
INSERT INTO invoices VALUES
    (1, 'Ada', NULL, 10.50, 0.19, true, '2025-01-31 12:00+01', '2025-02-28', NULL, '[{"sku": "ä", "n": 2}]', '["new", "gift", "new"]'),
    (2, 'Bob', '', 7, NULL, false, '2025-02-01 00:00Z', NULL, '\x00ff', NULL, '[]'),
    (3, 'Cid', 'no end', 1, 0, false, '2025-02-01 00:00Z', 'infinity', NULL, NULL, NULL);
