CREATE TABLE users (id bigint PRIMARY KEY, mail text, last_seen timestamptz DEFAULT now());
INSERT INTO users SELECT n, 'user' || n || '@Example.com' FROM generate_series(1, 40) n;
INSERT INTO users VALUES (41, NULL);
