-- All statements of the store except the migrations. The program finds each by its name.
-- Other programs may have written to the tables. Texts are therefore cut here, before they need memory, just beyond the
-- lengths that actors/store/rows.py allows. A row of an unknown kind is one of every kind, so that it can be found and removed.

-- name: lock_migrations
SELECT pg_advisory_xact_lock(4709417310)

-- name: prepare_migrations
CREATE SCHEMA IF NOT EXISTS goldenhour;
CREATE TABLE IF NOT EXISTS goldenhour.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: has_migrations
-- Not to_regclass: it may be out of date, from before the lock was granted (docs/platform.md section 3.4).
SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'goldenhour' AND tablename = 'migrations') AS found

-- name: applied_migrations
SELECT number, left(name, 201) AS name, applied_at FROM goldenhour.migrations ORDER BY number LIMIT 1000

-- name: enter_migration
INSERT INTO goldenhour.migrations (number, name) VALUES (%(number)s, %(name)s)

-- name: remove_migration
DELETE FROM goldenhour.migrations WHERE number = %(number)s

-- name: server
SELECT current_setting('server_version') AS version, current_database() AS database,
       pg_database_size(current_database()) AS bytes

-- name: counts
SELECT (SELECT count(*) FROM scenarios WHERE deleted_at IS NULL) AS scenarios,
       (SELECT count(*) FROM scenario_versions) AS versions,
       (SELECT count(*) FROM runs WHERE kind = 'run') AS runs,
       (SELECT count(*) FROM runs WHERE kind <> 'run') AS experiments

-- name: add_content
INSERT INTO contents (digest, format, text, hash) VALUES (%(digest)s, %(format)s, %(text)s, %(hash)s)
ON CONFLICT (digest) DO NOTHING

-- name: lock_scenario
INSERT INTO scenarios (name, head) VALUES (%(name)s, 1)
ON CONFLICT (name) DO UPDATE SET head = scenarios.head
RETURNING head, deleted_at IS NOT NULL AS deleted

-- name: digest_of_version
SELECT digest FROM scenario_versions WHERE name = %(name)s AND version = %(version)s

-- name: add_version
INSERT INTO scenario_versions (name, version, parent, digest, author, note)
VALUES (%(name)s, %(version)s, %(parent)s, %(digest)s, %(author)s, %(note)s)

-- name: move_head
UPDATE scenarios SET head = %(version)s, deleted_at = NULL WHERE name = %(name)s

-- name: scenario
-- Of a text beyond the largest scenario (engine.scenario.MAX_BYTES) just enough is read to refuse it.
SELECT name, version, parent, left(author, 10001) AS author, left(note, 10001) AS note, created_at, left(hash, 65) AS hash,
       left(format, 5) AS format, left(text, 4194305) AS text, head,
       deleted_at IS NOT NULL AS deleted
FROM scenarios JOIN scenario_versions v USING (name) JOIN contents USING (digest)
WHERE name = %(name)s
  AND CASE WHEN %(version)s::integer IS NULL THEN version = head AND deleted_at IS NULL
           ELSE version = %(version)s END

-- name: scenarios
SELECT left(name, 201) AS name, version, parent, left(author, 10001) AS author, left(note, 10001) AS note, created_at,
       left(hash, 65) AS hash, left(format, 5) AS format, head,
       CASE WHEN octet_length(text) <= 1000000 AND sum(octet_length(text)) OVER (ORDER BY octet_length(text), name) <= 64000000
            THEN text END AS text
FROM scenarios JOIN scenario_versions USING (name) JOIN contents USING (digest)
WHERE version = head AND deleted_at IS NULL
ORDER BY name LIMIT 10000

-- name: scenario_names
SELECT left(name, 201) AS name FROM scenarios ORDER BY name LIMIT 100000

-- name: history
SELECT version, parent, left(author, 10001) AS author, left(note, 10001) AS note, created_at, left(hash, 65) AS hash
FROM scenario_versions JOIN contents USING (digest)
WHERE name = %(name)s ORDER BY version LIMIT 10000

-- name: remove_scenario
UPDATE scenarios SET deleted_at = now() WHERE name = %(name)s AND deleted_at IS NULL RETURNING name

-- name: register_run
INSERT INTO runs (id, name, scenario, source, scenario_version, digest, seed, replication, settings, who, output,
                  version, expected, kind, detail)
VALUES (%(id)s, %(name)s, %(scenario)s, %(source)s, %(scenario_version)s, %(digest)s, %(seed)s, %(replication)s,
        %(settings)s, %(who)s, %(output)s, %(version)s, %(expected)s, %(kind)s,
        %(detail)s)
ON CONFLICT (id) DO UPDATE SET
    state = CASE WHEN runs.state = 'queued' THEN 'queued' ELSE 'running' END, phase = 'waiting', resumed_at = now(),
    heartbeat = now(), ended_at = NULL, error = NULL, cancelled_by = NULL, settings = excluded.settings, who = excluded.who
WHERE %(resumed)s AND runs.state <> 'succeeded'

-- name: beat
UPDATE runs SET
    state = CASE WHEN b.phase IN ('waiting', 'starting') AND runs.state = 'queued' THEN 'queued' ELSE 'running' END,
    started_at = CASE WHEN b.phase IN ('waiting', 'starting') THEN started_at ELSE coalesce(started_at, now()) END,
    phase = b.phase, patients = b.patients, expected = b.expected, fraction = b.fraction, rate = b.rate,
    bytes = b.bytes, detail = coalesce(b.detail, runs.detail), heartbeat = now(), error = NULL
FROM jsonb_to_recordset(%(beats)s) AS b (id uuid, phase text, patients bigint, expected bigint, fraction real,
                                         rate real, bytes bigint, detail jsonb)
WHERE runs.id = b.id AND runs.state IN ('queued', 'running', 'resumable')
RETURNING runs.id, left(runs.state, 20) AS state, left(runs.cancelled_by, 1001) AS cancelled_by

-- name: finish_run
UPDATE runs SET state = %(state)s, phase = 'ended', error = %(error)s, measures = %(measures)s,
    patients = coalesce(%(patients)s, patients), fraction = coalesce(%(fraction)s, fraction),
    rate = coalesce(%(rate)s, rate), bytes = coalesce(%(bytes)s, bytes), detail = coalesce(%(detail)s, detail),
    ended_at = now(), heartbeat = now(),
    started_at = CASE WHEN %(state)s = 'succeeded' THEN coalesce(started_at, created_at) ELSE started_at END
WHERE id = %(id)s AND state IN ('queued', 'running', 'resumable')
RETURNING state

-- name: run_state
SELECT left(state, 20) AS state, left(cancelled_by, 1001) AS cancelled_by FROM runs WHERE id = %(id)s

-- name: sweep
UPDATE runs SET state = 'resumable', phase = 'silent',
    error = 'no sign of life from its driver since ' || to_char(heartbeat AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
WHERE state IN ('queued', 'running') AND heartbeat < now() - make_interval(secs => %(seconds)s)

-- name: runs
SELECT id, left(kind, 20) AS kind, left(name, 201) AS name, left(state, 20) AS state, left(scenario, 10001) AS scenario,
       left(source, 20) AS source,
       scenario_version, left(hash, 65) AS hash, seed, replication,
       CASE WHEN octet_length(settings::text) <= 100000 THEN settings END AS settings, left(who, 10001) AS who,
       left(output, 4097) AS output, left(version, 10001) AS version, left(phase, 101) AS phase, patients, expected, fraction,
       rate, bytes, created_at, started_at, resumed_at, ended_at, heartbeat, left(cancelled_by, 10001) AS cancelled_by,
       left(error, 10000) AS error,
       CASE WHEN octet_length(detail::text) > 10000 THEN '"too large"' ELSE detail END AS detail
FROM runs JOIN contents USING (digest)
WHERE coalesce(kind, '') <> ALL(%(others)s) AND (%(state)s::text IS NULL OR state = %(state)s)
ORDER BY created_at DESC, id LIMIT %(limit)s

-- name: run
SELECT id, left(kind, 20) AS kind, left(name, 201) AS name, left(state, 20) AS state, left(scenario, 10001) AS scenario,
       left(source, 20) AS source,
       scenario_version, left(hash, 65) AS hash, seed, replication,
       CASE WHEN octet_length(settings::text) <= 100000 THEN settings END AS settings, left(who, 10001) AS who,
       left(output, 4097) AS output, left(version, 10001) AS version, left(phase, 101) AS phase, patients, expected, fraction,
       rate, bytes, created_at, started_at, resumed_at, ended_at, heartbeat, left(cancelled_by, 10001) AS cancelled_by,
       left(error, 10000) AS error,
       CASE WHEN octet_length(detail::text) > 10000 THEN '"too large"' ELSE detail END AS detail,
       CASE WHEN octet_length(measures::text) > 16000000 THEN '"too large"' ELSE measures END AS measures,
       CASE WHEN octet_length(text) <= 16000000 THEN text END AS text, left(format, 5) AS format
FROM runs JOIN contents USING (digest)
WHERE id = %(id)s

-- name: find_runs
-- `others` are the kinds that are not asked for; those that are come first.
SELECT id, left(kind, 20) AS kind, left(name, 201) AS name, left(state, 20) AS state FROM runs
WHERE name = %(reference)s OR (%(prefix)s <> '' AND starts_with(id::text, %(prefix)s))
ORDER BY coalesce(kind, '') <> ALL(%(others)s) DESC, created_at DESC LIMIT 20

-- name: latest_references
SELECT id, left(name, 201) AS name FROM runs WHERE coalesce(kind, '') <> ALL(%(others)s)
ORDER BY created_at DESC LIMIT 500

-- name: run_of_output
SELECT id FROM runs WHERE output = %(output)s AND coalesce(kind, '') <> ALL(%(others)s)
ORDER BY coalesce(resumed_at, created_at) DESC LIMIT 1

-- name: ask_to_cancel
UPDATE runs SET cancelled_by = coalesce(cancelled_by, %(who)s)
WHERE id = %(id)s AND state IN ('queued', 'running') RETURNING state

-- name: cancel_silent
UPDATE runs SET state = 'cancelled', cancelled_by = coalesce(cancelled_by, %(who)s), phase = 'ended', ended_at = now()
WHERE id = %(id)s AND state = 'resumable' RETURNING state

-- name: remove_run
DELETE FROM runs WHERE id = %(id)s AND state NOT IN ('queued', 'running') RETURNING id
