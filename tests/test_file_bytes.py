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
        "jsonl": "c43a7ce27ed21f32901dbbed19e5c4721875ad9ade75d47df6bbdbebb3d53e6b",
        "csv": "398f351183f942a10573bbb2ee906011b77800ac9904e20f8ea30ad167cb68c6",
        "json": "063b0b810a4b4ecbf9b49147ea99f4554179b7f05ddc1d046fc1c7b5086dc157",
        "msgpack": "7700d7038ec2c3ec8c2c4c572f5931400d047631c0654c707af415aba17514d5",
        "parquet": "ccebeae2d5102702c00b3e3f74ff1dcc5291dc3c9d484cb5bd48640170c35516",
    },
    "cbrn": {
        "jsonl": "98112fef0c932ee11fc9726a22b7608f3dc0c56f6549300287dd56591cc47647",
        "csv": "24da5e7213097230d27c57c6c10726c8f3d09256a9c3e7a65a849fe9cc8f67e7",
        "json": "8d21a2cecbc9940fc952b95254f4198f7288809cbfb92f4ef806eadc4ac4b2a0",
        "msgpack": "ca0aa6321a88f1a3e3ebb4ad0899abbb026cce970f752a61d32dae0b582cbdc3",
        "parquet": "00184af8d826bf9ade7b446b7afda38c9fc4c90700d0f8c2131782e1d1d90141",
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
