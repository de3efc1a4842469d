-- What analytics read. Every row names the version that its scores are of.
CREATE OR REPLACE VIEW response_scores_as_recorded AS
SELECT id AS response_id, survey_id, submitted_at, scoring_model_version, index_score, band, dimension_scores
FROM survey_responses;

-- `score_under` reads the stored definition and gives what the registry (versions.py) gives,
-- digit for digit.

-- numerator / denominator (above 0) by a rule of rounding: `none`, or `half_even:<places>`. round(numeric) would round ties
-- away from zero, and a division of numerics cuts where it likes.
CREATE OR REPLACE FUNCTION score_rounded(numerator numeric, denominator numeric, rule text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    scaled text := '1e' || greatest(scale(numerator), scale(denominator));
    n numeric := trunc(abs(numerator) * scaled::numeric);
    d numeric := trunc(denominator * scaled::numeric);
    common numeric := gcd(n, d);
    rest numeric;
    twos integer := 0;
    fives integer := 0;
    places integer;
    quotient numeric;
    twice_left numeric;
BEGIN
    n := div(n, common);
    d := div(d, common);
    IF rule = 'none' THEN
        rest := d;
        WHILE mod(rest, 2) = 0 LOOP rest := div(rest, 2); twos := twos + 1; END LOOP;
        WHILE mod(rest, 5) = 0 LOOP rest := div(rest, 5); fives := fives + 1; END LOOP;
        IF rest = 1 THEN  -- it ends: exact
            places := greatest(twos, fives);
        ELSE  -- 34 significant digits
            places := 34 - length(n::text) + length(d::text);
            IF length(div(n * ('1e' || greatest(places, 0))::numeric, d * ('1e' || greatest(-places, 0))::numeric)::text) > 34
            THEN
                places := places - 1;
            END IF;
        END IF;
    ELSIF rule ~ '^half_even:(0|[1-9][0-9]?|100)$' THEN
        places := split_part(rule, ':', 2);
    ELSE
        RAISE EXCEPTION 'score_under knows no rounding %; run the migration scoring_models', rule;
    END IF;
    n := n * ('1e' || greatest(places, 0))::numeric;
    d := d * ('1e' || greatest(-places, 0))::numeric;
    quotient := div(n, d);
    twice_left := 2 * (n - quotient * d);
    IF twice_left > d OR (twice_left = d AND mod(quotient, 2) = 1) THEN
        quotient := quotient + 1;
    END IF;
    RETURN trim_scale(sign(numerator) * quotient * ('1e' || -places)::numeric);
END $$;

-- The index and the band of a response under a version, by its dimension scores: those that are no number are absent. Both
-- null where it has none of the version's dimensions, or the version's rules refuse it.
CREATE OR REPLACE FUNCTION score_under(version text, dimension_scores jsonb, OUT index_score numeric, OUT band text)
LANGUAGE plpgsql STABLE COST 2000 AS $$
DECLARE
    model jsonb := (SELECT v.definition FROM scoring_model_versions v WHERE v.version = $1);
    rules jsonb := model -> 'calculation_rules';
    weights numeric[];
    scores numeric[];
    absent integer;
BEGIN
    IF model IS NULL THEN
        RAISE EXCEPTION 'there is no scoring model % in scoring_model_versions', version;
    END IF;
    SELECT array_agg(w.value::numeric ORDER BY s.score) FILTER (WHERE s.score IS NOT NULL),
        array_agg(s.score ORDER BY s.score) FILTER (WHERE s.score IS NOT NULL),
        count(*) FILTER (WHERE s.score IS NULL)
    INTO weights, scores, absent
    FROM jsonb_each_text(model -> 'weights') w
    CROSS JOIN LATERAL (
        SELECT CASE WHEN jsonb_typeof(dimension_scores -> w.key) = 'number'
            THEN (dimension_scores ->> w.key)::numeric END AS score
    ) s;
    IF scores IS NULL OR (absent > 0 AND rules ->> 'absent_dimensions' = 'refuse') THEN
        RETURN;
    END IF;
    IF rules ->> 'absent_dimensions' = 'zero' THEN
        SELECT array_agg(w.weight ORDER BY w.score), array_agg(w.score ORDER BY w.score)
        INTO weights, scores
        FROM (
            SELECT unnest(weights) AS weight, unnest(scores) AS score
            UNION ALL
            SELECT value::numeric, 0 FROM jsonb_each_text(model -> 'weights')
            WHERE jsonb_typeof(dimension_scores -> key) IS DISTINCT FROM 'number'
        ) w;
    END IF;
    CASE rules ->> 'index'
        WHEN 'weighted_mean' THEN
            SELECT score_rounded(sum(w * s), sum(w), rules ->> 'rounding') INTO index_score FROM unnest(weights, scores) u (w, s);
        WHEN 'median' THEN
            index_score := score_rounded(
                scores[(cardinality(scores) + 1) / 2] + scores[cardinality(scores) / 2 + 1], 2, rules ->> 'rounding'
            );
        WHEN 'minimum' THEN
            index_score := score_rounded(scores[1], 1, rules ->> 'rounding');
        ELSE
            RAISE EXCEPTION 'score_under knows no index % of scoring model %; run the migration scoring_models',
                rules ->> 'index', version;
    END CASE;
    SELECT b.value ->> 'name' INTO band
    FROM jsonb_array_elements(model -> 'bands') WITH ORDINALITY b (value, place)
    WHERE index_score >= (b.value ->> 'minimum')::numeric
    ORDER BY b.place LIMIT 1;
END $$;

-- The function of the first release had no column `rescored`; what a function returns cannot be replaced.
DO $$
BEGIN
    IF pg_get_function_result(to_regprocedure('response_scores_under(text)')) NOT LIKE '%rescored%' THEN
        DROP FUNCTION response_scores_under(text);
    END IF;
END $$;

-- Every response under that version: as it was recorded, where it is stamped with it; else as it was scored again, by a run
-- (`response_scores`) or here.
CREATE OR REPLACE FUNCTION response_scores_under(version text)
RETURNS TABLE (
    response_id uuid, scoring_model_version varchar(20), index_score numeric, band text, dimension_scores jsonb,
    rescored boolean
)
LANGUAGE sql STABLE AS $$
    SELECT r.id, r.scoring_model_version, r.index_score, r.band, r.dimension_scores, false
    FROM survey_responses r WHERE r.scoring_model_version = $1
    UNION ALL
    SELECT s.response_id, s.scoring_model_version, s.index_score, s.band, s.dimension_scores, true
    FROM response_scores s JOIN survey_responses r ON r.id = s.response_id
    WHERE s.scoring_model_version = $1 AND r.scoring_model_version IS DISTINCT FROM $1
    UNION ALL
    SELECT r.id, $1::varchar(20), u.index_score, u.band, r.dimension_scores, true
    FROM survey_responses r CROSS JOIN LATERAL score_under($1, r.dimension_scores) u
    WHERE r.scoring_model_version IS DISTINCT FROM $1
      AND NOT EXISTS (SELECT FROM response_scores s WHERE s.response_id = r.id AND s.scoring_model_version = $1)
$$;
