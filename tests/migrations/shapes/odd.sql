-- Tables of every odd kind, each with rows. What stands before the first is there in both databases.
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE SCHEMA sales;

-- table: keys
CREATE TABLE keys (
    a text COLLATE "C", b uuid, c bytea, d date, e timestamptz, f numeric, g inet, h mood, i char(5), j bool, k bigint, l time,
    m interval, n timestamp, o name, p bit(3), q int4range, r text[], note text,
    PRIMARY KEY (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
);
-- rows
INSERT INTO keys SELECT t, gen_random_uuid(), '\x00ff', '0044-03-15 BC', '2024-01-01Z', 1.5, '10.0.0.1/8', 'sad', 'ab', true, 9,
    '24:00', '1 mon -1 day', '2024-01-01', 'o', '101', '[1,5)', '{a,NULL,"b c"}', t
FROM unnest(ARRAY['', 'a', 'A', 'é', U&'e\0301', ' a ']) t;

-- table: "Täfel 日本.1"
CREATE TABLE "Täfel 日本.1" (
    "日本" int PRIMARY KEY, "select" text, "a b" text, "a	b" text, "user" text, "current_date" text, "key" text, "verb" text,
    "row_hash" text, "Order" text, "na""ïve" text, "it's" text, "?" text, "{x}" text, "%s" text, "__verb" text, "id" text, "\" text
);
-- rows
INSERT INTO "Täfel 日本.1" SELECT n, '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16', '17'
FROM generate_series(1, 3) n;

-- table: rows
CREATE TABLE rows (id text PRIMARY KEY, source text);
-- rows
INSERT INTO rows VALUES ('a', 'b'), ('b', NULL);

-- table: findings
CREATE TABLE findings (_id text PRIMARY KEY, message text);
-- rows
INSERT INTO findings VALUES ('a', 'b');

-- table: order
CREATE TABLE "order" ("table" text PRIMARY KEY, "null" text);
-- rows
INSERT INTO "order" VALUES ('a', 'b');

-- table: 2020
CREATE TABLE "2020" ("1" int PRIMARY KEY);
-- rows
INSERT INTO "2020" VALUES (1), (2);

-- table: a_name_of_sixty_three_letters_is_the_longest_that_postgres_hasx
CREATE TABLE a_name_of_sixty_three_letters_is_the_longest_that_postgres_hasx (
    a_name_of_sixty_three_letters_is_the_longest_that_postgres_hasx int PRIMARY KEY
);
-- rows
INSERT INTO a_name_of_sixty_three_letters_is_the_longest_that_postgres_hasx VALUES (1);

-- table: sales."order.items"
CREATE TABLE sales."order.items" (id int PRIMARY KEY, "x.y" text);
-- rows
INSERT INTO sales."order.items" VALUES (1, 'a');

-- table: filled
CREATE TABLE filled (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, n serial,
    at timestamptz NOT NULL DEFAULT now(), u uuid NOT NULL DEFAULT gen_random_uuid()
);
DO $$ BEGIN IF current_setting('server_version_num')::int >= 180000 THEN
    EXECUTE 'ALTER TABLE filled ADD thrice int GENERATED ALWAYS AS (a * 3) VIRTUAL';
END IF; END $$;
-- rows
INSERT INTO filled (a) VALUES (1), (NULL), (3);

-- table: parted
CREATE TABLE parted (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO ('2024-01-01') PARTITION BY HASH (id);
CREATE TABLE parted_1_1 PARTITION OF parted_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
-- rows
INSERT INTO parted VALUES (1, '2023-01-01'), (1, '2024-01-01'), (2, '9999-12-31');

-- table: parent
CREATE TABLE parent (id int PRIMARY KEY, a text);
CREATE TABLE child (b text, PRIMARY KEY (id)) INHERITS (parent);
-- rows
INSERT INTO parent VALUES (1, 'x');
INSERT INTO child VALUES (2, 'y', 'z');

-- table: unique_only
CREATE TABLE unique_only (a int NOT NULL, b text NOT NULL, c text, UNIQUE (a, b));
CREATE UNIQUE INDEX ON unique_only (c);
CREATE UNIQUE INDEX ON unique_only (a) WHERE c IS NULL;
-- rows
INSERT INTO unique_only VALUES (1, '', 'x'), (1, 'b', NULL), (2, 'b', 'c');

-- table: wide
DO $$ BEGIN EXECUTE (
    SELECT 'CREATE TABLE wide (id int PRIMARY KEY, ' || string_agg('c' || n || ' ' || (ARRAY['int', 'text', 'numeric', 'bool'])[n % 4 + 1], ', ')
        || ')' FROM generate_series(0, 298) n
); END $$;
-- rows
INSERT INTO wide (id, c0, c1, c298) VALUES (1, 2, 'x', 0.5), (2, NULL, NULL, NULL);

-- table: empty
CREATE TABLE empty (id int PRIMARY KEY, a text);
-- rows

-- table: alone
CREATE TABLE alone (id text PRIMARY KEY);
-- rows
INSERT INTO alone VALUES (''), ('b');

-- table: tree
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree, over int REFERENCES tree);
-- rows
INSERT INTO tree VALUES (1, NULL, NULL), (2, 1, NULL), (3, 2, 1);
UPDATE tree SET over = 3 WHERE id = 1;

-- table: of_tree
CREATE TABLE of_tree (id int PRIMARY KEY, tree int NOT NULL REFERENCES tree ON DELETE CASCADE);
-- rows
INSERT INTO of_tree VALUES (1, 3), (2, 1);

-- table: stamped
CREATE TABLE stamped (id int PRIMARY KEY, title text NOT NULL, last_update timestamptz NOT NULL DEFAULT now(), words tsvector NOT NULL);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.last_update = now(); RETURN NEW; END';
CREATE TRIGGER last_updated BEFORE UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER words BEFORE INSERT OR UPDATE ON stamped FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('words', 'pg_catalog.english', 'title');
-- rows
INSERT INTO stamped VALUES (1, 'Dancing films', '2020-01-01', ''), (2, '', '2020-01-01', '');
