"""The benchmarks' report: a section that fails does not stop the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import figures, results_file, store_ground, stores
from bench.figures import Figure, exactly


def broken() -> Iterator[Figure]:
    yield exactly("before the error", 1, 1)
    Path("no such folder").iterdir().__next__()


def sound() -> Iterator[Figure]:
    yield exactly("after it", 2, 2)


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results_file, "RESULTS", tmp_path)
    return tmp_path


def test_a_section_that_ends_with_an_error_fails_and_the_others_run(
    capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    assert figures.run("kind", [("first", broken), ("second", sound)]) == 1
    text = capsys.readouterr().out
    assert "FAILED: the section: FileNotFoundError" in text
    assert text.index("ok: before the error") < text.index("FAILED") < text.index("ok: after it")
    assert '"failed": 1' in (results / "kind.jsonl").read_text()
    assert figures.run("kind", [("second", sound)]) == 0


def test_bench_stores_exits_with_1_after_all_sections(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(console: object) -> bool:
        raise SystemExit("not warmed up")

    monkeypatch.setattr(stores, "SECTIONS", {"broken": ("first", broken), "sound": ("second", sound)})
    monkeypatch.setattr(stores.cache_day, "section", end)
    monkeypatch.setattr("sys.argv", ["stores"])
    assert stores.main() == 1
    text = capsys.readouterr().out
    assert "ok: after it" in text
    assert "FAILED: the section cache ended with an error: SystemExit: not warmed up" in text
    monkeypatch.setattr("sys.argv", ["stores", "sound"])
    assert stores.main() == 0


def test_the_folder_of_a_failed_run_is_unequal_to_all(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert store_ground.digest(tmp_path / "none") != store_ground.digest(tmp_path / "there")


def test_a_figure_without_a_requirement_is_one_that_is_measured() -> None:
    assert figures.printed("times", 4.25, "x") == figures.Figure("times", "4.25 x", "printed", True)
    assert not figures.printed("times", float("nan")).met
