CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
INSERT INTO countries VALUES ('IN', 'India'), ('NO', 'Norway');
CREATE TABLE orders (id bigint PRIMARY KEY, country text, total numeric);
INSERT INTO orders VALUES (1, 'IN', 20.50), (2, 'no', 7), (3, 'XX', 1);
