"""Experiments as rows of the database: their progress, how they end, and the commands that show them."""

import json
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import PLAN, ask, content, empty, experiment, registration, sql

from actors.run import recorded, recorder
from actors.run.partial_folder import PARTIAL
from actors.store import EXPERIMENTS, ConfigStore, Database, ExperimentDetail, Registration, Server
from engine.errors import InputError, Interrupted, RunError


def row_of(where: Database, recorded: Registration) -> dict[str, Any]:
    row = ask(where, lambda store: store.run(recorded.id))
    assert row is not None
    return row


def written(where: Database, made: Registration, replications: int) -> dict[str, Any]:
    """The row of an experiment, as soon as it has so many replications."""
    until = time.monotonic() + 30
    while True:
        row = ask(where, lambda store: store.run(made.id))
        if row is not None and row["detail"]["replications"] >= replications:
            return row
        assert time.monotonic() < until
        time.sleep(0.1)


# The schema


def test_a_rollback_removes_experiments_and_their_plans_and_keeps_runs(server: Server) -> None:
    where = empty(server)
    run, made = registration(content=content("days = 1")), experiment()

    async def fill(store: ConfigStore) -> None:
        await store.add_scenario("mine", content("days = 2"), "me")
        await store.register_run(run)
        await store.register_run(made)

    ask(where, fill)
    assert ask(where, lambda store: store.rollback(3)) == [4]
    assert sql(where, "SELECT id, seed FROM runs") == [(run.id, run.seed)]
    assert sorted(sql(where, "SELECT text FROM contents")) == [("days = 1",), ("days = 2",)]
    assert ask(where, lambda store: store.upgrade()) == [4]
    assert [row["kind"] for row in ask(where, lambda store: store.runs())] == ["run"]
    assert ask(where, lambda store: store.runs(kinds=EXPERIMENTS)) == []


def test_the_database_refuses_an_unknown_kind(where: Database) -> None:
    ask(where, lambda store: store.register_run(registration()))
    with pytest.raises(psycopg.DatabaseError, match="runs_kind_check"):
        sql(where, "UPDATE runs SET kind = 'guess'")


def test_lists_have_one_kind_and_references_say_when_they_mean_the_other(where: Database) -> None:
    run, made = registration(name="both"), experiment(name="both")
    alone, compared = experiment(name="teams"), experiment(kind="comparison", name="pair", output="-")
    ids = {each.id for each in (run, made, alone, compared)}

    async def work(store: ConfigStore) -> None:
        for each in (run, made, alone, compared):
            await store.register_run(each)
        assert [row["id"] for row in await store.runs() if row["id"] in ids] == [run.id]
        listed = {row["id"] for row in await store.runs(kinds=EXPERIMENTS)}
        assert ids & listed == {made.id, alone.id, compared.id}
        assert await store.find_run("both") == run.id
        assert await store.find_run("both", EXPERIMENTS) == made.id
        short = str(alone.id)[:8]
        with pytest.raises(
            InputError, match=f"not a run but an experiment: `goldenhour experiments show {short}`"
        ):
            await store.find_run("teams")
        with pytest.raises(InputError, match="not a run but a comparison: `goldenhour experiments show"):
            await store.find_run(str(compared.id))
        with pytest.raises(InputError, match="not an experiment but a run: `goldenhour runs show"):
            await store.find_run(str(run.id)[:9], EXPERIMENTS)
        with pytest.raises(InputError, match=r"no experiment 'tems'.*experiments list.*did you mean 'teams'"):
            await store.find_run("tems", EXPERIMENTS)

    ask(where, work)


@pytest.mark.parametrize("detail", ['"x"', '{"points": -1}', '{"widest": 5}', '{"seconds_left": 1e400}'])
def test_a_damaged_detail_is_named_and_the_row_can_be_removed(where: Database, detail: str) -> None:
    made = experiment()
    ask(where, lambda store: store.register_run(made))
    ask(where, lambda store: store.finish_run(made.id, "failed"))
    sql(where, "UPDATE runs SET detail = %s", detail)

    async def work(store: ConfigStore) -> None:
        assert made.id not in [row["id"] for row in await store.runs(kinds=EXPERIMENTS)]
        assert str(made.id) in store.damaged[0]
        assert "column detail" in store.damaged[0]
        assert await store.remove_run(await store.find_run(str(made.id), EXPERIMENTS))

    ask(where, work)


# The recorder


def test_an_experiment_is_recorded_with_its_progress_and_its_result(where: Database) -> None:
    made = experiment(name="progress")
    with recorded(made, where) as record:
        record.start(str(made.id), False)
        for done in (1, 40, 60):
            record.report(
                ExperimentDetail(
                    points=4, points_done=1, replications=done, replications_wanted=200, widest="deaths: 0.4"
                )
            )
            time.sleep(0.6)
        row = written(where, made, 60)
        assert (row["kind"], row["state"], row["text"]) == ("experiment", "running", PLAN)
        assert row["detail"]["points_done"] == 1
        assert row["detail"]["widest"] == "deaths: 0.4"
        assert row["fraction"] == pytest.approx(0.3)
        assert row["rate"] > 0
        assert row["detail"]["seconds_left"] == pytest.approx(140 / row["rate"], rel=0.01)
        record.report(ExperimentDetail(points=4, points_done=4, replications=200, replications_wanted=200))
        record.measures = {"sentences": ["Two teams instead of one: 0.7 fewer deaths."]}
    row = row_of(where, made)
    assert (row["state"], row["fraction"], row["detail"]["points_done"]) == ("succeeded", 1.0, 4)
    assert row["measures"]["sentences"] == ["Two teams instead of one: 0.7 fewer deaths."]


def test_the_time_left_is_that_of_what_is_not_in_the_cache() -> None:
    record = recorder.Recorder(experiment(), None)

    def report(done: int) -> ExperimentDetail:
        return record.report(
            ExperimentDetail(points=1, replications=done, replications_wanted=1100, cached=1000)
        )

    assert report(1000).seconds_left is None
    report(1001)
    time.sleep(0.6)
    left = report(1011).seconds_left
    assert left is not None and 89 * 0.06 <= left < 89 * 0.1


def test_an_experiment_that_another_user_cancels_says_what_is_kept(where: Database, tmp_path: Path) -> None:
    made = experiment(output=str(tmp_path / "out"))
    (tmp_path / "out" / PARTIAL).mkdir(parents=True)

    def work() -> None:
        with recorded(made, where) as record:
            record.start(str(made.id), False)
            written(where, made, 0)
            ask(where, lambda store: store.cancel_run(made.id, "bert@there"))
            until = time.monotonic() + 20
            while time.monotonic() < until:
                record.report(ExperimentDetail(points=4, replications=50, replications_wanted=200))
                time.sleep(0.02)

    with pytest.raises(
        Interrupted, match="cancelled by bert@there; finished replications are kept: `goldenhour resume"
    ):
        work()
    row = row_of(where, made)
    assert (row["state"], row["cancelled_by"]) == ("cancelled", "bert@there")
    assert row["detail"]["replications"] == 50
    with recorded(experiment(output=str(tmp_path / "out")), where) as record:
        record.start(str(made.id), True)
    row = row_of(where, made)
    assert (row["state"], row["resumed_at"] is None) == ("succeeded", False)


def test_an_experiment_that_fails_is_recorded_with_the_reason(where: Database) -> None:
    made = experiment()
    with pytest.raises(RunError, match="no more"), recorded(made, where) as record:
        record.start(str(made.id), False)
        raise RunError("no more")
    assert (row_of(where, made)["state"], row_of(where, made)["error"]) == ("failed", "no more")


def test_without_a_database_the_recorder_does_nothing() -> None:
    with recorded(experiment(), None) as record:
        record.start("not a UUID", False)
        record.report(ExperimentDetail(points=1, replications=1, replications_wanted=2))
    with (
        pytest.raises(
            Interrupted, match="stopped; finished replications are kept in the cache: the same command"
        ),
        recorded(experiment(), None),
    ):
        raise KeyboardInterrupt


def test_the_end_that_could_not_be_recorded_is_recorded_by_the_next_run(
    where: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "END_SECONDS", 1.0)
    made, messages = experiment(), list[str]()
    with recorded(made, where, notify=messages.append) as record:
        record.start(str(made.id), False)
        written(where, made, 0)
        record.report(ExperimentDetail(points=4, points_done=4, replications=200, replications_wanted=200))
        sql(where, "ALTER TABLE runs RENAME TO hidden")
        record.measures = {"sentences": ["Yes."]}
    path = where.folder / "unsaved" / where.key / f"{made.id}.experiment"
    assert json.loads(path.read_bytes())["registration"]["kind"] == "experiment"
    assert any("is saved in" in message for message in messages)
    sql(where, "ALTER TABLE hidden RENAME TO runs")
    assert row_of(where, made)["state"] in ("queued", "running")
    with recorded(run := registration(), where) as record:
        record.start(str(run.id), False)
    row = row_of(where, made)
    assert (row["kind"], row["state"], row["measures"]) == (
        "experiment",
        "succeeded",
        {"sentences": ["Yes."]},
    )
    assert row["detail"]["points_done"] == 4
    assert not path.exists()
