-- Documents whose vector is missing, or was made by another model or of another content, in batches of texts of like
-- length, so that little of a batch is padding.
CREATE TEMP TABLE batches AS
WITH numbered AS (
    SELECT id, content, now, (row_number() OVER (ORDER BY length(content), id) - 1) AS n, count(*) OVER () AS total
    FROM to_embed
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
SELECT _key, _key, 'skip', 'no_content', '' FROM state WHERE content IS NULL OR trim(content) = ''
UNION ALL
-- Of a text longer than the model sees, the end is lost, whichever run has embedded it. A token is a byte or more, so most
-- texts need not be counted.
SELECT _key, _key, 'warning', 'truncated', 'the model sees 256 tokens of a text; the last ' || lost || ' of this one are lost'
FROM (
    SELECT unnest(keys) AS _key, unnest(from_json(CAST(lost_batch(CAST(to_json(texts) AS VARCHAR)) AS JSON), '["BIGINT"]')) AS lost
    FROM (
        SELECT list(_key ORDER BY n) AS keys, list(content ORDER BY n) AS texts
        FROM (
            SELECT _key, content, row_number() OVER (ORDER BY _key) AS n FROM state
            WHERE wanted AND trim(content) <> '' AND strlen(content) > 254
        )
        GROUP BY (n - 1) // 500
    )
)
WHERE lost > 0;
