"""Sessions: how a local Ray is started and shut down, and how a running one is joined."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from runs import GOLDENHOUR

from actors.cluster import package_root, ray_address, remote
from actors.cluster import session as cluster
from engine.errors import InputError

pytestmark = pytest.mark.ray


def python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own; `environment` is added to this one's."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        cwd=package_root.PACKAGE_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


ONE_RUN = """if True:
    import os, sys
    from pathlib import Path
    sys.path.insert(0, "tests")
    from actors.run import run_scenario
    from runs import request
    place = os.getcwd()
    before = dict(os.environ)
    address = sys.argv[2] if len(sys.argv) > 2 else None
    result = run_scenario(request(Path(sys.argv[1]), address=address))
    assert result.patients == 3000
    assert os.getcwd() == place
    heavy = {"numpy", "numba", "pyarrow", "pandas"} & sys.modules.keys()
    assert not heavy, heavy
    left = {name for name in os.environ.keys() - before.keys() if "AUTH" in name}
    assert not left, left
"""


def test_a_local_run_is_silent_writes_nothing_to_the_home_and_keeps_the_driver_light(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    cache = os.environ.get(
        "GOLDENHOUR_CACHE_DIR", str(Path.home() / ".cache/goldenhour")
    )  # no second compile
    elsewhere = {"HOME": str(home), "GOLDENHOUR_CACHE_DIR": cache}
    done = python(ONE_RUN, str(tmp_path / "out"), RAY_ADDRESS="192.0.2.1:6379", **elsewhere)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("imported_before", [False, True])
def test_every_listener_of_a_local_ray_is_on_the_loopback_interface(
    imported_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if imported_before:  # by the user's own program, without goldenhour's settings
        from ray._private import ray_constants

        monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", True)
    with cluster.start_session(None, workers=1) as session:
        assert session.local
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        listening = [
            connection.laddr.ip
            for process in family
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    assert len(listening) > 3
    assert {
        address for address in listening if address not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    } == set()


def test_a_running_ray_is_joined_by_its_address_and_left_running(tmp_path: Path) -> None:
    import ray

    with (
        cluster.start_session(None, workers=1),
        tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as temporary,
    ):
        address = ray.get_runtime_context().gcs_address
        done = python(ONE_RUN, str(tmp_path / "joined"), address, TMPDIR=temporary)
        assert list(Path(temporary).iterdir()) == []
        assert (done.returncode, done.stderr) == (0, "")
        job = python(ONE_RUN, str(tmp_path / "job"), RAY_ADDRESS=address, RAY_JOB_CONFIG_JSON_ENV_VAR="{}")
        assert (job.returncode, job.stderr) == (0, "")
        assert ray.is_initialized()
        assert len(ray.nodes()) == 1
    assert not ray.is_initialized()


def test_a_ray_that_the_caller_started_is_used_and_left_running() -> None:
    code = """if True:
        import os
        os.environ["RAY_AUTH_TOKEN"] = "t" * 32
        import logging, ray
        ray.init(address="local", include_dashboard=False, num_cpus=1, logging_level=logging.ERROR)
        from actors.cluster import start_session
        with start_session(None, 1):
            pass
        assert ray.is_initialized()
        ray.shutdown()
    """
    done = python(code)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_of_several_sessions_shuts_down_the_local_ray() -> None:
    import ray

    first, second = cluster.start_session(None, 1), cluster.start_session(None, 1)
    first.close()
    first.close()
    assert ray.is_initialized()
    second.close()
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "nowhere", "ray://127.0.0.1:10001", "127.0.0.1:99999", ":"]
)
def test_an_address_without_a_ray_is_refused_with_one_message(address: str) -> None:
    with pytest.raises(InputError, match=f"(?s)Ray cluster.*{address}"):
        cluster.start_session(address, 1)


@pytest.mark.parametrize(
    ("address", "environment", "expected"),
    [
        (None, {}, "local"),
        (None, {"RAY_ADDRESS": "10.0.0.1:6379"}, "local"),
        ("auto", {}, "auto"),
        ("auto", {"RAY_ADDRESS": "10.0.0.1:6379"}, "10.0.0.1:6379"),
        ("10.0.0.2:6379", {"RAY_ADDRESS": "10.0.0.1:6379"}, "10.0.0.2:6379"),
        (None, {"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}", "RAY_ADDRESS": "10.0.0.1:6379"}, "10.0.0.1:6379"),
    ],
)
def test_only_a_given_address_or_a_submitted_job_selects_a_cluster(
    monkeypatch: pytest.MonkeyPatch, address: str | None, environment: dict[str, str], expected: str
) -> None:
    for name in ("RAY_ADDRESS", "RAY_JOB_CONFIG_JSON_ENV_VAR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ray_address(address) == expected


def test_a_package_of_the_same_name_in_the_working_directory_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/__init__.py").write_text("raise SystemExit('the wrong engine')")
    code = f"""if True:
        import os, sys
        sys.path.insert(0, {str(package_root.PACKAGE_ROOT)!r})
        sys.path.insert(1, {str(package_root.PACKAGE_ROOT / "tests")!r})
        os.chdir({str(tmp_path)!r})
        from pathlib import Path
        from actors.run import run_scenario
        from runs import request
        print(run_scenario(request(Path("out"), patients=10)).patients)
    """
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")
    assert (tmp_path / "out/manifest.json").exists()


def test_packages_from_two_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/__init__.py").write_text("")
    code = f"""if True:
        import sys
        from actors.cluster import package_root
        sys.path.insert(0, {str(tmp_path)!r})
        try:
            package_root.check_package_root()
        except ImportError as error:
            print(error)
    """
    done = python(code)
    assert "package 'scenarios' resolves to" in done.stdout


def test_runs_of_two_drivers_share_one_cpu(tmp_path: Path) -> None:
    import ray

    with cluster.start_session(None, workers=1):
        address = ray.get_runtime_context().gcs_address
        command = [
            *GOLDENHOUR,
            "run",
            "standard",
            "--patients",
            "60000",
            "--workers",
            "1",
        ]
        both = [
            subprocess.Popen(
                [*command, "--address", address, "--no-store", "--quiet", "-o", str(tmp_path / name)],
                cwd=package_root.PACKAGE_ROOT,
            )
            for name in ("one", "two")
        ]
        sizes: dict[int, int] = {}
        until = time.monotonic() + 120
        while all(process.poll() is None for process in both) and time.monotonic() < until:
            sizes = {number: written(tmp_path / name) for number, name in enumerate(("one", "two"))}
            time.sleep(0.02)
        assert [process.wait(120) for process in both] == [0, 0]
    assert min(sizes.values()) > 0.4 * written(tmp_path / "one"), sizes


def written(folder: Path) -> int:
    """Bytes of all files below a folder, also while a run renames and removes some."""
    total = 0
    for within, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(within) / name).stat().st_size
    return total


def test_computing_threads_have_a_low_priority_and_a_long_time_slice() -> None:
    code = """if True:
        import ctypes, os, platform, struct
        from actors.cluster import priority
        priority.lower_priority()
        assert os.nice(0) == max(priority.NICENESS, os.nice(0))
        get = {"x86_64": 315, "aarch64": 275}.get(platform.machine())
        if get and tuple(int(part) for part in platform.release().split(".")[:2]) >= (6, 12):
            buffer = ctypes.create_string_buffer(48)
            assert ctypes.CDLL(None).syscall(get, 0, buffer, 48, 0) == 0
            values = struct.unpack("=IIQiIQQQ", buffer.raw)
            assert (values[3], values[5]) == (os.nice(0), priority.SLICE_NANOSECONDS), values
    """
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_class_is_wrapped_by_ray_once() -> None:
    import ray

    class Counter:
        def hello(self) -> int:
            return 1

    with cluster.start_session(None, workers=1):
        assert remote.as_remote(Counter) is remote.as_remote(Counter)
        counter = remote.as_remote(Counter).options(num_cpus=0).remote()
        assert ray.get(counter.hello.remote(), timeout=60) == 1


def test_a_module_loaded_while_a_task_runs_does_not_hide_pyarrow_again() -> None:
    import ray

    def import_after_a_look_up() -> str:
        import sys

        import actors.run.generator  # hides PyArrow
        from actors.cluster import restore_pyarrow

        assert sys.modules["pyarrow"] is None
        restore_pyarrow()
        import pyarrow

        import actors.cache.cache_actor  # noqa: F401  as the handle of the cache actor does

        return pyarrow.__name__

    with cluster.start_session(None, workers=1):
        name = ray.get(ray.remote(import_after_a_look_up).remote(), timeout=60)
    assert name == "pyarrow"
