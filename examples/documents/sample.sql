CREATE TABLE film (film_id bigint PRIMARY KEY, title text);
INSERT INTO film VALUES (1, 'Metropolis'), (2, 'Nobody');
CREATE TABLE actor (actor_id bigint PRIMARY KEY, name text);
INSERT INTO actor VALUES (10, 'Brigitte Helm'), (11, 'Alfred Abel');
CREATE TABLE film_actor (film_id bigint, actor_id bigint, PRIMARY KEY (film_id, actor_id));
INSERT INTO film_actor VALUES (1, 10), (1, 11), (2, 99);
CREATE TABLE film_category (film_id bigint, category text, PRIMARY KEY (film_id, category));
INSERT INTO film_category VALUES (1, 'science fiction'), (1, 'silent');
