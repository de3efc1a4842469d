CREATE TABLE accounts (id bigint PRIMARY KEY, mail text, plan text);
INSERT INTO accounts SELECT n, 'User' || n || '@example.com', 'free' FROM generate_series(1, 20) n;
