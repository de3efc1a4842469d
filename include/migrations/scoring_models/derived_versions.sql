-- The registry of the code, as rows.
SELECT version, effective_from, definition, checksum FROM model_versions
