"""Secrets: no password of an address reaches a message, a log, a file, a process list or Ray."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from databases import empty, folder_of
from psycopg.conninfo import conninfo_to_dict
from runs import GOLDENHOUR

from actors.cache import cache_settings
from actors.cluster import package_root
from actors.run import object_store
from actors.store import Database, Server
from bench import secret_fuzz
from engine.errors import InputError
from engine.masking import mask_logins, mask_message, parse_address
from goldenhour.__main__ import run as command

MARK = "Kq81Vx"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{MARK}@127.0.0.1:1/db",
        f"postgresql://me:{MARK}%@127.0.0.1:1/db",
        f"postgresql://me:{MARK}@{MARK}@127.0.0.1:1/db",
        f"postgresql://me:12/{MARK}@127.0.0.1:1/db",
        f"postgresql://me:{MARK}?{MARK}#@127.0.0.1:1/db",
        f"postgresql://127.0.0.1:1/db?password={MARK}",
        f"postgresql://127.0.0.1:{MARK}/db",
        f"postgresql://127.0.0.1:1/db?{MARK}=1",
        f"postgresql://me:{MARK}@[::1/db",
        f"mysql://me:{MARK}@host/db",
        f"postgresql+psycopg://me:{MARK}@host/db",
        f"POSTGRESQL://me:{MARK}@host/db",
        f"{MARK}://me@host/db",
        MARK,
        f"host=127.0.0.1 port=1 password={MARK} {MARK}",
        f"host=127.0.0.1 port=1 password='{MARK} {MARK}'",
        f"host=127.0.0.1 port=1 password='{MARK}",
        f"host=127.0.0.1 port=1 password = {MARK}%{MARK}",
        f"host=127.0.0.1 port=1 PASSWORD={MARK}",
        f"host= password={MARK}",
        f"host=127.0.0.1 port=1 sslmode={MARK}",
        f"host=127.0.0.1 port={MARK}",
        f'host=127.0.0.1 port={MARK}"{MARK}',
        f"postgresql://127.0.0.1/db?port={MARK}",
        f"postgresql://{MARK}:@127.0.0.1:1/db",
    ],
)
def test_no_part_of_a_database_url_with_a_password_is_shown(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOLDENHOUR_DATABASE_URL", url)
    monkeypatch.setenv("GOLDENHOUR_DATA_DIR", str(tmp_path))
    command = ["run", "standard", "--patients", "2", "--workers", "0", "-o", str(tmp_path / "out")]
    code = secret_fuzz.run_command(command)
    shown = capfd.readouterr()
    assert code in (1, 2)
    assert MARK not in shown.out + shown.err + repr(Database.from_environment())
    assert "GOLDENHOUR_DATABASE_URL" in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("scheme", ["mysql", "postgresql+psycopg", "http"])
def test_another_scheme_is_refused_with_the_one_that_is_allowed(scheme: str) -> None:
    with pytest.raises(
        InputError, match=rf"got {scheme.replace('+', '.')}://.*allowed: postgresql://USER"
    ) as caught:
        Database(folder=Path(), url=f"{scheme}://me:{MARK}@host/db").conninfo()
    assert MARK not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{MARK}/{MARK}@127.0.0.1:1",
        f"redis://:{MARK}#{MARK}@127.0.0.1:1/0",
        f"redis://:{MARK}@127.0.0.1:{MARK}",
        f"redis://:{MARK}[{MARK}@127.0.0.1:1",
        f"redis://:\u2100{MARK}@127.0.0.1:1",
        f"redis://:p@{MARK}@127.0.0.1:1:{MARK}@{MARK}/0",
        f"redis://127.0.0.1:1?db={MARK}",
        f"redis://127.0.0.1:1/{MARK}",
        f"redis://127.0.0.1:1?socket_timeout={MARK}",
        f"redis://127.0.0.1:1?{MARK}=1",
        f"unix://:{MARK}@",
        f"REDIS://:{MARK}@127.0.0.1:1",
        f"http://:{MARK}@127.0.0.1:1",
    ],
)
def test_a_malformed_redis_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InputError, match=r"GOLDENHOUR_REDIS_URL: got .*allowed: redis://HOST") as caught:
        cache_settings({"GOLDENHOUR_REDIS_URL": url})
    assert MARK not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("redis://h?db=0&max_connections=0", "the value of max_connections"),
        ("redis://h?db=0&decode_responses=true", "parameter 2 cannot"),
        ("unix:///s?socket_keepalive=true", "socket_keepalive cannot be used with unix"),
    ],
)
def test_a_refused_parameter_of_a_redis_url_is_named(url: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        cache_settings({"GOLDENHOUR_REDIS_URL": url})


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:p%40ss!word@localhost:6379/0",
        "rediss://user:p%2Fw@host.name:6380/2?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=2",
        "unix://:password@/run/redis.sock",
        "redis://[::1]:6379?protocol=3",
        "redis://h?health_check_interval=30&max_connections=5&retry_on_timeout=true&socket_keepalive=true&lib_name=x",
    ],
)
def test_a_redis_url_that_is_right_is_taken(url: str) -> None:
    settings = cache_settings({"GOLDENHOUR_REDIS_URL": url})
    assert settings.redis_url == url
    assert "w" not in repr(settings).partition("://")[2].partition("@")[0]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:a?b#c!@h1:1,h2:2/db", "postgresql://me:...@h1:1,h2:2/db"),
        ("postgresql:///db?host=/run/x&password=abc", "postgresql:///db?host=/run/x"),
        ("host=/run/x password='a b' dbname=db", "host=/run/x dbname=db"),
        ("host='/a=b' password=it\\'s", "host=..."),
    ],
)
def test_the_masking_reads_an_address_as_postgresql_does(url: str, shown: str) -> None:
    address = parse_address(url)
    assert address.doubt is None
    assert address.shown == shown
    password = conninfo_to_dict(url)["password"]
    assert password in address.secrets
    assert password not in address.mask(f"could not log in with {password}")


def test_urls_in_a_message_of_a_library_lose_their_passwords() -> None:
    text = f'error for url (http://me:{MARK}@host:80/x?key={MARK}): "s3://k:{MARK}@b/x", tcp refused.'
    assert mask_message(text) == 'error for url (http://...@host:80/x): "s3://...@b/x", tcp refused.'


@pytest.mark.parametrize(
    "words",
    [
        ("fetch", "-o", "out"),
        ("run",),
        ("measures",),
        ("resume",),
        ("scenarios", "show"),
        ("cache", "clear"),
        ("run", "coin", "--format"),
        ("run", "coin", "--seed"),
        ("schema", "--format"),
        (),
    ],
)
@pytest.mark.parametrize(
    "address", [f"me:{MARK}@b/x", f"postgresql://me:{MARK}@b/x", f":{MARK * 30}@h", f"host=h password={MARK}"]
)
def test_an_address_in_the_place_of_something_else_is_not_shown(
    words: tuple[str, ...],
    address: str,
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDENHOUR_DATA_DIR", str(data_folder))
    assert command([*words, address]) == 2
    said = capfd.readouterr()
    assert said.err
    assert MARK not in said.out + said.err


@pytest.mark.parametrize(
    "text",
    [
        "allowed: postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        "--address: got 'x@y'; allowed: http://HOST:8265, the cluster's dashboard",
        "GOLDENHOUR_DATABASE_URL (postgresql://me:...@127.0.0.1:1/x): refused",
        "run 'east@3' of me@here; at 10:30 UTC: s3://bucket/prefix",
        '{"name":"a@b", "c":"d@e"}',
        "",
    ],
)
def test_a_text_without_logins_remains(text: str) -> None:
    assert mask_logins(text) == text


def test_generated_settings_with_secrets_show_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(object_store.RETRY, "max_retries", 0)
    found = [(case, secret_fuzz.carry_out(case, tmp_path)) for case in secret_fuzz.cases(150, seed=5)]
    assert [(case, outcome) for case, outcome in found if outcome.shown or outcome.trace] == []
    assert sum(outcome.refused for _, outcome in found) > 100


def everything_below(folder: Path) -> dict[str, str]:
    """Return the text of each file, by its path."""
    return {
        str(path): path.read_bytes().decode("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.ray
def test_passwords_of_a_run_on_ray_are_in_no_file_and_no_command_line(
    data_folder: Path, tmp_path: Path
) -> None:
    server = Server(folder_of(data_folder, "secrets"))
    server.open()
    temporary = tempfile.mkdtemp(prefix="gh-", dir="/tmp")
    try:
        where = empty(server)
        url = f"{where.url} sslpassword={MARK}1"
        environment = {
            **os.environ,
            "GOLDENHOUR_DATABASE_URL": url,
            "GOLDENHOUR_REDIS_URL": f"redis://me:{MARK}2@127.0.0.1:1",
            "GOLDENHOUR_LOG": str(tmp_path / "log.jsonl"),
            "RAY_TMPDIR": temporary,
        }
        command = [
            *GOLDENHOUR,
            "run",
            "standard",
            "--patients",
            "3000",
            "--workers",
            "1",
            "-o",
            str(tmp_path / "out"),
        ]
        process = subprocess.Popen(
            command, cwd=package_root.PACKAGE_ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        lines: set[str] = set()
        seen: dict[str, str] = {}
        while process.poll() is None:
            for child in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                try:
                    lines.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue
            with contextlib.suppress(OSError):  # Ray removes files meanwhile
                seen |= everything_below(Path(temporary))
            time.sleep(0.3)
        assert process.stderr is not None
        printed = process.stderr.read()
        assert process.returncode == 0, printed
        assert "Redis at 127.0.0.1:1" in printed
        assert any("raylet" in line for line in lines)
        seen |= everything_below(tmp_path)
        assert len(seen) > 10
        assert [name for name, text in seen.items() if MARK in name + text] == []
        assert MARK not in printed + "\n".join(lines)
    finally:
        server.close()
        shutil.rmtree(temporary, ignore_errors=True)
