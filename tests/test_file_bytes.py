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
        "jsonl": "90afeb73feddd0ef54600086a90748f2b08d45e16588985b364ac5f0a4db4472",
        "csv": "e94505a8923ad5763c71227c7f18f412cb4ddddff15065977f6e949f72379e1b",
        "json": "4cfb9a0157ab68f5fa5e6829742abc1e5c9d2e2ed245d6e8c8a2065db94467ef",
        "msgpack": "404118bc494011066c20fae28278cfe46fa3040ff171b3cfba0fcf796e490957",
        "parquet": "a83a904e187c339913475007a241c546f9edf8ab6421b95b4633338f23ab4134",
    },
    "cbrn": {
        "jsonl": "4a2a7903147d8b7b3c289b8af7422e1903c47bfcc7faf6eddc7331183007424b",
        "csv": "4c9f36835bf7a5c2e49cb28f659243116195499815db3cf3f96a31d767880562",
        "json": "d0d2e574b5691a4d1477b8bbf24571b4c294ff69b58b2baaa20857e77bba3c6c",
        "msgpack": "63f0f0d33b5531b53949800eac7679368ddcd16683b52f14826f3c6d3dbc5c3a",
        "parquet": "57fbbbb8b7d6fbc73c2be7001da47c20e15007c473c1b7153910170be5fbe275",
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
