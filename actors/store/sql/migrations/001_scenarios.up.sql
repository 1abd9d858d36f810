-- Scenarios: their names, their immutable versions, and the texts of these.

CREATE TABLE contents (
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),      -- SHA-256 of format and text
    format text NOT NULL CHECK (format IN ('toml', 'json')),
    text text NOT NULL,
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$')              -- of the scenario: engine.scenario.scenario_hash
);

CREATE TABLE scenarios (
    name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 200),
    head integer NOT NULL CHECK (head >= 1),
    deleted_at timestamptz
);

CREATE TABLE scenario_versions (
    name text NOT NULL REFERENCES scenarios,
    version integer NOT NULL CHECK (version >= 1),
    parent integer CHECK (parent < version),
    digest text NOT NULL REFERENCES contents,
    author text NOT NULL,
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version),
    FOREIGN KEY (name, parent) REFERENCES scenario_versions (name, version)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'GH001';
END $$;

CREATE TRIGGER contents_never_change BEFORE UPDATE ON contents
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER versions_never_change BEFORE UPDATE OR DELETE ON scenario_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION announce_scenario() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('goldenhour_changes', json_build_object(
        'kind', 'scenario', 'name', NEW.name, 'hash', (
            SELECT hash FROM scenario_versions JOIN contents USING (digest)
            WHERE name = NEW.name AND version = NEW.head AND NEW.deleted_at IS NULL
        ))::text);
    RETURN NULL;
END $$;

-- Deferred: at commit the version that a new head points to exists.
CREATE CONSTRAINT TRIGGER scenarios_announced AFTER INSERT OR UPDATE ON scenarios
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_scenario();
