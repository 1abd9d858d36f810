"""A result as HTML, for notebooks."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from goldenhour.labels import OUTCOME_LABELS, STREAM_LABELS

if TYPE_CHECKING:
    from engine.experiments import Difference, Estimate, Quantity
    from engine.records import RunTable

_RATES = {"percent_kia": "%KIA", "percent_dow": "%DOW", "case_fatality_rate": "case fatality rate"}


def result_html(title: str, measures: dict[str, Any], note: str = "") -> str:
    """A title, a note, a table of the patients by category, triage and outcome, and a line with the mortality.

    Parameters
    ----------
    title
        Text above the table.
    measures
        The content of summary.json.
    note
        Text below the title.
    """
    outcomes = [name for name in OUTCOME_LABELS if measures["outcomes"].get(name)]
    heads = ["casualties", "all", *measures["triage"], *(OUTCOME_LABELS[name] for name in outcomes)]
    rows = [_row(words, measures["categories"][stream], outcomes) for stream, words in STREAM_LABELS.items()]
    rows.append(_row("all", measures, outcomes))
    rates = (
        f"{words} {value:.1f} of {measures['mortality'][f'{key}_of']:,}"
        for key, words in _RATES.items()
        if (value := measures["mortality"][key]) is not None
    )
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    below = f"<p>{escape(note)}</p>" if note else ""
    return (
        f"<p>{escape(title)}</p>{below}"
        f"<table><thead><tr>{_cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{escape('; '.join(rates))}</p>"
    )


def _row(words: str, counts: dict[str, Any], outcomes: Sequence[str]) -> list[str]:
    numbers = [
        counts["patients"],
        *counts["triage"].values(),
        *(counts["outcomes"][name] for name in outcomes),
    ]
    return [words, *(f"{number:,}" for number in numbers)]


def _cells(kind: str, texts: Iterable[str]) -> str:
    return "".join(f"<{kind}>{escape(text)}</{kind}>" for text in texts)


def comparison_html(
    labels: Sequence[str], differences: "Sequence[Difference]", sentences: Sequence[str]
) -> str:
    """The sentences of a comparison, and a table with a row for each difference."""
    heads = ["quantity", "scenario", labels[0], "mean", "difference", "low", "high", "pairs"]
    rows = []
    for each in differences:
        numbers = (
            each.baseline.estimate,
            each.mean.estimate,
            each.difference.estimate,
            each.difference.low,
            each.difference.high,
        )
        texts = (f"{number:,.{each.quantity.decimals}f}" for number in numbers)
        label = labels[each.alternative]
        rows.append([each.quantity.meaning, label, *texts, f"{each.difference.count:,}"])
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    text = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return f"{text}<table><thead><tr>{_cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def replicated_html(title: str, quantities: "Sequence[Quantity]", estimates: "Sequence[Estimate]") -> str:
    """A title, and a table with a row for each measure: mean and median with their intervals."""
    heads = ["measure", "replications", "mean", "low", "high", "median", "low", "high"]
    rows = []
    for quantity, each in zip(quantities, estimates, strict=True):
        numbers = [
            number
            for interval in (each.mean, each.median)
            for number in (interval.estimate, interval.low, interval.high)
        ]
        texts = (f"{number:,.{quantity.decimals}f}" if math.isfinite(number) else "" for number in numbers)
        rows.append([quantity.meaning, f"{each.mean.count:,}", *texts])
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{_cells('th', heads)}</tr></thead>"
    return f"<p>{escape(title)}</p><table>{head}<tbody>{body}</tbody></table>"


def table_html(sentences: Sequence[str], table: "RunTable", most: int = 200) -> str:
    """Sentences, and the first rows of a table."""
    heads = [column.name for column in table.columns]
    rows = [
        [
            "" if value is None else f"{value:,.4g}" if isinstance(value, float) else str(value)
            for value in row
        ]
        for row in list(zip(*table.values, strict=True))[:most]
    ]
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    text = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    more = f"<p>{len(table) - most:,} more rows</p>" if len(table) > most else ""
    return f"{text}<table><thead><tr>{_cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>{more}"


def sensitivity_html(sentences: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """The sentences of a sensitivity analysis, and a table with a row for each quantity and assumption."""
    heads = ["quantity", "assumption", "at low", "as it is", "at high", "told from chance"]
    cells = [
        [
            row["quantity"],
            row["assumption"],
            *(f"{row[name]:,.4g}" for name in ("at_low", "as_it_is", "at_high")),
            "yes" if row["told_from_chance"] else "no",
        ]
        for row in rows
    ]
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in cells)
    text = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return f"{text}<table><thead><tr>{_cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def rows_html(sentences: Sequence[str], rows: Sequence[dict[str, Any]], most: int = 200) -> str:
    """Sentences, and the first of some rows with the same names."""
    heads = list(rows[0]) if rows else []
    texts = [
        [
            "" if value is None else f"{value:,.4g}" if isinstance(value, float) else str(value)
            for value in row.values()
        ]
        for row in rows[:most]
    ]
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in texts)
    text = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    more = f"<p>{len(rows) - most:,} more rows</p>" if len(rows) > most else ""
    return f"{text}<table><thead><tr>{_cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>{more}"
