-- Documents whose vector is missing, or was made by another model or of another content, in batches of texts of like
-- length, so that little of a batch is padding.
CREATE TEMP VIEW state AS
SELECT _key, id, content, sha256(content) AS now,
    embedding IS NOT NULL AND embedding_model IS NOT DISTINCT FROM 'all-MiniLM-L6-v2'
        AND content_sha256 IS NOT DISTINCT FROM sha256(content) AS done
FROM documents;

CREATE TEMP TABLE batches AS
WITH numbered AS (
    SELECT id, content, now, (row_number() OVER (ORDER BY length(content), id) - 1) AS n, count(*) OVER () AS total
    FROM state WHERE NOT done AND trim(content) <> ''
),
grouped AS (
    SELECT n // 32 AS batch, list(id ORDER BY n) AS ids, list(now ORDER BY n) AS hashes, list(content ORDER BY n) AS texts,
        greatest(any_value(total) - max(n) - 1, 0) AS left_over
    FROM numbered GROUP BY 1 ORDER BY 1
)
SELECT ids, hashes, from_json(CAST(embed_batch(CAST(to_json(texts) AS VARCHAR), CAST(left_over AS VARCHAR)) AS JSON), '["VARCHAR"]') AS vectors
FROM grouped;

CREATE TEMP VIEW rows AS
SELECT unnest(ids) AS id, unnest(ids) AS _source, unnest(vectors) AS embedding, 'all-MiniLM-L6-v2' AS embedding_model,
    unnest(hashes) AS content_sha256
FROM batches;

CREATE TEMP VIEW findings AS
SELECT _key AS _source, _key AS key, 'keep' AS severity, 'embedded' AS code, '' AS message FROM state WHERE done AND trim(content) <> ''
UNION ALL
SELECT _key, _key, 'skip', 'no_content', '' FROM state WHERE content IS NULL OR trim(content) = '';

-- What the plan costs.
CREATE TEMP VIEW figures AS
SELECT 'texts to embed' AS name, count(*) AS value FROM state WHERE NOT done AND trim(content) <> ''
UNION ALL
SELECT 'tokens to embed', sum(CAST(count_tokens(content) AS BIGINT)) FROM state WHERE NOT done AND trim(content) <> '';
