-- An older version would take the other kinds for runs, and their plans for scenarios. Their folders stay.

DELETE FROM runs WHERE kind <> 'run';
DELETE FROM contents WHERE digest NOT IN (SELECT digest FROM runs) AND digest NOT IN (SELECT digest FROM scenario_versions);

ALTER TABLE runs DROP COLUMN kind, DROP COLUMN detail;
