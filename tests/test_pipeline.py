"""One run gives the same bytes however it is carried out."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from runs import digests, manifest, request

from actors.cluster import metrics, package_root
from actors.cluster import session as cluster
from actors.run import Progress, run_scenario
from engine import scenario as scenario_api
from engine.errors import InputError
from engine.records import RUN_TABLES

pytestmark = pytest.mark.ray

TYPES = ("conventional", "artillery", "urban", "guerrilla", "drone")


@pytest.fixture(scope="module", autouse=True)
def ray() -> Any:
    """One local Ray with two generators for all tests of the module."""
    with cluster.start_session(None, workers=2) as session:
        yield session


def test_bytes_do_not_depend_on_the_number_of_workers_and_writers(tmp_path: Path) -> None:
    formats = ("jsonl", "json", "csv", "msgpack", "parquet")
    found = []
    for workers, writers in ((0, 1), (1, 1), (2, 3), (4, 2)):
        output = tmp_path / str(workers)
        asked = request(output, patients=18_000, workers=workers, chunk_size=2048, formats=formats)
        result = run_scenario(replace(asked, writers=writers))
        assert result.patients == 18_000
        assert result.recoveries == 0
        found.append((output / "manifest.json").read_bytes())
    assert found[0] == found[1] == found[2] == found[3]


def test_bytes_do_not_depend_on_the_number_of_simulators(tmp_path: Path) -> None:
    formats = ("jsonl", "json", "csv", "msgpack", "parquet")
    for simulators, workers in ((1, 0), (2, 2)):
        output = tmp_path / str(simulators)
        asked = request(output, patients=18_000, workers=workers, chunk_size=2048, formats=formats)
        result = run_scenario(replace(asked, simulators=simulators))
        assert result.recoveries == 0
    assert result.pss_mb.keys() >= {"simulator", "shard"}
    for name in ("manifest.json", "summary.json", "scenario.toml"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_more_simulators_than_fronts_that_share_nothing_are_refused(tmp_path: Path) -> None:
    asked = request(tmp_path / "out", simulators=4)
    words = r"simulators: got 4; allowed: 1 to 3, .* share nothing finite: Poland \| Estonia \| Finland"
    with pytest.raises(InputError, match=words):
        run_scenario(asked)
    with pytest.raises(InputError, match="simulators: got 2; allowed: 1, or more with workers"):
        run_scenario(replace(asked, simulators=2, workers=0))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed_bytes_do_not_depend_on_ray(tmp_path: Path, compress: str) -> None:
    formats = ("jsonl", "csv")
    for workers in (0, 2):
        run_scenario(request(tmp_path / str(workers), workers=workers, compress=compress, formats=formats))
    assert digests(tmp_path / "0") == digests(tmp_path / "2")
    run_scenario(request(tmp_path / "plain", workers=0, formats=formats))
    document = manifest(tmp_path / "0")
    contents = {Path(part["path"]).stem: part["content_sha256"] for part in document["parts"]}
    assert contents == digests(tmp_path / "plain")
    assert document["libraries"].keys() <= {"isal", "zstandard"}


def test_plain_parts_do_not_depend_on_the_chunk_size(tmp_path: Path) -> None:
    formats = ("jsonl", "json", "csv", "msgpack")
    for size in (512, 4096):
        run_scenario(
            request(tmp_path / str(size), patients=9000, chunk_size=size, formats=formats, workers=2)
        )
    assert digests(tmp_path / "512") == digests(tmp_path / "4096")


def test_another_seed_or_replication_gives_other_bytes(tmp_path: Path) -> None:
    settings: list[dict[str, Any]] = [{}, {"seed": 8}, {"replication": 1}]
    for number, setting in enumerate(settings):
        run_scenario(request(tmp_path / str(number), workers=0, **setting))
    assert len({digests(tmp_path / str(number))["patients-00000.jsonl"] for number in range(3)}) == 3


def test_ten_runs_at_once_each_equal_their_lone_run(tmp_path: Path) -> None:
    kinds = [kind for name in TYPES for kind in (name, "")]

    def one(number: int) -> None:
        run_scenario(request(tmp_path / f"all-{number}", kind=kinds[number], seed=number, patients=2000))

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(one, range(10)))
    for number, kind in enumerate(kinds):
        output = tmp_path / f"lone-{number}"
        run_scenario(request(output, kind=kind, seed=number, patients=2000, workers=0))
        together = tmp_path / f"all-{number}"
        for name in ("manifest.json", "summary.json", "scenario.toml"):
            assert (output / name).read_bytes() == (together / name).read_bytes(), (number, name)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_of_one_patient_is_a_whole_run(tmp_path: Path, workers: int) -> None:
    formats = ("jsonl", "json", "csv", "parquet")
    result = run_scenario(request(tmp_path, patients=1, workers=workers, formats=formats))
    assert result.patients == 1
    assert sum(part.patients for part in result.parts if part.table == "patients") == 4
    assert len(json.loads((tmp_path / "patients.json").read_bytes())) == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_the_folder_says_all_there_is_to_know(tmp_path: Path, workers: int) -> None:
    asked = request(tmp_path, workers=workers, formats=("csv", "jsonl"))
    result = run_scenario(asked)
    document = manifest(tmp_path)
    assert document["scenario_hash"] == scenario_api.scenario_hash(asked.original)
    assert (document["seed"], document["replication"], document["patients"]) == (7, 0, 3000)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in result.files}
    for part in document["parts"]:
        assert (tmp_path / part["path"]).stat().st_size == part["bytes"]
        assert part["patients"] == (0 if part["table"] in RUN_TABLES else 3000)
    assert [part["format"] for part in document["parts"]] == ["csv"] * 8 + ["jsonl"] * 4
    paths = {f"{table}.{suffix}" for table in RUN_TABLES for suffix in ("csv", "jsonl")}
    assert {part["path"] for part in document["parts"] if part["table"] in RUN_TABLES} == paths
    lines = (tmp_path / "measures.jsonl").read_bytes().splitlines()
    (row,) = [row for row in map(json.loads, lines) if row["measure"] == "case_fatality_rate"]
    assert row["value"] == result.measures["mortality"]["case_fatality_rate"]
    assert json.loads((tmp_path / "summary.json").read_bytes()) == result.measures
    assert scenario_api.parse((tmp_path / "scenario.toml").read_bytes(), "toml") == asked.original


def test_progress_only_moves_forward(tmp_path: Path) -> None:
    seen: list[Progress] = []
    run_scenario(request(tmp_path, patients=30_000), seen.append)
    patients = [progress.patients for progress in seen]
    fractions = [progress.fraction for progress in seen]
    assert patients == sorted(patients)
    assert fractions == sorted(fractions)
    assert seen[-1].phase == "finishing"
    assert seen[-1].patients == 30_000
    assert list(dict.fromkeys(progress.phase for progress in seen)) == [
        "starting",
        "preparing",
        "running",
        "finishing",
    ]


def test_metrics_count_what_is_on_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.util.metrics import Counter

    counted: dict[str, float] = {}
    inc = Counter.inc

    def noted(self: Counter, value: float = 1.0, tags: dict[str, str] | None = None) -> None:
        name = ",".join([self.info["name"], *(tags or {}).values()])
        counted[name] = counted.get(name, 0) + value
        inc(self, value, tags)

    monkeypatch.setattr(Counter, "inc", noted)
    result = run_scenario(request(tmp_path))
    assert counted == {
        "goldenhour_runs_started,false": 1,
        "goldenhour_chunks": 6,
        "goldenhour_patients": result.patients,
        "goldenhour_bytes": sum(part.bytes for part in result.parts if part.table not in RUN_TABLES),
        "goldenhour_runs_ended,finished": 1,
    }
    with pytest.raises(KeyError):
        metrics.add_metric("patience")


def test_memory_is_reported_by_role(tmp_path: Path) -> None:
    run_scenario(request(tmp_path / "before", patients=1, workers=0))  # compiles what is not in the cache
    result = run_scenario(request(tmp_path / "out", patients=20_000))
    assert set(result.pss_mb) == {"driver", "simulator", "writer", "generator"}
    assert all(megabytes > 10 for megabytes in result.pss_mb.values())
    assert result.peak_pss_mb == pytest.approx(sum(result.pss_mb.values()), abs=1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"formats": ("xlsx",)}, "xlsx"),
        ({"formats": ()}, "formats: got none"),
        ({"formats": ("csv", "csv")}, "once"),
        ({"compress": "rar"}, "rar"),
        ({"workers": -1}, "workers"),
        ({"workers": 0, "writers": 2}, "writers"),
        ({"writers": 0}, "writers"),
        ({"chunk_size": 0}, "chunk size"),
        ({"chunk_size": 16_385}, "chunk size"),
        ({"replication": -1}, "replication"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_once(
    tmp_path: Path, setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_scenario(request(tmp_path / "out", **setting))
    assert not (tmp_path / "out").exists()


def test_without_workers_ray_is_never_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tests'); from actors.run import run_scenario;"
        "from runs import request; run_scenario(request(Path(sys.argv[1]), workers=0));"
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=package_root.PACKAGE_ROOT)


def test_a_generator_never_loads_numba(tmp_path: Path) -> None:
    code = """if True:
        import pickle, sys
        from actors.run.generator import encode
        settings, chunks = pickle.loads(sys.stdin.buffer.read())
        encode(settings, chunks)
        assert "numba" not in sys.modules
    """
    from actors.run import FORMAT_NAMES
    from actors.run.messages import EncodeSettings
    from engine.run import Simulation

    asked = request(tmp_path, patients=100)
    chunks = list(Simulation(asked.scenario, 1, 0, 512))
    import pickle

    import msgspec

    settings = EncodeSettings("chunk", FORMAT_NAMES, "zstd", msgspec.json.encode(asked.scenario))
    subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((settings, chunks)),
        check=True,
        cwd=package_root.PACKAGE_ROOT,
    )
