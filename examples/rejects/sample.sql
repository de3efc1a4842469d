CREATE TABLE payments (id text PRIMARY KEY, amount text, currency text, status text NOT NULL);
INSERT INTO payments VALUES
    ('p1', '10.50', 'EUR', 'done'), ('p2', '3', NULL, 'done'), ('p3', 'ten', 'EUR', 'done'),
    ('p4', '99', 'EUR', 'cancelled');
