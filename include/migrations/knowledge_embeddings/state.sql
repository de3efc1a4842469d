-- Documents, and whether each has its vector: by this model, of this content.
CREATE TEMP VIEW state AS
SELECT _key, id, content, sha256(content) AS now, in_window(uploaded_at) AS wanted,
    embedding IS NOT NULL AND embedding_model IS NOT DISTINCT FROM 'all-MiniLM-L6-v2'
        AND content_sha256 IS NOT DISTINCT FROM sha256(content) AS done
FROM documents;
CREATE TEMP VIEW to_embed AS SELECT * FROM state WHERE wanted AND NOT done AND trim(content) <> '';

-- What it takes.
CREATE TEMP VIEW figures AS
SELECT 'texts to embed' AS name, count(*) AS value FROM to_embed
UNION ALL
SELECT 'tokens to embed', coalesce(sum(CAST(count_tokens(content) AS BIGINT)), 0) FROM to_embed;
