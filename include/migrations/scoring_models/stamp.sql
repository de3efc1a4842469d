-- Phase stamp: each response gets the version that was in force when it was submitted. Nothing else of it changes.
CREATE OR REPLACE TEMP TABLE stamped AS
SELECT
    r.id,
    max_by(v.version, CAST(v.place AS INTEGER)) AS version
FROM responses r
LEFT JOIN surveys s ON s.id = r.survey_id
JOIN model_versions v
    ON r.submitted_at >= CAST(v.effective_from AS TIMESTAMPTZ)
    AND (v.opt_in = 'no' OR json_extract_string(s.scoring_config, '$.model') = v.version)
WHERE json_extract(r._mistyped, '$.submitted_at') IS NULL
GROUP BY r.id;

-- The band that the stamped model gives the stored index; none where there is no index, or it is below every band.
CREATE OR REPLACE TEMP TABLE band_of AS
SELECT r.id, min_by(b.band, CAST(b.place AS INTEGER)) AS band
FROM responses r
JOIN stamped t ON t.id = r.id
JOIN model_bands b ON b.version = t.version AND number_order(r.index_score) >= number_order(b.minimum)
GROUP BY r.id;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT r.id, t.version AS scoring_model_version, r.id AS _source
FROM responses r
JOIN stamped t ON t.id = r.id;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    r.id AS _source, r.id AS key, 'reject' AS severity,
    CASE WHEN json_extract(r._mistyped, '$.submitted_at') IS NOT NULL THEN 'bad_type'
        WHEN r.submitted_at IS NULL THEN 'no_submitted_at' ELSE 'before_first_model' END AS code,
    'Response ' || r.id || ' was submitted ' || coalesce('at ' || json_timestamp(r.submitted_at) || ', before the first scoring '
        || 'model was in force', 'at a time that cannot be read') || '; it gets no version, and while it is there '
        || 'survey_responses.scoring_model_version cannot be NOT NULL. Correct submitted_at, or move the response elsewhere.'
        AS message
FROM responses r
ANTI JOIN stamped t ON t.id = r.id
UNION ALL
SELECT
    r.id, r.id, 'warning', 'band_mismatch',
    'Response ' || r.id || ' is stored as ' || r.band || ', but model ' || t.version || ' gives its index '
        || coalesce(r.index_score, '(none)') || coalesce(' the band ' || b.band, ' no band')
        || '. The stored band stays. See which model it was really scored with.'
FROM responses r
JOIN stamped t ON t.id = r.id
LEFT JOIN band_of b ON b.id = r.id
WHERE r.band IS NOT NULL AND r.band IS DISTINCT FROM b.band;
