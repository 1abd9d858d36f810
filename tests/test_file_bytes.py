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
        "jsonl": "6a341cffa4c6424304f975119b1a731d39192fbab34d059a3dbeb9b90056d9e0",
        "csv": "f1faf7ec452a982eb3e31f7838c2c24ca2865ba9f9bea36bd5d913a9ca4ea01f",
        "json": "76a31f75d0c1d133a999920dafd5bacb777cf9a774fe20700c6657ae4dd78bbf",
        "msgpack": "bc3e0d05508ae56675683d9a4302adc68d353399f2b5b46cf31bfdf0a9de5835",
        "parquet": "abfdb56abfbc6753493904cc414f9f910654162aa4544a5f61602ae7f2465ad0",
    },
    "cbrn": {
        "jsonl": "ed3ad29ef4c5ae162e54af30922fbf5b8e5c6da4c9f29c662d9e5817a24d2026",
        "csv": "25ea38e0585bdba0291df6ed553498657be6eee90bb7556ccc24c735f0f6d19d",
        "json": "3311ba48588a483c8627feaafdfd45c870933137f29496edcfc0f78d776b9964",
        "msgpack": "5e4aca3901701b95a0e6eb5ff1e573c71494e43c81ae09137c44f1b17b1ac4a7",
        "parquet": "eba0533dde1fba5993c55c1c483ebe3782d6fbb332567d8dae489dfdfa0f6fb4",
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
