DROP TABLE runs;
DROP FUNCTION runs_go_one_way;
DELETE FROM contents WHERE digest NOT IN (SELECT digest FROM scenario_versions);
