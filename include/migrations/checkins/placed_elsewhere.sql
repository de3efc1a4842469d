-- Responses whose assignmentId is the id of an assignment of another series. Those of the same series lie in one
-- partition with it and need no look-up.
SELECT r.id
FROM form_responses r
JOIN check_in_assignments a ON a.id = r.assignmentId
WHERE (r.clientId, r.formId) IS DISTINCT FROM (a.clientId, a.formId)
