"""Addresses with passwords, well and badly written, given to the command line: no output may show a part of a secret.

`python -m bench.secret_fuzz --cases 2000` prints the figures and exits with 1 if a secret was shown or a command ended
with a traceback. Every secret has two marks around a character that libraries divide addresses at; neither mark may
appear in what is printed, logged or written, nor in the text of an exception and of its causes.
"""

import argparse
import contextlib
import io
import logging
import os
import random
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from actors.cache import cache_settings
from bench import figures
from bench.figures import Figure, exactly
from engine.errors import GoldenhourError
from goldenhour.__main__ import run as run_command
from goldenhour.cli import goldenhour
from goldenhour.database import current_database

PLACE = "127.0.0.1:1"
"""A port on which nothing listens."""

DIVIDERS = [
    "",
    "@",
    "/",
    "?",
    "#",
    "%",
    "%zz",
    "%40",
    "%2F",
    ":",
    "&",
    "=",
    " ",
    "'",
    '"',
    "\\",
    ";",
    ",",
    "+",
    "$",
    "!",
]
DIVIDERS += [
    "[",
    "]",
    "{",
    "|",
    "~",
    "\t",
    "\n",
    "ü",
    "\u2100",
    "%00",
    "%",
    "?a=",
    "@@",
    "//",
    "://",
    "<",
    "(",
    "*",
    "^",
]

SCHEMES = (
    "postgresql",
    "postgres",
    "POSTGRESQL",
    "mysql",
    "postgresql+psycopg",
    "http",
    "redis",
    "jdbc:postgresql",
    "x",
)
REDIS_SCHEMES = ("redis", "unix", "REDIS", "http", "redis+tls", "x")
KEYWORDS = (
    "password",
    "PASSWORD",
    "Password",
    "passwd",
    "sslpassword",
    "options",
    "service",
    "sslmode",
    "pwd",
    "passfile",
)
PARAMETERS = (
    "password",
    "sslpassword",
    "user",
    "sslmode",
    "options",
    "connect_timeout",
    "application_name",
    "db",
    "x",
)

ADDRESSES = (
    "GOLDENHOUR_CACHE_KEY",
    "AWS_ENDPOINT_URL",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "--address",
    "-o",
    "--env",
    "RAY_ADDRESS",
)


class Case(NamedTuple):
    """A command, the setting that has the secret, its value, and the marks that must not appear."""

    setting: str
    value: str
    marks: tuple[str, str]
    arguments: tuple[str, ...]


def cases(count: int, seed: int = 1) -> Iterator[Case]:
    """Generate cases. The same seed gives the same ones."""
    draw = random.Random(seed)
    for number in range(count):
        marks = f"Kq{draw.randrange(16**8):08x}", f"Vx{draw.randrange(16**8):08x}"
        secret = draw.choice(DIVIDERS).join(marks)
        if draw.random() < 0.1:
            secret = draw.choice(DIVIDERS) + secret + draw.choice(DIVIDERS)
        output = f"out{number}"
        run = ("run", "standard", "--patients", "2", "--workers", "0", "-o", output)
        kind = draw.randrange(10)
        if kind < 5:
            value = _url(draw, SCHEMES, secret) if kind < 3 else _keywords(draw, secret)
            yield Case("GOLDENHOUR_DATABASE_URL", value, marks, run)
        elif kind < 8:
            yield Case("GOLDENHOUR_REDIS_URL", _url(draw, REDIS_SCHEMES, secret), marks, ("cache", "stats"))
        else:
            yield _other(draw, secret, marks, output)


def _url(draw: random.Random, schemes: Sequence[str], secret: str) -> str:
    scheme = draw.choice(schemes)
    # The user of a login with a password may be shown, so the secret is the user only where there is no password.
    alone = f"me:{secret}@" if ":" in secret or "%3A" in secret else f"{secret}:@"
    login = draw.choice(
        [f"me:{secret}@", f"me:{secret}@", f"me:{secret}@", f":{secret}@", "me:x@", alone, ""]
    )
    place = draw.choice([PLACE, PLACE, PLACE, "", f"{PLACE}:{secret}", "[::1", "[::1]:1", f"{PLACE},{PLACE}"])
    path = draw.choice(["/db", "/db", "", "/0", "/db/x", "/?", "#x"])
    given = f"{draw.choice(PARAMETERS)}={secret}" if login in ("", "me:x@") or draw.random() < 0.3 else ""
    query = draw.choice([f"?{given}", f"?{given}&connect_timeout=2", f"#{given}"]) if given else ""
    if schemes is REDIS_SCHEMES:
        scheme = draw.choice([scheme, "redis", "rediss"])
        path = draw.choice([path, "/0", ""])
    if scheme == "unix":
        place, path = draw.choice(["", PLACE]), "/tmp/none.sock"
    slashes = draw.choice(["://", "://", "://", "://", "://", ":/", ":", "//"])
    return f"{scheme}{slashes}{login}{place}{path}{query}" + draw.choice(["", "", "", " ", "\n"])


def _keywords(draw: random.Random, secret: str) -> str:
    value = draw.choice([secret, secret, f"'{secret}'", f"'{secret}", f'"{secret}"', f"{secret}'"])
    parts = [f"{draw.choice(KEYWORDS)}{draw.choice(['=', '=', ' = ', '= '])}{value}"]
    parts += ["host=127.0.0.1", "port=1", "dbname=db", "user=me"][: draw.randrange(5)]
    if draw.random() < 0.2:
        parts.append(f"{draw.choice(['port', 'connect_timeout'])}={secret}")
    draw.shuffle(parts)
    if not any(part.startswith("host") for part in parts):
        parts.insert(0, "host=127.0.0.1 port=1")
    return draw.choice([" ", " ", "  ", ";", ","]).join(parts)


def _other(draw: random.Random, secret: str, marks: tuple[str, str], output: str) -> Case:
    setting = draw.choice(ADDRESSES)
    value = _url(draw, ("http", "s3", "gs", "az", "ray", "ftp"), secret)
    to_store = (
        "run",
        "standard",
        "--patients",
        "2",
        "--workers",
        "0",
        "--no-store",
        "-o",
        f"s3://{output}/x",
    )
    if setting == "AWS_ENDPOINT_URL":
        return Case(setting, value, marks, to_store)
    if setting == "GOLDENHOUR_CACHE_KEY":
        return Case(setting, secret, marks, ("cache", "stats"))
    if setting.startswith("AWS_"):
        return Case(setting, secret, marks, to_store)
    if setting == "-o":
        if not re.match(r"(s3|gs|az):|[a-z0-9]+://", value):  # the path of a folder, which may be shown
            value = f"s3://me:{secret}@bucket"
        return Case(
            "", "", marks, ("run", "standard", "--no-store", "--workers", "0", "--patients", "2", "-o", value)
        )
    if setting == "--env":
        name = draw.choice(["A-B", "GOLDENHOUR_RUN", "1A", "A B", ""])
        return Case(
            "", "", marks, ("submit", "standard", "--address", f"http://{PLACE}", "--env", f"{name}={secret}")
        )
    if setting == "RAY_ADDRESS":
        return Case(
            setting, value, marks, ("run", "standard", "--no-store", "--address", "auto", "-o", output)
        )
    command = draw.choice([("submit", "standard"), ("fetch", "none"), ("run", "standard", "--no-store")])
    return Case("", "", marks, (*command, "--address", value))


class Outcome(NamedTuple):
    """What a case gave: where a mark was seen, the trace of an error that is not ours, and whether it was refused."""

    shown: str | None
    trace: str | None
    refused: bool


def carry_out(case: Case, folder: Path) -> Outcome:
    """Give a case to the command line, in a folder of its own."""
    outputs, trace, refused = io.StringIO(), None, False
    handler = logging.StreamHandler(outputs)
    before = dict(os.environ)
    here, keyboard = Path.cwd(), sys.stdin
    logging.getLogger().addHandler(handler)
    try:
        os.chdir(folder)
        sys.stdin = io.StringIO()
        _set_environment(case, folder)
        with (
            _descriptors(outputs),
            contextlib.redirect_stdout(outputs),
            contextlib.redirect_stderr(outputs),
        ):
            for arguments in (case.arguments, ("db", "rollback")):
                if arguments[0] == "db" and case.setting != "GOLDENHOUR_DATABASE_URL":
                    break
                run_command([*arguments])
                try:
                    goldenhour.main([*arguments], "goldenhour", standalone_mode=False)
                except Exception as error:
                    refused = True
                    outputs.write(f"{error!r} {''.join(traceback.format_exception(error))}")
                    ours = isinstance(error, GoldenhourError) or type(error).__module__.startswith("click.")
                    trace = None if ours else traceback.format_exc()
            print(repr(current_database()), current_database())
            with contextlib.suppress(GoldenhourError):
                print(repr(cache_settings()))
    except Exception:
        trace = traceback.format_exc()
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(here)
        sys.stdin = keyboard
        logging.getLogger().removeHandler(handler)
    seen = {"what was printed": outputs.getvalue()}
    for path in folder.rglob("*"):
        if path.is_file():
            seen[path.name] = path.read_bytes().decode("utf-8", "replace")
        seen[f"the name of {path.name[:3]}"] = path.name
    shown = [
        f"{where}: {text[max(0, text.find(mark) - 200) :][:400]}"
        for where, text in seen.items()
        for mark in case.marks
        if mark in text
    ]
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Outcome(shown[0] if shown else None, trace, refused)


@contextlib.contextmanager
def _descriptors(outputs: io.StringIO) -> Iterator[None]:
    """Collect also what libraries in C and Rust write to the descriptors of stdout and stderr."""
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as stack:
        for number in (1, 2):
            kept = os.dup(number)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, number)
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            file.seek(0)
            outputs.write(file.read().decode("utf-8", "replace"))


def _set_environment(case: Case, folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOLDENHOUR_"))]:
        if name not in ("GOLDENHOUR_CACHE_DIR",):
            del os.environ[name]
    os.environ |= {"GOLDENHOUR_DATA_DIR": str(folder / "data"), "GOLDENHOUR_LOG": str(folder / "log.jsonl")}
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{PLACE}", "AWS_ACCESS_KEY_ID": "key", "AWS_REGION": "x"}
    os.environ |= {"AWS_SECRET_ACCESS_KEY": "none"}
    if case.setting == "GOLDENHOUR_CACHE_KEY":
        os.environ["GOLDENHOUR_REDIS_URL"] = f"redis://{PLACE}"
    if case.setting and "\0" not in case.value:
        os.environ[case.setting] = case.value


def found(count: int, seed: int = 1) -> Iterator[Figure]:
    """Carry out cases and count what must not be."""
    from actors.run import object_store

    object_store.RETRY["max_retries"] = 0
    shown, traces, refused = 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="goldenhour-bench-") as folder:
        for case in cases(count, seed):
            outcome = carry_out(case, Path(folder))
            refused += outcome.refused
            if outcome.shown is not None:
                shown += 1
                print(f"shown: {case}\n  in {outcome.shown}", flush=True)
            if outcome.trace is not None:
                traces += 1
                print(f"traceback: {case}\n{outcome.trace}", flush=True)
    yield Figure("cases that ended with an error", f"{refused:,} of {count:,}", "", True)
    yield exactly("cases that showed a part of a secret", shown, 0)
    yield exactly("cases that ended with a traceback", traces, 0)


def main() -> int:
    """Carry out the cases and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cases", type=int, default=2000, metavar="N", help="number of cases; default: 2,000"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="another seed gives other cases; default: 1"
    )
    given = parser.parse_args()
    title = f"{given.cases:,} settings and addresses with secrets"
    return figures.run("secret_fuzz", [(title, lambda: found(given.cases, given.seed))])


if __name__ == "__main__":
    raise SystemExit(main())
