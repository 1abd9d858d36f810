-- A run that failed or was cancelled can be resumed: only then does its row return to `running`.

ALTER TABLE runs ADD COLUMN resumed_at timestamptz;                 -- when it was last resumed

CREATE OR REPLACE FUNCTION runs_go_one_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (CASE OLD.state
        WHEN 'queued' THEN NEW.state IN ('running', 'succeeded', 'failed', 'cancelled', 'resumable')
        WHEN 'running' THEN NEW.state IN ('succeeded', 'failed', 'cancelled', 'resumable')
        WHEN 'resumable' THEN NEW.state IN ('running', 'succeeded', 'failed', 'cancelled')
        WHEN 'succeeded' THEN false
        ELSE NEW.state = 'running' AND NEW.resumed_at IS DISTINCT FROM OLD.resumed_at
    END) THEN
        RAISE EXCEPTION 'run % is % and cannot become %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'GH002';
    END IF;
    RETURN NEW;
END $$;
