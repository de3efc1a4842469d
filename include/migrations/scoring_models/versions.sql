-- Phase versions: the registry of the code, a row for each published version. One that is stored is kept as it is; that
-- it is the same is a matter of the suite.
CREATE OR REPLACE TEMP VIEW rows AS
SELECT version, effective_from, definition, checksum, version AS _source FROM published;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT '' AS _source, '' AS key, '' AS severity, '' AS code, '' AS message WHERE false;
