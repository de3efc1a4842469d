-- Phase rescore: every stamped response once more under the version that the run asks for, beside the original.
CREATE OR REPLACE TEMP TABLE rescored AS
SELECT
    r.id,
    p.value AS version,
    rescored_index(t.scoring_model_version, p.value, r.dimension_scores, r.index_score, r.band) AS index_score,
    rescored_band(t.scoring_model_version, p.value, r.dimension_scores, r.index_score, r.band) AS band,
    rescored_dimensions(t.scoring_model_version, p.value, r.dimension_scores, r.index_score, r.band) AS dimension_scores
FROM responses r
JOIN survey_responses t ON t.id = r.id
JOIN params p ON p.id = 'rescore_to' AND p.value IS NOT NULL;

CREATE OR REPLACE TEMP VIEW rows AS
SELECT
    id AS response_id,
    version AS scoring_model_version,
    index_score,
    band,
    dimension_scores,
    id AS _source
FROM rescored
WHERE index_score IS NOT NULL;

CREATE OR REPLACE TEMP VIEW findings AS
SELECT
    id AS _source, id AS key, 'skip' AS severity,
    CASE WHEN (SELECT value FROM params WHERE id = 'rescore_to') IS NULL THEN 'not_asked_for' ELSE 'not_stamped' END AS code,
    '' AS message
FROM responses r
ANTI JOIN rescored s ON s.id = r.id
UNION ALL
SELECT id, id, 'reject', 'no_index', 'Response ' || id || ' has no index under model ' || version
    || ': it has none of its own, and no score in a dimension of that model. Nothing is written for it there.'
FROM rescored
WHERE index_score IS NULL;
