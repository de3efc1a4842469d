-- The shape of an airline's demonstration database (bookings): a schema of its own, char keys, composite keys and foreign keys over
-- them, names as jsonb by language, times with zones, a point, numeric with a scale, views beside tables, checks over columns.
CREATE SCHEMA bookings;
CREATE TABLE bookings.aircrafts_data (
    aircraft_code character(3) NOT NULL PRIMARY KEY, model jsonb NOT NULL, range integer NOT NULL, CONSTRAINT aircrafts_range_check CHECK (range > 0)
);
CREATE TABLE bookings.airports_data (
    airport_code character(3) NOT NULL PRIMARY KEY, airport_name jsonb NOT NULL, city jsonb NOT NULL, timezone text NOT NULL
);
CREATE TABLE bookings.bookings (
    book_ref character(6) NOT NULL PRIMARY KEY, book_date timestamp with time zone NOT NULL, total_amount numeric(10,2) NOT NULL
);
CREATE TABLE bookings.flights (
    flight_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, flight_no character(6) NOT NULL, scheduled_departure timestamp with time zone NOT NULL,
    scheduled_arrival timestamp with time zone NOT NULL, departure_airport character(3) NOT NULL REFERENCES bookings.airports_data,
    arrival_airport character(3) NOT NULL REFERENCES bookings.airports_data, status character varying(20) NOT NULL,
    aircraft_code character(3) NOT NULL REFERENCES bookings.aircrafts_data, actual_departure timestamp with time zone, actual_arrival timestamp with time zone,
    UNIQUE (flight_no, scheduled_departure), CHECK (scheduled_arrival > scheduled_departure), CHECK (status IN ('On Time', 'Arrived', 'Cancelled'))
);
CREATE TABLE bookings.seats (
    aircraft_code character(3) NOT NULL REFERENCES bookings.aircrafts_data ON DELETE CASCADE, seat_no character varying(4) NOT NULL,
    fare_conditions character varying(10) NOT NULL CHECK (fare_conditions IN ('Economy', 'Business')), PRIMARY KEY (aircraft_code, seat_no)
);
CREATE TABLE bookings.tickets (
    ticket_no character(13) NOT NULL PRIMARY KEY, book_ref character(6) NOT NULL REFERENCES bookings.bookings, passenger_id character varying(20) NOT NULL,
    passenger_name text NOT NULL, contact_data jsonb
);
CREATE TABLE bookings.ticket_flights (
    ticket_no character(13) NOT NULL REFERENCES bookings.tickets, flight_id integer NOT NULL REFERENCES bookings.flights,
    fare_conditions character varying(10) NOT NULL, amount numeric(10,2) NOT NULL CHECK (amount >= 0), PRIMARY KEY (ticket_no, flight_id)
);
CREATE TABLE bookings.boarding_passes (
    ticket_no character(13) NOT NULL, flight_id integer NOT NULL, boarding_no integer NOT NULL, seat_no character varying(4) NOT NULL,
    PRIMARY KEY (ticket_no, flight_id), UNIQUE (flight_id, boarding_no), UNIQUE (flight_id, seat_no),
    FOREIGN KEY (ticket_no, flight_id) REFERENCES bookings.ticket_flights
);
CREATE VIEW bookings.airports AS SELECT airport_code, airport_name ->> 'en' AS airport_name FROM bookings.airports_data;

INSERT INTO bookings.aircrafts_data VALUES ('773', '{"en": "Boeing 777-300", "ru": "Боинг 777-300"}', 11100), ('CN1', '{"en": "Cessna 208", "ru": null}', 1);
INSERT INTO bookings.airports_data VALUES ('DME', '{"en": "Domodedovo", "ru": "Домодедово"}', '{"en": "Moscow"}', 'Europe/Moscow'),
    ('PKC', '{"en": "Yelizovo \"East\""}', '{}', 'Asia/Kamchatka');
INSERT INTO bookings.bookings VALUES ('00000F', '2017-07-05 03:12:00+03', 265700.00), ('_0a\u0 ', '2016-02-29 23:59:59.999999-11', 0.01);
INSERT INTO bookings.flights (flight_no, scheduled_departure, scheduled_arrival, departure_airport, arrival_airport, status, aircraft_code, actual_departure) VALUES
    ('PG0405', '2017-10-29 02:30:00+03', '2017-10-29 02:30:00+02', 'DME', 'PKC', 'Arrived', '773', '2017-10-29 02:31:00+03'),
    ('PG0405', '2017-10-30 02:30:00+03', '2017-10-30 14:00:00+12', 'DME', 'PKC', 'Cancelled', 'CN1', NULL);
INSERT INTO bookings.seats VALUES ('773', '1A', 'Business'), ('773', '51K', 'Economy'), ('CN1', '1A', 'Economy');
INSERT INTO bookings.tickets VALUES ('0005432000987', '00000F', '8149 604011', 'VALERIY TIKHONOV', '{"phone": "+70127117011", "tags": [1, 1.5, 1e2]}'),
    ('0005432000988', '_0a\u0 ', '', 'O''HARA; DROP TABLE --', NULL);
INSERT INTO bookings.ticket_flights VALUES ('0005432000987', 1, 'Business', 42100.00), ('0005432000987', 2, 'Economy', 0.00);
INSERT INTO bookings.boarding_passes VALUES ('0005432000987', 1, 1, '1A');
