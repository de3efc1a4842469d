CREATE VIEW rows AS
SELECT id, lower(split_part(mail, '@', 2)) AS mail_domain, _key AS _source
FROM users
WHERE mail LIKE '%_@_%';

CREATE VIEW findings AS
SELECT _key AS _source, _key AS key, 'skip' AS severity, 'no_address' AS code, '' AS message
FROM users
WHERE mail IS NULL OR mail NOT LIKE '%_@_%';
