CREATE VIEW rows AS
SELECT
    f.film_id,
    -- lists in one order, so that the same film is the same document tomorrow
    json_object(
        'title', f.title,
        'actors', coalesce(
            (SELECT list(a.name ORDER BY a.name, a.actor_id)
             FROM film_actor c JOIN actor a USING (actor_id) WHERE c.film_id = f.film_id), []),
        'categories', coalesce(
            (SELECT list(c.category ORDER BY c.category) FROM film_category c WHERE c.film_id = f.film_id), [])
    ) AS document,
    f._key AS _source
FROM film f;

CREATE VIEW findings AS
SELECT DISTINCT f._key AS _source, f._key AS key, 'warning' AS severity, 'unknown_actor' AS code,
    'actor ' || c.actor_id || ' is not there and was left out' AS message
FROM film f JOIN film_actor c USING (film_id)
WHERE NOT EXISTS (FROM actor a WHERE a.actor_id = c.actor_id);
