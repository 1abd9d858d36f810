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
        "jsonl": "4fe56e648beb8b7be0e672fc9f8b96d303b6dd8dd5747e5091aac03e03155a7d",
        "csv": "af80cb4b58eccf5ef13df2b3538932845758de253c792b05f7fcae7a23409e83",
        "json": "de711291300dc7b7579595e3c537588d320e7032fc618e4f108043c6df33918a",
        "msgpack": "5163e467c23a39a72059cd832c04f8cda39679d033e6acd4f8c4b92eec99980b",
        "parquet": "c5c6b7139ab8c06e5e1396c7cadfdedcf32df454cf512ce2e7ef4f264e111545",
    },
    "cbrn": {
        "jsonl": "95bca10834de7b84e599426d69be63c15eccc188a519fc474933311c32765da3",
        "csv": "7c5f467423a9cfac35852d80bab670dc6cd5fff93ed77829a6d049ef31d60cab",
        "json": "27eb080a8cdd0637f07c90c223a0ddcca13f78ca9df4cda85b857fff0f4c25b3",
        "msgpack": "35f28f9fd2e70d50796453135ae182d34d468ace04fd465b9bd9412753ebd55e",
        "parquet": "e296f71f1c0775425b4e6aa470510544124a1b907236266e703db56ecc8f9ffe",
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
