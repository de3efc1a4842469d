-- The shape of the world database: char keys of fixed length, reals, a column that refers forward, checks.
CREATE TABLE city (id integer NOT NULL PRIMARY KEY, name text NOT NULL, countrycode character(3) NOT NULL, district text NOT NULL, population integer NOT NULL);
CREATE TABLE country (
    code character(3) NOT NULL PRIMARY KEY, name text NOT NULL, continent text NOT NULL CHECK (continent IN ('Asia', 'Europe', 'Africa')),
    surfacearea real NOT NULL, indepyear smallint, population integer NOT NULL, lifeexpectancy real, gnp numeric(10,2), gnpold numeric(10,2),
    localname text NOT NULL, capital integer REFERENCES city, code2 character(2) NOT NULL
);
CREATE TABLE countrylanguage (
    countrycode character(3) NOT NULL REFERENCES country, "language" text NOT NULL, isofficial boolean NOT NULL, percentage real NOT NULL,
    PRIMARY KEY (countrycode, "language")
);
INSERT INTO city VALUES (1, 'Kabul', 'AFG', 'Kabol', 1780000), (2, '´s-Hertogenbosch', 'NLD', 'Noord-Brabant', 129170);
INSERT INTO country VALUES ('AFG', 'Afghanistan', 'Asia', 652090, 1919, 22720000, 45.9, 5976.00, NULL, 'Afganistan/Afqanestan', 1, 'AF'),
    ('NLD', 'Netherlands', 'Europe', 41526, -1581, 15864000, 78.3, 371362.00, 360478.00, 'Nederland', 2, 'NL'),
    ('IO', 'No one', 'Africa', 0.4, NULL, 0, NULL, 0.00, NULL, '', NULL, 'I');
INSERT INTO countrylanguage VALUES ('AFG', 'Pashto', true, 52.4), ('NLD', 'Dutch', true, 95.6), ('NLD', 'Fries', false, 3.7);
