"""Compare the output files of every built-in scenario on two commits, byte for byte.

    python -m bench.compare_bytes --before COMMIT            # that commit against the working tree
    python -m bench.compare_bytes --before A --after B       # two commits
    python -m bench.compare_bytes --save FILE                # save the digests of the working tree ...
    python -m bench.compare_bytes --before FILE              # ... and compare with them later

Each scenario runs with 2,000 patients in all formats of the working tree (`--formats` leaves out one that the older
commit does not have): seed 1 in process and on one shared local Ray, seeds 2 and 3 in process. The SHA-256 of every
file is compared; only the version number in `manifest.json` may differ. Exit code 1 when a file differs, is missing or
is new.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from actors.cluster import PACKAGE_ROOT
from bench import commits
from engine.records import FORMATS

LIMIT_SECONDS = 3600.0

RUNNER = r"""
import hashlib, json, os, re, shutil, sys, tempfile

root, on_ray = sys.argv[1], sys.argv[2] == "ray"
sys.path.insert(0, root)
os.environ["GOLDENHOUR_CACHE"] = "off"
if on_ray:
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
             object_store_memory=200_000_000)
from goldenhour.__main__ import run

place = tempfile.mkdtemp(prefix="goldenhour-bytes-")
try:
    for line in sys.stdin:
        label, arguments = json.loads(line)
        folder = os.path.join(place, "out")
        code = run([*arguments, "-o", folder])
        found = {}
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                with open(path, "rb") as file:
                    data = file.read()
                if name == "manifest.json":
                    data = re.sub(rb'"version": ?"[0-9.]+"', b'"version":"-"', data, count=1)
                found[os.path.relpath(path, folder)] = hashlib.sha256(data).hexdigest()
        shutil.rmtree(folder, ignore_errors=True)
        print(json.dumps([label, code, found]), flush=True)
finally:
    shutil.rmtree(place, ignore_errors=True)
"""
"""Runs in the folder of either commit. Of goldenhour's code it uses the command line alone."""

Digests = dict[str, str]
"""SHA-256 by `run: file`. The entry `exit code` of a run holds its exit code instead."""


def names() -> list[str]:
    """Return the names of all built-in scenarios."""
    return sorted(path.stem for path in (PACKAGE_ROOT / "scenarios" / "builtin").glob("*.toml"))


def jobs(
    scenarios: list[str], seeds: list[int], patients: int, formats: str, on_ray: bool
) -> list[tuple[str, list[str]]]:
    """Return a label and the command's arguments for each run that one process carries out."""
    workers = ("--workers", "1") if on_ray else ("--workers", "0")
    where = "Ray" if on_ray else "in process"
    return [
        (
            f"{scenario}, seed {seed}, {where}",
            ["run", scenario, "--seed", str(seed), "--patients", str(patients), "--format", formats,
             "--quiet", "--no-store", *workers],
        )
        for scenario in scenarios
        for seed in ([1] if on_ray else seeds)
        if seed in seeds
    ]  # fmt: skip


def digests(root: Path, todo: list[tuple[str, list[str]]], on_ray: bool) -> Iterator[tuple[str, Digests]]:
    """Carry out the jobs in one process with the sources in `root`; yield the label and digests of each run as it
    ends.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(root), "ray" if on_ray else "process"],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    process.stdin.write("".join(json.dumps(job) + "\n" for job in todo))
    process.stdin.close()
    try:
        for line in process.stdout:
            label, code, files = json.loads(line)
            found = {f"{label}: {name}": digest for name, digest in files.items()}
            yield label, found | {f"{label}: exit code": str(code)}
        if process.wait(LIMIT_SECONDS):
            raise SystemExit(f"the runs in {root} ended with exit code {process.returncode}")
    finally:
        process.kill()
        process.wait()


def all_digests(root: Path, title: str, options: argparse.Namespace) -> Digests:
    """Return the digests of all runs that the options ask for."""
    scenarios = options.only.split(",") if options.only else names()
    found: Digests = {}
    for on_ray in (False, True)[: 1 if options.no_ray else 2]:
        todo = jobs(scenarios, options.seeds, options.patients, options.formats, on_ray)
        for number, (label, each) in enumerate(digests(root, todo, on_ray), 1):
            found |= each
            print(f"{title}: {number} of {len(todo)}: {label}: {len(each) - 1} files", flush=True)
    return found


def differences(before: Digests, after: Digests) -> list[str]:
    """Return one line for each file that differs."""
    found = []
    for name in sorted({*before, *after}):
        if name not in before:
            found.append(f"new: {name}")
        elif name not in after:
            found.append(f"missing: {name}")
        elif before[name] != after[name]:
            found.append(f"differs: {name}")
    return found


def main() -> int:
    """Run both commits, compare their files and report; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", help="a commit, or a file of --save")
    parser.add_argument("--after", help="a commit; default: the working tree")
    parser.add_argument("--save", type=Path, help="write the digests of the working tree (or --after) here")
    parser.add_argument("--only", help="scenarios, separated by commas; default: all built-ins")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--formats", default=",".join(FORMATS), help="default: %(default)s")
    parser.add_argument("--no-ray", action="store_true", help="in process only")
    options = parser.parse_args()
    if options.before is None and options.save is None:
        parser.error("name --before COMMIT, or --save FILE")
    with tempfile.TemporaryDirectory(prefix="goldenhour-compare-") as folder:
        place = Path(folder)
        root = (
            commits.unpack(commits.resolve(options.after), place / "after") if options.after else PACKAGE_ROOT
        )
        after = all_digests(root, "after", options)
        if options.save:
            options.save.write_text(json.dumps(after, indent=0))
        if options.before is None:
            return 0
        if Path(options.before).is_file():
            saved: Digests = json.loads(Path(options.before).read_text())
            runs = {name.partition(": ")[0] for name in after}
            before = {name: digest for name, digest in saved.items() if name.partition(": ")[0] in runs}
        else:
            unpacked = commits.unpack(commits.resolve(options.before), place / "before")
            before = all_digests(unpacked, "before", options)
    found = differences(before, after)
    print("\n".join(found))
    runs = {name.partition(": ")[0] for name in after}
    files = len(after) - len(runs)
    print(f"{len(runs)} runs, {files} files: {f'{len(found)} differences' if found else 'all equal'}")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
