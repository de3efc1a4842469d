-- Rows that a store would not remove (plan/irremovable.py).

-- name: removed
-- Of a partition's plan, the rows that it removes, as they were when they were read: what their removal is conditioned on.
SELECT $columns FROM $plan WHERE $verb = 'remove'

-- name: told
-- A warning about each of them, with what holds it in place.
'cannot be removed, and is left alone: ' || $stuck.reason
