-- The shape of a trader's database, as Northwind has it: char keys, real and smallint, photos as bytea, dates without
-- time, a table that refers to itself, and two whose key is composite.
CREATE TABLE categories (category_id smallint NOT NULL PRIMARY KEY, category_name varchar(15) NOT NULL, description text, picture bytea);
CREATE TABLE customers (
    customer_id bpchar NOT NULL PRIMARY KEY, company_name varchar(40) NOT NULL, contact_name varchar(30), city varchar(15),
    region varchar(15), postal_code varchar(10), phone varchar(24)
);
CREATE TABLE customer_demographics (customer_type_id bpchar NOT NULL PRIMARY KEY, customer_desc text);
CREATE TABLE customer_customer_demo (
    customer_id bpchar NOT NULL REFERENCES customers, customer_type_id bpchar NOT NULL REFERENCES customer_demographics,
    PRIMARY KEY (customer_id, customer_type_id)
);
CREATE TABLE employees (
    employee_id smallint NOT NULL PRIMARY KEY, last_name varchar(20) NOT NULL, first_name varchar(10) NOT NULL,
    title_of_courtesy varchar(25), birth_date date, hire_date date, photo bytea, notes text, reports_to smallint REFERENCES employees,
    photo_path varchar(255)
);
CREATE TABLE suppliers (supplier_id smallint NOT NULL PRIMARY KEY, company_name varchar(40) NOT NULL, homepage text);
CREATE TABLE products (
    product_id smallint NOT NULL PRIMARY KEY, product_name varchar(40) NOT NULL, supplier_id smallint REFERENCES suppliers,
    category_id smallint REFERENCES categories, quantity_per_unit varchar(20), unit_price real, units_in_stock smallint,
    discontinued integer NOT NULL
);
CREATE TABLE region (region_id smallint NOT NULL PRIMARY KEY, region_description bpchar NOT NULL);
CREATE TABLE territories (
    territory_id varchar(20) NOT NULL PRIMARY KEY, territory_description bpchar NOT NULL, region_id smallint NOT NULL REFERENCES region
);
CREATE TABLE employee_territories (
    employee_id smallint NOT NULL REFERENCES employees, territory_id varchar(20) NOT NULL REFERENCES territories,
    PRIMARY KEY (employee_id, territory_id)
);
CREATE TABLE orders (
    order_id smallint NOT NULL PRIMARY KEY, customer_id bpchar REFERENCES customers, employee_id smallint REFERENCES employees,
    order_date date, required_date date, shipped_date date, freight real, ship_name varchar(40), ship_city varchar(15)
);
CREATE TABLE order_details (
    order_id smallint NOT NULL REFERENCES orders, product_id smallint NOT NULL REFERENCES products, unit_price real NOT NULL,
    quantity smallint NOT NULL, discount real NOT NULL, PRIMARY KEY (order_id, product_id)
);
CREATE TABLE us_states (state_id smallint NOT NULL PRIMARY KEY, state_name varchar(100), state_abbr varchar(2));

INSERT INTO categories VALUES (1, 'Beverages', 'Soft drinks, "coffees"', '\x151c2f00'), (2, 'Condiments', NULL, '\x');
INSERT INTO customers VALUES ('ALFKI', 'Alfreds', 'Maria', 'Berlin', NULL, '12209', ''), ('AB', 'Short  ', NULL, NULL, NULL, NULL, NULL);
INSERT INTO employees VALUES (2, 'Fuller', 'Andrew', 'Dr.', '1952-02-19', '1992-08-14', '\x', 'x', NULL, 'http://accweb/'),
    (1, 'Davolio', 'Nancy', 'Ms.', '1948-12-08', '1992-05-01', NULL, NULL, 2, NULL), (3, 'L', 'J', NULL, NULL, NULL, NULL, '', 1, '');
INSERT INTO suppliers VALUES (1, 'Exotic Liquids', '#http://www.example.com#'), (2, 'Kelly''s', NULL);
INSERT INTO products VALUES (1, 'Chai', 1, 1, '10 boxes x 30 bags', 18, 39, 1), (2, 'Chartreuse', 2, 1, NULL, 263.5, NULL, 0),
    (3, 'Köstlichkeit', NULL, NULL, '', 0.1, 0, 0);
INSERT INTO region VALUES (1, 'Eastern'), (2, 'Western  ');
INSERT INTO territories VALUES ('01581', 'Westboro', 1), ('02116', 'Boston ', 2);
INSERT INTO employee_territories VALUES (1, '01581'), (1, '02116'), (2, '01581');
INSERT INTO orders VALUES (10248, 'ALFKI', 1, '1996-07-04', '1996-08-01', NULL, 32.38, 'Vins', 'Reims'), (10249, 'AB', 2, '1996-07-05', NULL, NULL, 11.61, NULL, '');
INSERT INTO order_details VALUES (10248, 1, 14, 12, 0), (10248, 2, 9.8, 10, 0.15), (10249, 1, 18.6, 9, 0.05);
INSERT INTO us_states VALUES (1, 'Alabama', 'AL'), (2, NULL, NULL);
