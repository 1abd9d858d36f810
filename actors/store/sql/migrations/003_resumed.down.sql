CREATE OR REPLACE FUNCTION runs_go_one_way() RETURNS trigger LANGUAGE plpgsql AS $$
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

ALTER TABLE runs DROP COLUMN resumed_at;
