"""The page docs/evidence.md, generated from the lists beside the built-in scenarios; `make docs` writes it."""

from collections.abc import Iterator

from engine.scenario.evidence import Evidence, builtin_evidence
from scenarios import evidence_names

_INTRODUCTION = """\
# Where the settings of scenarios come from

This page is generated from `scenarios/builtin/*.assumptions.csv` by `make docs`. `goldenhour scenarios assumptions
NAME` prints the list of one scenario, with `--json` for programs.

The lists are about what a scenario sets itself. The constants of the model and their ranges are in
[assumptions](assumptions.md), their sources in section 3.2 of [the model](model.md).

- **published**: the source gives the value, or numbers from which it follows.
- **calibrated**: fitted so that the runs show the published outcomes that are named.
- **judgement**: nobody has published it, or nobody whom we have read. Change it, and see what depends on it. The
  reason may name a source: of something near, or of a sum of which only the parts are judgement.

`read` says how: the document itself, its abstract, or second-hand, as another work quotes it. A setting is written as
for `--set`; `*` stands for several entries. A table, such as `facilities[R2]`, stands for those of its settings that no
other row names.
"""


def page() -> str:
    """The whole page as Markdown."""
    return _INTRODUCTION + "".join(f"\n{line}" for name in evidence_names() for line in _section(name)) + "\n"


def _section(name: str) -> Iterator[str]:
    yield f"## `{name}`\n"
    yield "| setting | value | basis | source or reason | read |"
    yield "|---|---|---|---|---|"
    yield from map(_row, builtin_evidence(name))
    yield ""


def _row(one: Evidence) -> str:
    return f"| `{one.setting}` | `{one.value}` | {one.basis} | {one.source} | {one.seen} |"
