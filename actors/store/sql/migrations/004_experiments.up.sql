-- Experiments, comparisons and searches are rows of `runs` too. `contents` then holds the plan and its hash.

ALTER TABLE runs
    ADD COLUMN kind text NOT NULL DEFAULT 'run' CHECK (kind IN ('run', 'experiment', 'comparison', 'optimisation')),
    ADD COLUMN detail jsonb;                                        -- points, replications, widest interval, time left

CREATE INDEX runs_by_kind ON runs (kind, created_at DESC);
