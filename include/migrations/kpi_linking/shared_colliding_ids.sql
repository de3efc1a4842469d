-- Rule 4: the ids that a later phase's legacy table shares with an earlier one's, rejected rows and rows outside the
-- window included, and which earlier table holds each first. Semi-joins, so that only the colliding ids are kept.
SELECT 'purposepath-kpi-actuals' AS legacy_table, a.id, 'purposepath-kpi-milestones' AS held_by
FROM kpi_actuals a
SEMI JOIN kpi_milestones m ON m.id = a.id
UNION ALL
SELECT 'purposepath-kpi-readings', r.id, 'purposepath-kpi-milestones'
FROM kpi_readings r
SEMI JOIN kpi_milestones m ON m.id = r.id
UNION ALL
SELECT 'purposepath-kpi-readings', r.id, 'purposepath-kpi-actuals'
FROM kpi_readings r
SEMI JOIN kpi_actuals a ON a.id = r.id
ANTI JOIN kpi_milestones m ON m.id = r.id;
