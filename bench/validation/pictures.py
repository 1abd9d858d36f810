"""Pictures of docs/validation.md as SVG, without a library for drawing."""

from collections.abc import Callable
from html import escape
from typing import NamedTuple

from bench.validation.samples import Estimate

WIDTH, ROW, LEFT, RIGHT = 900, 22, 330, 130
COLOURS = {"measured": "#1b6ca8", "published": "#d98324", "band": "#f3e3cd", "missed": "#c0392b"}


class Bar(NamedTuple):
    """One line of a picture: a measured value with its interval, the published one, and the band."""

    label: str
    measured: Estimate
    published: float | None
    band: tuple[float, float] | None


def dot_chart(title: str, unit: str, bars: list[Bar]) -> str:
    """Return a picture with one row for each figure: the band, the published value, and the measured one."""
    bars = [bar for bar in bars if bar.measured.value == bar.measured.value]
    edges = [x for bar in bars for x in (bar.measured.low, bar.measured.high, bar.published) if x is not None]
    edges += [x for bar in bars if bar.band for x in bar.band if abs(x) < 1000]
    low, high = min([0.0, *edges]), max([1e-9, *edges])
    step = _step(high - low)
    high = step * -(-high // step)
    low = step * (low // step)
    height = 58 + ROW * len(bars) + 26

    def x(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="20" font-size="14">{escape(title)}{", " + escape(unit) if unit else ""}</text>',
        f'<rect x="16" y="30" width="18" height="10" fill="{COLOURS["band"]}"/>'
        '<text x="40" y="39">accepted</text>'
        f'<line x1="112" x2="112" y1="29" y2="41" stroke="{COLOURS["published"]}" stroke-width="3"/>'
        '<text x="122" y="39">published</text>'
        f'<circle cx="200" cy="35" r="4" fill="{COLOURS["measured"]}"/>'
        '<text x="212" y="39">measured, 95 % interval (red: outside)</text>',
    ]
    bottom = 52 + ROW * len(bars)
    mark = low
    while mark <= high + step / 1000:
        out.append(f'<line x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="48" y2="{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{x(mark):.1f}" y="{bottom + 16}" text-anchor="middle">{mark:g}</text>')
        mark += step
    for number, bar in enumerate(bars):
        out += _bar(bar, 52 + ROW * number + ROW / 2, x)
    return "\n".join([*out, "</svg>", ""])


def _bar(bar: Bar, y: float, x: Callable[[float], float]) -> list[str]:
    value, low, high, _ = bar.measured
    inside = bar.band is None or bar.band[0] <= value <= bar.band[1]
    colour = COLOURS["measured" if inside else "missed"]
    out = [f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(bar.label[:52])}</text>']
    if bar.band:
        begin, end = x(bar.band[0]), x(bar.band[1])
        out.append(
            f'<rect x="{begin:.1f}" y="{y - 7:.1f}" width="{max(1.0, end - begin):.1f}" height="14" '
            f'fill="{COLOURS["band"]}"/>'
        )
    if bar.published is not None:
        at = x(bar.published)
        out.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 8:.1f}" y2="{y + 8:.1f}" '
            f'stroke="{COLOURS["published"]}" stroke-width="3"/>'
        )
    out.append(
        f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>'
        f'<circle cx="{x(value):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    )
    out.append(f'<text x="{WIDTH - RIGHT + 12}" y="{y + 4:.1f}" fill="{colour}">{_number(value)}</text>')
    return out


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _step(span: float) -> float:
    """Return a round distance between marks, for about six of them."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200):
        if span / step <= 8:
            return float(step)
    return span / 6
