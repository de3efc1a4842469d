CREATE TABLE carts (id bigint PRIMARY KEY, customer text, lines jsonb);
INSERT INTO carts VALUES
    (1, 'Ada', '[{"article": "pen", "quantity": 2}, {"article": "ink", "quantity": 1}]'),
    (2, 'Grace', '[]');
