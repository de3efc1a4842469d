SELECT coalesce(status, '') AS status, count(*) AS assignments FROM check_in_assignments GROUP BY 1
