-- The shape of a music shop's database, as Chinook has it: names in mixed case that must be quoted, foreign keys between
-- all of them, an employee who reports to another, timestamps without a zone.
CREATE TABLE "Artist" ("ArtistId" INT NOT NULL, "Name" VARCHAR(120), CONSTRAINT "PK_Artist" PRIMARY KEY ("ArtistId"));
CREATE TABLE "Album" (
    "AlbumId" INT NOT NULL CONSTRAINT "PK_Album" PRIMARY KEY, "Title" VARCHAR(160) NOT NULL, "ArtistId" INT NOT NULL REFERENCES "Artist"
);
CREATE TABLE "Employee" (
    "EmployeeId" INT NOT NULL PRIMARY KEY, "LastName" VARCHAR(20) NOT NULL, "ReportsTo" INT REFERENCES "Employee",
    "BirthDate" TIMESTAMP, "HireDate" TIMESTAMP(0), "Email" VARCHAR(60)
);
CREATE TABLE "Customer" (
    "CustomerId" INT NOT NULL PRIMARY KEY, "FirstName" VARCHAR(40) NOT NULL, "Company" VARCHAR(80), "Fax" VARCHAR(24),
    "SupportRepId" INT REFERENCES "Employee"
);
CREATE TABLE "Genre" ("GenreId" INT NOT NULL PRIMARY KEY, "Name" VARCHAR(120));
CREATE TABLE "MediaType" ("MediaTypeId" INT NOT NULL PRIMARY KEY, "Name" VARCHAR(120));
CREATE TABLE "Track" (
    "TrackId" INT NOT NULL PRIMARY KEY, "Name" VARCHAR(200) NOT NULL, "AlbumId" INT REFERENCES "Album",
    "MediaTypeId" INT NOT NULL REFERENCES "MediaType", "GenreId" INT REFERENCES "Genre", "Composer" VARCHAR(220),
    "Milliseconds" INT NOT NULL, "Bytes" INT, "UnitPrice" NUMERIC(10,2) NOT NULL
);
CREATE TABLE "Playlist" ("PlaylistId" INT NOT NULL PRIMARY KEY, "Name" VARCHAR(120));
CREATE TABLE "PlaylistTrack" (
    "PlaylistId" INT NOT NULL REFERENCES "Playlist", "TrackId" INT NOT NULL REFERENCES "Track", PRIMARY KEY ("PlaylistId", "TrackId")
);
CREATE TABLE "Invoice" (
    "InvoiceId" INT NOT NULL PRIMARY KEY, "CustomerId" INT NOT NULL REFERENCES "Customer", "InvoiceDate" TIMESTAMP NOT NULL,
    "BillingState" VARCHAR(40), "Total" NUMERIC(10,2) NOT NULL
);
CREATE TABLE "InvoiceLine" (
    "InvoiceLineId" INT NOT NULL PRIMARY KEY, "InvoiceId" INT NOT NULL REFERENCES "Invoice", "TrackId" INT NOT NULL REFERENCES "Track",
    "UnitPrice" NUMERIC(10,2) NOT NULL, "Quantity" INT NOT NULL
);

INSERT INTO "Artist" VALUES (1, 'AC/DC'), (2, 'Antônio Carlos Jobim'), (3, NULL);
INSERT INTO "Album" VALUES (1, 'For Those About To Rock', 1), (2, 'Quanta Gente Veio Ver--Bônus', 2);
INSERT INTO "Employee" VALUES (1, 'Adams', NULL, '1962-02-18 00:00:00', '2002-08-14', 'a@example.com'), (2, 'Edwards', 1, NULL, NULL, NULL);
INSERT INTO "Customer" VALUES (1, 'Luís', 'Embraer', NULL, 2), (2, 'Leonie', NULL, '+55 (12)', NULL);
INSERT INTO "Genre" VALUES (1, 'Rock'), (2, 'Bossa Nova');
INSERT INTO "MediaType" VALUES (1, 'MPEG audio file'), (2, 'Protected AAC');
INSERT INTO "Track" VALUES (1, 'Rock', 1, 1, 1, 'Young, Young', 343719, 11170334, 0.99), (2, 'Água', 2, 2, NULL, NULL, 1, NULL, 1.00), (3, '', NULL, 1, 2, '', 0, 0, 12345678.90);
INSERT INTO "Playlist" VALUES (1, 'Music'), (2, 'Movies');
INSERT INTO "PlaylistTrack" VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO "Invoice" VALUES (1, 1, '2021-01-01 00:00:00', NULL, 1.98), (2, 2, '2021-01-02 23:59:59.999999', 'SP', 0);
INSERT INTO "InvoiceLine" VALUES (1, 1, 1, 0.99, 1), (2, 1, 2, 0.99, 1), (3, 2, 1, 1, 2);
