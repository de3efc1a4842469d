-- The shape of a database of baseball (Lahman): natural keys of several columns, one of them a year; names in camel case beside
-- names that begin with a digit ("2B") or are words of SQL, many numbers that are often null, ranks and shares as text.
CREATE TABLE people (
    "playerID" varchar(9) NOT NULL PRIMARY KEY, "birthYear" smallint, "birthMonth" smallint, "nameFirst" varchar(255), "nameLast" varchar(255),
    weight smallint, height smallint, bats varchar(1), throws varchar(1), debut varchar(10), "finalGame" date
);
CREATE TABLE teams (
    "yearID" smallint NOT NULL, "lgID" char(2) NOT NULL, "teamID" char(3) NOT NULL, "franchID" varchar(3), "Rank" smallint, "G" smallint, "DivWin" varchar(1),
    "2B" smallint, "3B" smallint, "ERA" double precision, "FP" numeric(5,3), name varchar(50), attendance integer, PRIMARY KEY ("yearID", "lgID", "teamID")
);
CREATE TABLE batting (
    "playerID" varchar(9) NOT NULL REFERENCES people, "yearID" smallint NOT NULL, stint smallint NOT NULL, "teamID" char(3), "lgID" char(2), "G" smallint, "AB" smallint,
    "R" smallint, "H" smallint, "2B" integer, "3B" integer, "HR" smallint, "RBI" smallint, "SO" smallint, "GIDP" smallint, PRIMARY KEY ("playerID", "yearID", stint)
);
CREATE TABLE fielding (
    "playerID" varchar(9) NOT NULL, "yearID" smallint NOT NULL, stint smallint NOT NULL, "POS" varchar(2) NOT NULL, "InnOuts" smallint, "ZR" double precision,
    PRIMARY KEY ("playerID", "yearID", stint, "POS")
);
CREATE TABLE salaries (
    "yearID" smallint NOT NULL, "teamID" char(3) NOT NULL, "playerID" varchar(9) NOT NULL REFERENCES people, salary double precision, PRIMARY KEY ("yearID", "teamID", "playerID")
);
CREATE TABLE awards_share (
    "awardID" varchar(25) NOT NULL, "yearID" smallint NOT NULL, "lgID" varchar(2) NOT NULL, "playerID" varchar(9) NOT NULL, "pointsWon" double precision,
    "group" text, "order" smallint, PRIMARY KEY ("awardID", "yearID", "lgID", "playerID")
);
INSERT INTO people VALUES ('aardsda01', 1981, 12, 'David', 'Aardsma', 215, 75, 'R', 'R', '2004-04-06', '2015-08-23'),
    ('o''neada01', NULL, NULL, NULL, 'O''Neal', NULL, NULL, NULL, '', '', NULL), ('ruthba01', 1895, 2, 'Babe', 'Ruth', 215, 74, 'L', 'L', '1914-07-11', '1935-05-30');
INSERT INTO teams VALUES (1871, 'NA', 'BS1', 'BNA', 3, 31, 'N', 70, 37, 3.55, 0.834, 'Boston Red Stockings', NULL), (1927, 'AL', 'NYA', 'NYY', 1, 155, NULL, 291, NULL, 'NaN', 1.000, 'New York Yankees', 1164015),
    (1871, 'NL', 'BS1', NULL, -1, 0, '', NULL, 0, '-Infinity', NULL, '', 0);
INSERT INTO batting VALUES ('aardsda01', 2004, 1, 'SFN', 'NL', 11, 0, 0, 0, 0, 0, 0, 0, 0, NULL), ('ruthba01', 1927, 1, 'NYA', 'AL', 151, 540, 158, 192, 29, 8, 60, 164, 89, NULL),
    ('ruthba01', 1927, 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO fielding VALUES ('ruthba01', 1927, 1, 'OF', NULL, 0.1), ('ruthba01', 1927, 1, 'P', 32767, -0.0), ('ruthba01', 1927, 1, '1B', -32768, 1e-300);
INSERT INTO salaries VALUES (1985, 'ATL', 'ruthba01', 870000), (1985, 'ATL', 'aardsda01', NULL), (2016, 'BAL', 'ruthba01', 9007199254740993);
INSERT INTO awards_share VALUES ('Cy Young', 1956, 'ML', 'ruthba01', 1.5, 'a', 1), ('Cy Young', 1956, 'ML', 'aardsda01', NULL, NULL, NULL);
