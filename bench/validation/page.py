"""docs/validation.md: every target with what was measured, and pictures."""

import re
from pathlib import Path

from bench.validation.pictures import Bar, dot_chart
from bench.validation.targets import Finding

DOCS = Path(__file__).resolve().parents[2] / "docs"

CHARTS: tuple[tuple[str, str, str, str], ...] = (
    ("deaths", "Deaths and return to duty", "%", r"E3.* (%KIA|%DOW|CFR|RTD72)|E7"),
    ("time-to-death", "Killed in action, dead by minutes after the injury", "%", "E4"),
    ("wounds", "Wounds of the admitted by region, and ISS bands", "%", "E3.* (wounds|ISS)"),
    ("operating-time", "Operating time by ISS band", "min", "E5"),
    ("blood", "Transfusion", "", "BLD[1-4]"),
    ("signs", "First vital signs", "", "VS([1-3]|7|8|10)"),
    ("mortality", "Mortality by first signs and severity", "%", "VS5[abc]|VS6|VS21|R2B"),
    ("aid", "Measures before the first facility, per casualty", "", "LSI"),
    ("surgery", "Operations by kind", "%", "SRG"),
    ("illness", "Injury and disease: mix and return to duty", "%", "DNBI|RTD|E6.* DNBI (ret|eva)"),
)
"""Name of the file, title, unit, and pattern of id and quantity of the figures of each picture."""

GROUPS = (
    ("Deaths, wounds and operations of the calibrated scenarios", "E"),
    ("Blood", "BLD"),
    ("Vital signs and mortality", "VS|TBI"),
    ("Role 2", "R2"),
    ("Aid and operations", "LSI|SRG|TQ"),
    ("Complications and burns", "CMP|BRN"),
    ("Triage, evacuation, stays, return to duty", "TRI|EVA|LOS|RTD|DNBI"),
    ("Death", "NCK|MOR|DTH"),
    ("Ukraine", "UKR"),
)
"""Headings of the page, and the patterns of the ids below each."""


COLUMNS = (
    "id",
    "figure",
    "scenario",
    "measured",
    "95 % interval",
    "n",
    "published",
    "accepted",
    "verdict",
    "source",
    "remark",
)


def _number(value: float) -> str:
    if value != value:
        return ""
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def _published_number(text: str) -> float | None:
    """Return the first number of a published value, None where it is a range or a comparison."""
    found = re.match(r"(?:about )?(-?\d*\.?\d+)(?!\s*-\s*\d)(?![\d/])", text)
    return float(found[1]) if found and not text.startswith(("below", "above", "at most", "all")) else None


def _band(finding: Finding) -> str:
    if finding.band is None:
        return "none"
    low, high = finding.band
    return f"at least {low:.4g}" if high >= 1000 else f"{low:.4g} to {high:.4g}"


def _row(finding: Finding) -> str:
    m = finding.measured
    measured = f"{_number(m.value)} {finding.unit}".strip() if m.number else ""
    interval = f"{_number(m.low)} to {_number(m.high)}" if m.number and m.low != m.high else ""
    remark = finding.explained
    if finding.verdict == "not measured":
        remark = f"needs {finding.needs}" if finding.needs else "too few records"
    number = f"{m.number:,}" if m.number else ""
    cells = (
        finding.id,
        finding.quantity,
        finding.scenario,
        measured,
        interval,
        number,
        finding.published,
        _band(finding),
        f"**{finding.verdict}**" if finding.verdict in ("missed", "not measured") else finding.verdict,
        finding.source,
        remark,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def counts(findings: list[Finding]) -> str:
    """Return the verdicts and their numbers, in words."""
    words = ("met", "missed", "explained", "not measured", "reported")
    found = [finding.verdict for finding in findings]
    return ", ".join(f"{found.count(word)} {word}" for word in words)  # type: ignore[arg-type]


def page(findings: list[Finding], run: str, pictures: list[str]) -> str:
    """Return docs/validation.md.

    Parameters
    ----------
    run
        What was simulated, in words.
    pictures
        Names of the pictures that were drawn.
    """
    out = [
        "# Validation",
        "",
        "Published figures and what simulated records show. This page is generated: `make validate`. It fails while a",
        "target that is not explained is missed or cannot be measured.",
        "",
        f"Simulated: {run}.",
        f"Of {len(findings)} figures: {counts(findings)}.",
        "",
        "- **measured**: with its 95 % confidence interval and the size of the sample.",
        "- **accepted**: the band around the published value in which a measured one counts as met. It is our choice.",
        "- **explained**: missed, and the remark says which facts contradict which.",
        "- **not measured**: the records lack what the remark names.",
        "- **source**: of the clinical evidence; E3.1 to E7.4 are the targets of [model](model.md) section 3.2.1.",
        "",
    ]
    titles = {name: title for name, title, _, _ in CHARTS}
    for name in pictures:
        out += [f"![{titles[name]}](validation-{name}.svg)", ""]
    for heading, pattern in GROUPS:
        rows = [finding for finding in findings if re.match(rf"(?:{pattern})(?![A-Z])", finding.id)]
        if not rows:
            continue
        out += [
            f"## {heading}",
            "",
            f"| {' | '.join(COLUMNS)} |",
            "|---|---|---|--:|--:|--:|---|---|---|---|---|",
            *map(_row, rows),
            "",
        ]
    return "\n".join(out)


def write(findings: list[Finding], run: str, folder: Path = DOCS) -> None:
    """Write the page and its pictures."""
    drawn = []
    for name, title, unit, pattern in CHARTS:
        chosen = [x for x in findings if re.match(pattern, f"{x.id} {x.quantity}") and x.measured.number]
        if len(chosen) >= 2:
            bars = [
                Bar(f"{x.id} {x.quantity}", x.measured, _published_number(x.published), x.band)
                for x in chosen
            ]
            (folder / f"validation-{name}.svg").write_text(dot_chart(title, unit, bars), "utf-8")
            drawn.append(name)
    (folder / "validation.md").write_text(page(findings, run, drawn), "utf-8")
