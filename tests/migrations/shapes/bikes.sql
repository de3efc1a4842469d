-- The shape of a maker of bicycles' database, as AdventureWorks has it: schemas, domains with checks, xml, uuid with a
-- default, money as numeric, times, a composite key with a timestamp, a hierarchy as text, computed columns.
CREATE SCHEMA person;
CREATE SCHEMA production;
CREATE SCHEMA sales;
CREATE SCHEMA humanresources;
CREATE DOMAIN "AccountNumber" varchar(15);
CREATE DOMAIN "Flag" boolean NOT NULL;
CREATE DOMAIN "NameStyle" boolean NOT NULL;
CREATE DOMAIN "Name" varchar(50);
CREATE DOMAIN "OrderNumber" varchar(25);
CREATE DOMAIN "Phone" varchar(25);
CREATE TABLE person.businessentity (
    businessentityid serial NOT NULL PRIMARY KEY, rowguid uuid NOT NULL DEFAULT gen_random_uuid(), modifieddate timestamp NOT NULL DEFAULT now()
);
CREATE TABLE person.person (
    businessentityid int NOT NULL PRIMARY KEY REFERENCES person.businessentity, persontype char(2) NOT NULL CHECK (upper(persontype) IN ('SC', 'EM')),
    namestyle "NameStyle" NOT NULL DEFAULT false, title varchar(8), firstname "Name" NOT NULL, middlename "Name", lastname "Name" NOT NULL,
    emailpromotion int NOT NULL DEFAULT 0, additionalcontactinfo xml, demographics xml, rowguid uuid NOT NULL DEFAULT gen_random_uuid(),
    modifieddate timestamp NOT NULL DEFAULT now()
);
CREATE TABLE humanresources.shift (
    shiftid serial PRIMARY KEY, name "Name" NOT NULL, starttime time NOT NULL, endtime time NOT NULL, modifieddate timestamp NOT NULL DEFAULT now()
);
CREATE TABLE humanresources.employee (
    businessentityid int NOT NULL PRIMARY KEY REFERENCES person.person, nationalidnumber varchar(15) NOT NULL, loginid varchar(256) NOT NULL,
    jobtitle varchar(50) NOT NULL, birthdate date NOT NULL, maritalstatus char(1) NOT NULL, gender char(1) NOT NULL, hiredate date NOT NULL,
    salariedflag "Flag" NOT NULL DEFAULT true, vacationhours smallint NOT NULL DEFAULT 0, currentflag "Flag" NOT NULL DEFAULT true,
    organizationnode varchar DEFAULT '/'
);
CREATE TABLE humanresources.employeepayhistory (
    businessentityid int NOT NULL, ratechangedate timestamp NOT NULL, rate numeric NOT NULL, payfrequency smallint NOT NULL,
    PRIMARY KEY (businessentityid, ratechangedate)
);
CREATE TABLE production.document (
    title varchar(50) NOT NULL, owner int NOT NULL, folderflag "Flag" NOT NULL DEFAULT false, filename varchar(400) NOT NULL, fileextension varchar(8),
    revision char(5) NOT NULL, changenumber int NOT NULL DEFAULT 0, status smallint NOT NULL, documentsummary text, document bytea,
    rowguid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), documentnode varchar NOT NULL DEFAULT '/' PRIMARY KEY
);
CREATE TABLE production.billofmaterials (
    billofmaterialsid serial PRIMARY KEY, productassemblyid int, componentid int NOT NULL, startdate timestamp NOT NULL DEFAULT now(), enddate timestamp,
    unitmeasurecode char(3) NOT NULL, bomlevel smallint NOT NULL, perassemblyqty numeric(8,2) NOT NULL DEFAULT 1.00
);
CREATE TABLE production.productphoto (
    productphotoid serial PRIMARY KEY, thumbnailphoto bytea, thumbnailphotofilename varchar(50), largephoto bytea, modifieddate timestamp NOT NULL DEFAULT now()
);
CREATE TABLE sales.salesorderheader (
    salesorderid serial PRIMARY KEY, revisionnumber smallint NOT NULL DEFAULT 0, orderdate timestamp NOT NULL DEFAULT now(), duedate timestamp NOT NULL,
    shipdate timestamp, onlineorderflag "Flag" NOT NULL DEFAULT true, purchaseordernumber "OrderNumber", accountnumber "AccountNumber",
    currencyrateid int, subtotal numeric NOT NULL DEFAULT 0.00, taxamt numeric NOT NULL DEFAULT 0.00, freight numeric NOT NULL DEFAULT 0.00,
    totaldue numeric, comment varchar(128), rowguid uuid NOT NULL DEFAULT gen_random_uuid(), CHECK (duedate >= orderdate)
);
CREATE TABLE sales.salesorderdetail (
    salesorderid int NOT NULL REFERENCES sales.salesorderheader ON DELETE CASCADE, salesorderdetailid serial NOT NULL, orderqty smallint NOT NULL,
    unitprice numeric NOT NULL, unitpricediscount numeric NOT NULL DEFAULT 0.0,
    linetotal numeric GENERATED ALWAYS AS (unitprice * (1.0 - unitpricediscount) * orderqty) STORED, PRIMARY KEY (salesorderid, salesorderdetailid)
);
CREATE TABLE sales.prices (id int PRIMARY KEY, price money);
CREATE VIEW sales.prices_as_numbers AS SELECT id, price::numeric AS price FROM sales.prices;
CREATE VIEW person.emails AS SELECT businessentityid AS id, lower(lastname) || '@example.com' AS email FROM person.person;

INSERT INTO person.businessentity (rowguid, modifieddate) SELECT gen_random_uuid(), '2014-03-31' FROM generate_series(1, 3);
INSERT INTO person.person (businessentityid, persontype, title, firstname, middlename, lastname, demographics) VALUES
    (1, 'EM', NULL, 'Ken', 'J', 'Sánchez', NULL),
    (2, 'SC', 'Ms.', 'Terri', NULL, 'Duffy', NULL);
DO $$ BEGIN -- a server may be built without xml
    UPDATE person.person SET demographics = '<IndividualSurvey xmlns="http://example.com/s"><TotalPurchaseYTD>0</TotalPurchaseYTD></IndividualSurvey>'
    WHERE businessentityid = 1;
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
INSERT INTO humanresources.shift (name, starttime, endtime) VALUES ('Day', '07:00', '15:00:00.5'), ('Night', '23:00', '24:00');
INSERT INTO humanresources.employee VALUES (1, '295847284', 'adventure-works\ken0', 'CEO', '1969-01-29', 'S', 'M', '2009-01-14', true, 99, true, '/'),
    (2, '245797967', 'adventure-works\terri0', 'VP', '1971-08-01', 'M', 'F', '2008-01-31', false, -40, false, '/1/');
INSERT INTO humanresources.employeepayhistory VALUES (1, '2009-01-14', 125.50, 2), (2, '2008-01-31 00:00:00.000001', 63.4615, 2), (2, '2010-01-01', 1e-20, 1);
INSERT INTO production.document (title, owner, filename, revision, status, document, documentnode) VALUES
    ('Documents', 1, 'Documents', '0', 2, NULL, '/1/'), ('Crank', 1, 'Crank.doc', '3', 1, '\xd0cf11e0a1b11ae1', '/1/2/');
INSERT INTO production.billofmaterials (productassemblyid, componentid, enddate, unitmeasurecode, bomlevel) VALUES (NULL, 749, NULL, 'EA ', 0), (749, 2, '2011-01-01', 'CM', 1);
INSERT INTO production.productphoto (thumbnailphoto, thumbnailphotofilename, largephoto) VALUES ('\x474946383961', 'a.gif', '\x00'), (NULL, NULL, NULL);
INSERT INTO sales.salesorderheader (orderdate, duedate, purchaseordernumber, subtotal, taxamt, totaldue) VALUES
    ('2011-05-31', '2011-06-12', 'PO522145787', 20565.6206, 1971.5149, NULL), ('2011-05-31', '2011-05-31', NULL, 0, 0.00, 23153.2339);
INSERT INTO sales.salesorderdetail (salesorderid, orderqty, unitprice, unitpricediscount) VALUES (1, 1, 2024.994, 0), (1, 3, 5.7, 0.02), (2, 1, 0, 0);
INSERT INTO sales.prices VALUES (1, 12.50), (2, -0.01);
