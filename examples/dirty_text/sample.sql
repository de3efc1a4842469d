CREATE TABLE orders_legacy (order_no text PRIMARY KEY, email text, total text, placed_on text, status text);
INSERT INTO orders_legacy VALUES
    ('O-1', ' Ada@Example.COM ', '1.234,50 EUR', '2021-12-31', 'OPEN'), ('O-2', 'bob@example.com', '7.25 USD', '31.12.2021', 'Canceled '),
    ('O-3', '  ', '5,00 EUR', '12/31/2021', 'open'), ('O-4', 'eve@example.com', 'tbd', '31.12.2021', 'open'),
    ('O-5', 'eve@example.com', '5,00 EUR', 'soon', '???');
