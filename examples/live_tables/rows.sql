CREATE VIEW rows AS
SELECT id, lower(mail) AS mail, plan AS tariff, _key AS _source FROM accounts;
