CREATE TABLE entries (id bigint PRIMARY KEY, title text, body text);
INSERT INTO entries VALUES (1, 'Shopping', 'Milk'), (2, NULL, 'A thought');
