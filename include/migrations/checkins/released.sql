-- Assignments that lose their response, since that one is linked to another: they are open again. Only where links are mended.
SELECT a.id, a.responseId AS response, (a.clientId, a.formId) IS NOT DISTINCT FROM (r.clientId, r.formId) AS together
FROM assignments_here a
JOIN fates f ON f.id = a.responseId
JOIN responses_here r ON r.id = f.id
CROSS JOIN (SELECT value = 'mend' AS on FROM params WHERE id = 'relink') mending
WHERE mending.on AND f.fate = 'linked' AND f.in_run AND f.assignment_id <> a.id
    -- one that gets another response in its place is written with that
    AND a.id NOT IN (SELECT assignment_id FROM fates WHERE fate = 'linked' AND in_run)
    AND a.own
