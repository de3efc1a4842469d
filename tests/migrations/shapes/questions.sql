-- The shape of a site of questions and answers, as its public dump has it: names in mixed case that must be quoted, long HTML, tags in
-- one text, timestamps of milliseconds, references to rows that are not there (nothing holds them), votes by small numbers, negative ids.
CREATE TABLE "Users" (
    "Id" integer NOT NULL PRIMARY KEY, "Reputation" integer NOT NULL, "CreationDate" timestamp(3) NOT NULL, "DisplayName" varchar(40) NOT NULL,
    "LastAccessDate" timestamp(3) NOT NULL, "WebsiteUrl" varchar(200), "Location" varchar(100), "AboutMe" text, "Views" integer NOT NULL DEFAULT 0,
    "UpVotes" integer NOT NULL DEFAULT 0, "EmailHash" char(32), "AccountId" integer
);
CREATE TABLE "Posts" (
    "Id" integer NOT NULL PRIMARY KEY, "PostTypeId" smallint NOT NULL, "AcceptedAnswerId" integer, "ParentId" integer, "CreationDate" timestamp(3) NOT NULL,
    "Score" integer, "ViewCount" integer, "Body" text, "OwnerUserId" integer, "OwnerDisplayName" varchar(40), "Title" varchar(250), "Tags" varchar(150),
    "ClosedDate" timestamp(3), "ContentLicense" varchar(12) NOT NULL DEFAULT 'CC BY-SA 4.0'
);
CREATE INDEX ON "Posts" ("OwnerUserId", "CreationDate" DESC);
CREATE INDEX ON "Posts" USING gin (to_tsvector('english', "Body"));
CREATE TABLE "Comments" (
    "Id" integer NOT NULL PRIMARY KEY, "PostId" integer NOT NULL REFERENCES "Posts" ("Id") DEFERRABLE INITIALLY DEFERRED, "Score" integer NOT NULL,
    "Text" varchar(600) NOT NULL, "CreationDate" timestamp(3) NOT NULL, "UserDisplayName" varchar(40), "UserId" integer
);
CREATE TABLE "Votes" (
    "Id" integer NOT NULL PRIMARY KEY, "PostId" integer NOT NULL, "VoteTypeId" smallint NOT NULL, "UserId" integer, "CreationDate" timestamp(3), "BountyAmount" integer
);
CREATE TABLE "PostHistory" (
    "Id" bigint NOT NULL PRIMARY KEY, "PostHistoryTypeId" smallint NOT NULL, "PostId" integer NOT NULL, "RevisionGUID" uuid NOT NULL,
    "CreationDate" timestamp(3) NOT NULL, "Comment" varchar(400), "Text" text
);
CREATE TABLE "Badges" ("Id" integer NOT NULL PRIMARY KEY, "UserId" integer NOT NULL, "Name" varchar(50) NOT NULL, "Class" smallint NOT NULL, "TagBased" bit(1) NOT NULL);

INSERT INTO "Users" VALUES (-1, 1, '2008-07-31 00:00:00', 'Community', '2008-08-26 00:16:53.81', 'https://example.com/', 'on the server farm',
        E'<p>Hi, I''m not really a person.</p>\n\n<p>&amp;lt; \\n</p>', 649, 0, NULL, -1),
    (1, 2147483647, '2008-07-31 14:22:31.287', 'Jeff 🦄 "A" <b>', '9999-12-31 23:59:59.999', '', E'El Cerrito,\tCA', '', 0, 3397, 'a007be5a61f6aa8f3e85ae2fc18dd66e', 1);
INSERT INTO "Posts" ("Id", "PostTypeId", "AcceptedAnswerId", "ParentId", "CreationDate", "Score", "ViewCount", "Body", "OwnerUserId", "Title", "Tags") VALUES
    (4, 1, 7, NULL, '2008-07-31 21:42:52.667', -3, 56431, E'<p>I want to use a <code>Track-Bar</code>\r\n to change</p>', 1, 'How to convert a Decimal to a Double?', '<c#><type-conversion>'),
    (7, 2, NULL, 4, '2008-07-31 22:17:57.883', NULL, NULL, NULL, 9999999, NULL, NULL);
INSERT INTO "Comments" VALUES (10, 7, 0, repeat('é', 600), '2008-09-06 08:07:10.73', NULL, 1), (12, 4, 27, ' ', '2008-09-06 08:14:00', 'user1', NULL);
INSERT INTO "Votes" VALUES (1, 4, 2, NULL, '2008-07-31', NULL), (2, 999, 8, 1, NULL, 50);
INSERT INTO "PostHistory" VALUES (9223372036854775807, 2, 4, '00000000-0000-0000-0000-000000000000', '2008-07-31', NULL, E'a\fb'), (1, 2, 4, 'A3B5C7D9-0000-4000-8000-00000000ABCD', '2008-07-31', '', '');
INSERT INTO "Badges" VALUES (82946, 1, 'Teacher', 3, B'0'), (82947, -1, 'c++', 1, B'1');
