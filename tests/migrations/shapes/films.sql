-- The shape of a film rental's database, as Sakila and Pagila have it: an enum, a domain with a check, arrays, tsvector
-- with its trigger, triggers that set last_update, two tables that refer to each other, a partitioned table, views.
CREATE TYPE mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');
CREATE DOMAIN year AS integer CONSTRAINT year_check CHECK (VALUE >= 1901 AND VALUE <= 2155);
CREATE FUNCTION last_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_update = CURRENT_TIMESTAMP;
    RETURN NEW;
END $$;
CREATE SEQUENCE actor_actor_id_seq;
CREATE TABLE actor (
    actor_id integer DEFAULT nextval('actor_actor_id_seq'::regclass) NOT NULL PRIMARY KEY,
    first_name text NOT NULL, last_name text NOT NULL, last_update timestamptz DEFAULT now() NOT NULL
);
CREATE TABLE category (category_id serial PRIMARY KEY, name text NOT NULL, last_update timestamptz DEFAULT now() NOT NULL);
CREATE TABLE language (
    language_id serial PRIMARY KEY, name character(20) NOT NULL, last_update timestamptz DEFAULT now() NOT NULL
);
CREATE TABLE country (country_id serial PRIMARY KEY, country text NOT NULL, last_update timestamptz DEFAULT now() NOT NULL);
CREATE TABLE city (
    city_id serial PRIMARY KEY, city text NOT NULL, country_id integer NOT NULL REFERENCES country ON UPDATE CASCADE ON DELETE RESTRICT,
    last_update timestamptz DEFAULT now() NOT NULL
);
CREATE TABLE address (
    address_id serial PRIMARY KEY, address text NOT NULL, address2 text, district text NOT NULL,
    city_id integer NOT NULL REFERENCES city ON UPDATE CASCADE ON DELETE RESTRICT, postal_code text, phone text NOT NULL,
    last_update timestamptz DEFAULT now() NOT NULL
);
CREATE TABLE film (
    film_id serial PRIMARY KEY, title text NOT NULL, description text, release_year year,
    language_id integer NOT NULL REFERENCES language, original_language_id integer REFERENCES language,
    rental_duration smallint DEFAULT 3 NOT NULL, rental_rate numeric(4,2) DEFAULT 4.99 NOT NULL, length smallint,
    replacement_cost numeric(5,2) DEFAULT 19.99 NOT NULL, rating mpaa_rating DEFAULT 'G'::mpaa_rating,
    last_update timestamptz DEFAULT now() NOT NULL, special_features text[], fulltext tsvector NOT NULL,
    revenue_projection numeric(5,2) GENERATED ALWAYS AS (rental_duration * rental_rate) STORED
);
CREATE INDEX film_fulltext_idx ON film USING gist (fulltext);
CREATE INDEX idx_title ON film (title);
CREATE TABLE film_actor (
    actor_id integer NOT NULL REFERENCES actor ON UPDATE CASCADE ON DELETE RESTRICT, film_id integer NOT NULL REFERENCES film,
    last_update timestamptz DEFAULT now() NOT NULL, PRIMARY KEY (actor_id, film_id)
);
CREATE TABLE film_category (
    film_id integer NOT NULL REFERENCES film, category_id integer NOT NULL REFERENCES category,
    last_update timestamptz DEFAULT now() NOT NULL, PRIMARY KEY (film_id, category_id)
);
CREATE TABLE store (
    store_id serial PRIMARY KEY, manager_staff_id integer NOT NULL, address_id integer NOT NULL REFERENCES address,
    last_update timestamptz DEFAULT now() NOT NULL
);
CREATE UNIQUE INDEX idx_unq_manager_staff_id ON store (manager_staff_id);
CREATE TABLE staff (
    staff_id serial PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL, address_id integer NOT NULL REFERENCES address,
    email text, store_id integer NOT NULL REFERENCES store, active boolean DEFAULT true NOT NULL, username text NOT NULL,
    password text, last_update timestamptz DEFAULT now() NOT NULL, picture bytea
);
CREATE TABLE customer (
    customer_id serial PRIMARY KEY, store_id integer NOT NULL REFERENCES store, first_name text NOT NULL, last_name text NOT NULL,
    email text, address_id integer NOT NULL REFERENCES address, activebool boolean DEFAULT true NOT NULL,
    create_date date DEFAULT CURRENT_DATE NOT NULL, last_update timestamptz DEFAULT now(), active integer
);
CREATE TABLE inventory (
    inventory_id serial PRIMARY KEY, film_id integer NOT NULL REFERENCES film, store_id integer NOT NULL REFERENCES store,
    last_update timestamptz DEFAULT now() NOT NULL
);
CREATE TABLE rental (
    rental_id serial PRIMARY KEY, rental_date timestamptz NOT NULL, inventory_id integer NOT NULL REFERENCES inventory,
    customer_id integer NOT NULL REFERENCES customer, return_date timestamptz, staff_id integer NOT NULL REFERENCES staff,
    last_update timestamptz DEFAULT now() NOT NULL
);
CREATE UNIQUE INDEX idx_unq_rental ON rental (rental_date, inventory_id, customer_id);
CREATE TABLE payment (
    payment_id serial NOT NULL, customer_id integer NOT NULL, staff_id integer NOT NULL, rental_id integer NOT NULL,
    amount numeric(5,2) NOT NULL, payment_date timestamptz NOT NULL, PRIMARY KEY (payment_date, payment_id)
) PARTITION BY RANGE (payment_date);
CREATE TABLE payment_p2022_01 PARTITION OF payment FOR VALUES FROM ('2022-01-01 00:00+00') TO ('2022-02-01 00:00+00');
CREATE TABLE payment_p2022_02 PARTITION OF payment FOR VALUES FROM ('2022-02-01 00:00+00') TO ('2022-03-01 00:00+00');
ALTER TABLE payment_p2022_01 ADD FOREIGN KEY (customer_id) REFERENCES customer, ADD FOREIGN KEY (rental_id) REFERENCES rental;
CREATE TABLE packages (aptid serial PRIMARY KEY, last_updated timestamptz, aptdata jsonb);

-- rows
INSERT INTO actor (first_name, last_name, last_update) VALUES ('ADA', 'ÅKERLUND', '2022-02-15 10:02:19+00'), ('BO', 'O''NEIL', '2022-02-15 10:02:19.5+01');
INSERT INTO category (name) VALUES ('Action'), ('Sci-Fi & Fantasy');
INSERT INTO language (name) VALUES ('English'), ('日本語');
INSERT INTO country (country) VALUES ('Réunion'), ('Viet Nam');
INSERT INTO city (city, country_id) VALUES ('Saint-Denis', 1), ('Hải Phòng', 2);
INSERT INTO address (address, address2, district, city_id, postal_code, phone) VALUES ('1 Rue', NULL, '', 1, '97400', ''), ('2 Đường', '', 'Kiến An', 2, '', '0');
INSERT INTO film (title, description, release_year, language_id, original_language_id, rating, special_features, length, fulltext)
VALUES ('ACADEMY DINOSAUR', 'An epic drama', 2006, 1, NULL, 'PG', '{"Deleted Scenes","Behind the Scenes"}', 86, ''),
    ('ÉTUDE', NULL, NULL, 2, 1, 'NC-17', '{}', NULL, ''), ('NONE', 'x', 1901, 1, NULL, NULL, NULL, 0, '');
INSERT INTO film_actor (actor_id, film_id) VALUES (1, 1), (2, 1), (1, 2);
INSERT INTO film_category (film_id, category_id) VALUES (1, 1), (2, 2);
INSERT INTO store (manager_staff_id, address_id) VALUES (1, 1), (2, 2);
INSERT INTO staff (first_name, last_name, address_id, email, store_id, username, password, picture) VALUES
    ('Mike', 'H', 1, 'm@example.com', 1, 'Mike', '8cb2237d', '\x89504e470d0a00ff'), ('Jon', 'S', 2, NULL, 2, 'Jon', NULL, NULL);
ALTER TABLE store ADD FOREIGN KEY (manager_staff_id) REFERENCES staff;
INSERT INTO customer (store_id, first_name, last_name, email, address_id, create_date, active) VALUES
    (1, 'MARY', 'SMITH', 'mary@example.com', 1, '2022-02-14', 1), (2, 'LI', '李', NULL, 2, '2022-02-14', 0);
INSERT INTO inventory (film_id, store_id) VALUES (1, 1), (2, 2);
INSERT INTO rental (rental_date, inventory_id, customer_id, return_date, staff_id) VALUES
    ('2022-01-24 21:21:05+00', 1, 1, NULL, 1), ('2022-02-24 21:21:05+00', 2, 2, '2022-02-28 00:00:00+00', 2);
INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date) VALUES
    (1, 1, 1, 2.99, '2022-01-25 00:00:01+00'), (2, 2, 2, 0.00, '2022-02-25 00:00:01.000001+00');
INSERT INTO packages (last_updated, aptdata) VALUES ('2022-01-01Z', '{"name": "pg", "sizes": [1.5, null]}'), (NULL, 'null');

CREATE TRIGGER film_fulltext_trigger BEFORE INSERT OR UPDATE ON film FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title', 'description');
UPDATE film SET title = title;
DO $$ DECLARE named text; BEGIN
    FOREACH named IN ARRAY ARRAY['actor', 'category', 'language', 'country', 'city', 'address', 'film', 'film_actor', 'film_category',
        'store', 'staff', 'customer', 'inventory', 'rental'] LOOP
        EXECUTE format('CREATE TRIGGER last_updated BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION last_updated()', named);
    END LOOP;
END $$;
CREATE VIEW film_list AS
    SELECT f.film_id AS fid, f.title, c.name AS category, f.rental_rate AS price, f.rating
    FROM film f LEFT JOIN film_category fc USING (film_id) LEFT JOIN category c USING (category_id);
CREATE MATERIALIZED VIEW rental_by_category AS
    SELECT c.name AS category, sum(f.price) AS total_sales FROM film_list f JOIN category c ON c.name = f.category GROUP BY c.name;
CREATE UNIQUE INDEX rental_category ON rental_by_category (category);
