-- Runs: what was requested, their progress and their results.

CREATE TABLE runs (
    id uuid PRIMARY KEY,
    name text,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'resumable')),
    scenario text NOT NULL,
    source text NOT NULL CHECK (source IN ('built-in', 'stored', 'file')),
    scenario_version integer CHECK ((scenario_version IS NOT NULL) = (source = 'stored')),
    digest text NOT NULL REFERENCES contents,                       -- the scenario with all overrides
    seed bigint NOT NULL,
    replication integer NOT NULL,
    settings jsonb NOT NULL,                                        -- formats, compression, workers, ...
    who text NOT NULL,
    output text NOT NULL,
    version text NOT NULL,                                          -- of goldenhour
    phase text NOT NULL DEFAULT 'waiting',
    patients bigint NOT NULL DEFAULT 0,
    expected bigint,
    fraction real NOT NULL DEFAULT 0,
    rate real NOT NULL DEFAULT 0,                                   -- patients per second
    bytes bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    heartbeat timestamptz NOT NULL DEFAULT now(),
    cancelled_by text,                                              -- who asked for it; set before the state changes
    error text,
    measures jsonb
);

CREATE INDEX runs_by_time ON runs (created_at DESC);
CREATE INDEX runs_by_name ON runs (name) WHERE name IS NOT NULL;
CREATE INDEX runs_alive ON runs (heartbeat) WHERE state IN ('queued', 'running');

CREATE FUNCTION runs_go_one_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (CASE OLD.state
        WHEN 'queued' THEN NEW.state IN ('running', 'succeeded', 'failed', 'cancelled', 'resumable')
        WHEN 'running' THEN NEW.state IN ('succeeded', 'failed', 'cancelled', 'resumable')
        WHEN 'resumable' THEN NEW.state IN ('running', 'succeeded', 'failed', 'cancelled')
        ELSE false
    END) THEN
        RAISE EXCEPTION 'run % is % and cannot become %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'GH002';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER runs_one_way BEFORE UPDATE ON runs
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION runs_go_one_way();
