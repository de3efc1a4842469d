-- What an approval of the cost is bound to.
CREATE TEMP VIEW paid AS SELECT id, now AS content_sha256, 'all-MiniLM-L6-v2' AS model FROM to_embed;
