-- The shape of TPC-H: keys of two columns, all of them with a prefix of the table, char filled with blanks, money as numeric(15,2), dates,
-- foreign keys over two columns; a table that is parted by range of dates, and one by hash.
CREATE TABLE region (r_regionkey integer NOT NULL PRIMARY KEY, r_name char(25) NOT NULL, r_comment varchar(152));
CREATE TABLE nation (n_nationkey integer NOT NULL PRIMARY KEY, n_name char(25) NOT NULL, n_regionkey integer NOT NULL REFERENCES region, n_comment varchar(152));
CREATE TABLE part (
    p_partkey bigint NOT NULL PRIMARY KEY, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL, p_size integer NOT NULL, p_container char(10) NOT NULL,
    p_retailprice numeric(15,2) NOT NULL, p_comment varchar(23) NOT NULL
);
CREATE TABLE supplier (
    s_suppkey bigint NOT NULL PRIMARY KEY, s_name char(25) NOT NULL, s_nationkey integer NOT NULL REFERENCES nation, s_phone char(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL
);
CREATE TABLE partsupp (
    ps_partkey bigint NOT NULL REFERENCES part, ps_suppkey bigint NOT NULL REFERENCES supplier, ps_availqty integer NOT NULL, ps_supplycost numeric(15,2) NOT NULL,
    PRIMARY KEY (ps_partkey, ps_suppkey)
);
CREATE TABLE orders (
    o_orderkey bigint NOT NULL, o_orderstatus char(1) NOT NULL, o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL,
    o_shippriority integer NOT NULL, PRIMARY KEY (o_orderkey, o_orderdate)
) PARTITION BY RANGE (o_orderdate);
CREATE TABLE orders_1992 PARTITION OF orders FOR VALUES FROM ('1992-01-01') TO ('1993-01-01');
CREATE TABLE orders_other PARTITION OF orders DEFAULT;
CREATE TABLE lineitem (
    l_orderkey bigint NOT NULL, l_linenumber integer NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, l_quantity numeric(15,2) NOT NULL,
    l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_shipdate date NOT NULL, l_shipinstruct char(25) NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber), FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp
) PARTITION BY HASH (l_orderkey);
CREATE TABLE lineitem_0 PARTITION OF lineitem FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE lineitem_1 PARTITION OF lineitem FOR VALUES WITH (MODULUS 2, REMAINDER 1);

INSERT INTO region VALUES (0, 'AFRICA', 'lar deposits. blithely final '), (1, '', NULL);
INSERT INTO nation VALUES (0, 'ALGERIA', 0, ' haggle. carefully'), (24, 'UNITED STATES', 1, '');
INSERT INTO part VALUES (1, 'goldenrod lavender spring', 'Manufacturer#1', 7, 'JUMBO PKG', 901.00, 'ly. slyly ironi'), (9223372036854775807, '', '', -1, 'LG CASE', -0.01, ' ');
INSERT INTO supplier VALUES (1, 'Supplier#000000001', 24, '27-918-335-1736', 5755.94), (2, 'Supplier#000000002', 0, '15-679-861-2259', -9999999999999.99);
INSERT INTO partsupp VALUES (1, 1, 3325, 771.64), (1, 2, 0, 993.49), (9223372036854775807, 2, 2147483647, 0);
INSERT INTO orders VALUES (1, 'O', 173665.47, '1996-01-02', '5-LOW', 0), (1, 'F', 0.00, '1992-12-31', '1-URGENT', 0), (7, 'P', 9999999999999.99, '1992-01-01', '', 2);
INSERT INTO lineitem VALUES (1, 1, 1, 1, 17, 21168.23, 0.04, 'N', '1996-03-13', 'DELIVER IN PERSON'), (1, 2, 1, 2, 36.5, 45983.16, 0.09, 'R', '0001-01-01', 'NONE'),
    (2, 1, 9223372036854775807, 2, 0, -1, 0, ' ', '1992-02-29', '');
