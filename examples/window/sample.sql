CREATE TABLE visits (id bigint PRIMARY KEY, began_at timestamptz NOT NULL, page text);
INSERT INTO visits SELECT n, timestamptz '2026-01-01 00:00Z' + n * interval '8 hours', '/page/' FROM generate_series(0, 8) n;
