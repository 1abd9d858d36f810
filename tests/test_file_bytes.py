"""The bytes of files: golden digests of each format, and formats that another module registers.

GOLDEN has the digests of all files of 300 patients of two built-in scenarios, by format. A change of records or of a
format's spelling changes them on purpose. Then run `PYTHONPATH=. python tests/test_file_bytes.py` from the root of the
repository, replace GOLDEN by the lines that it prints, and explain the change in the commit.
"""

import hashlib
import json
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from test_determinism import resolved

from engine.records import FORMATS, CodeTables, TextSource, encode_chunks
from engine.run import Simulation
from engine.tables import Chunk

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ("brigade", "cbrn")
PATIENTS = 300
GOLDEN: dict[str, dict[str, str]] = {
    "brigade": {
        "jsonl": "c71a45834874bba2a51e6dc753fb28a5e5536bc7f9e5b3d999d5c380c332b619",
        "csv": "f12d542e33f06ff6409b67f02760af3628bfa309dba661039e46c1a726876406",
        "json": "3c1d4ff7fa9435782077b687c02cf8ebe7608ffb6df2128cb2fffdcb15bf4f74",
        "msgpack": "02c32bd4fab75e43c0b86b33f3d7def535b615d70620b3c86c230923c3366ae6",
        "parquet": "f26ae164eb10df2cf9f7efccc1bb01d17ef1bcd4695af5e1a07f96c088ce054d",
    },
    "cbrn": {
        "jsonl": "d9b0a6bb428a88ff44d0cc22f84a8edc16c042403a023d1dfe5f48a8c2a6977d",
        "csv": "95afb4eed236f7465313d51631fe0326fbfd91b3327017c3dcff6b0638c8ca6d",
        "json": "afb93344fc556a2d79ca85d7fa42e47cb3223528d3bb919b77b4e6541477f08f",
        "msgpack": "7e1c823e243f7e1742423823793c9d5908c982a41bef3ae3e0f04421388c441e",
        "parquet": "732e4202bcb7c203e90a08065816b6420205daddb7c866e64a8e39f87637cf47",
    },
}


@cache
def chunks_of(name: str) -> list[Chunk]:
    return list(Simulation(resolved(name, PATIENTS), 1, 0, 128))


def digest(name: str, fmt: str) -> str:
    """SHA-256 over the names and the bytes of the files of a run."""
    chunks = chunks_of(name)
    code_tables = CodeTables(resolved(name, PATIENTS), TextSource({}))
    files = dict.fromkeys(FORMATS[fmt].tables, b"")
    for call in [chunks] if FORMATS[fmt].unit == "part" else [[chunk] for chunk in chunks]:
        for frame in encode_chunks(call, code_tables, fmt):
            files[frame.table] += bytes(frame.data)
    sha = hashlib.sha256()
    for table, data in files.items():
        sha.update(f"{FORMATS[fmt].filename(table, 0)} {len(data)}\n".encode() + data)
    return sha.hexdigest()


def has_pinned_libraries(fmt: str) -> bool:
    """Whether the libraries that determine a format's bytes have the versions of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    return all(metadata.version(library) == pinned[library] for library in FORMATS[fmt].libraries)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("fmt", FORMATS)
def test_the_files_have_the_golden_digests(name: str, fmt: str) -> None:
    if not has_pinned_libraries(fmt):
        pytest.skip(f"other versions of {', '.join(FORMATS[fmt].libraries)} than in constraints.txt")
    assert digest(name, fmt) == GOLDEN[name][fmt], "see the docstring of this file"


SIXTH = """
from engine.records.formats import jsonl
from engine.records.formats.base import Format

FORMAT = Format(
    "ndjson", ".ndjson", ("patients",), "chunk", None, "one record on each line", jsonl.encode, jsonl.encode_table
)
"""

USE = """
import sys
from importlib.util import find_spec, module_from_spec

spec = find_spec("engine.records.formats")
spec.submodule_search_locations.append(sys.argv[1])
package = sys.modules[spec.name] = module_from_spec(spec)
spec.loader.exec_module(package)

from engine.documentation import page
from goldenhour.__main__ import run

arguments = ["coin", "--patients", "30", "--workers", "0", "--quiet", "--format", "ndjson,jsonl"]
assert run(["run", *arguments, "-o", sys.argv[2]]) == 0
assert "| `ndjson` | `patients.ndjson` | all | one record on each line |" in page()
assert "## The patient record (jsonl, json, msgpack, ndjson)" in page()
assert run(["schema", "--format", "ndjson"]) == 0
assert run(["schema", "--help"]) == 0
"""


def test_a_module_is_all_that_a_format_needs(tmp_path: Path) -> None:
    package = tmp_path / "formats"
    package.mkdir()
    (package / "ndjson.py").write_text(SIXTH)
    done = subprocess.run(
        [sys.executable, "-c", USE, str(package), str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "jsonl, csv, json, msgpack, ndjson, parquet" in " ".join(done.stdout.split())
    written = (tmp_path / "out" / "patients.ndjson").read_bytes()
    assert written == (tmp_path / "out" / "patients-00000.jsonl").read_bytes() != b""
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert {"patients.ndjson", "measures.ndjson"} <= {part["path"] for part in manifest["parts"]}


if __name__ == "__main__":
    print("GOLDEN: dict[str, dict[str, str]] = {")
    for each in SCENARIOS:
        print(f'    "{each}": {{')
        for kind in FORMATS:
            print(f'        "{kind}": "{digest(each, kind)}",')
        print("    },")
    print("}")
