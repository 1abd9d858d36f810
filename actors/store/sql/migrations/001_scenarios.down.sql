DROP TABLE scenario_versions, scenarios, contents;
DROP FUNCTION announce_scenario, refuse_change;
