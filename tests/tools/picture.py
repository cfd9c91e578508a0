"""Draw the benchmark's figures as SVG: each with its goal, and how the cost of a page grows with the data."""

from html import escape
from math import log10
from typing import NamedTuple

WIDTH, LINE = 960, 22
BARS, GOAL = 690, 170  # where bars start, and how long a bar is that exactly meets its goal

STYLE = """
svg { font: 12px system-ui, sans-serif; fill: #2b3138; background: #fff }
text.small { fill: #68717a } text.right { text-anchor: end } text.title { font-size: 15px; font-weight: 600 }
.met { fill: #0f6d78 } .missed { fill: #b4531a } .axis { stroke: #c9ced3 } .goal { stroke: #68717a; stroke-dasharray: 3 3 }
polyline { fill: none; stroke-width: 2 } .first { stroke: #0f6d78 } .deep { stroke: #b4531a }
.plain { stroke: #8b939b; stroke-dasharray: 5 3 }
@media (prefers-color-scheme: dark) {
  svg { fill: #dfe4e8; background: #14181c } text.small { fill: #9aa4ad } .met { fill: #4fb3bf } .missed { fill: #e08a52 }
  .axis { stroke: #39424a } .first { stroke: #4fb3bf } .deep { stroke: #e08a52 }
}
"""


class Row(NamedTuple):
    what: str
    figure: float
    most: float | None
    least: float | None
    unit: str

    @property
    def share(self) -> float:
        """Return the figure as a share of what the goal allows; up to 1, the goal is met."""
        return self.figure / self.most if self.most is not None else self.least / self.figure

    @property
    def is_met(self) -> bool:
        return self.share <= 1

    @property
    def goal(self) -> str:
        return f"≤ {self.most:g}{self.unit}" if self.most is not None else f"≥ {self.least:g}{self.unit}"


class Growth(NamedTuple):
    strategy: str
    sessions: int
    first: float  # milliseconds, as are the next two
    deep: float
    plain: float


def draw(rows: list[Row], growth: list[Growth]) -> str:
    below = 56 + len(rows) * LINE
    parts = [_text(0, 16, "Each figure as a share of what its goal allows", "title"), *_bars(rows)]
    for number, strategy in enumerate(("direct", "session")):
        parts += _lines(number * (WIDTH // 2), below + 20, strategy, [size for size in growth if size.strategy == strategy])
    height = below + 300
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-16 -8 {WIDTH + 32} {height + 16}" role="img">'
    title = "<title>Figures of the benchmark beside their goals, and how the cost of a page grows</title>"
    return "\n".join([opened, title, f"<style>{STYLE}</style>", *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(text)}</text>'


def _bars(rows: list[Row]) -> list[str]:
    drawn = []
    for number, row in enumerate(rows):
        y = 32 + number * LINE
        width = min(row.share, 1.5) * GOAL
        drawn.append(_text(BARS - 144, y + 14, row.what.strip(), "right"))
        drawn.append(_text(BARS - 80, y + 14, row.goal, "small right"))
        drawn.append(_text(BARS - 10, y + 14, f"{row.figure:.2f}{row.unit}", "right"))
        drawn.append(f'<rect class="{"met" if row.is_met else "missed"}" x="{BARS}" y="{y + 4}" width="{width:.1f}" height="13"/>')
    bottom = 32 + len(rows) * LINE
    return [*drawn, f'<path class="goal" d="M{BARS + GOAL} 28V{bottom}"/>', _text(BARS + GOAL - 14, bottom + 14, "goal", "small")]


def _lines(left: float, top: float, strategy: str, sizes: list[Growth]) -> list[str]:
    """Draw milliseconds against sessions, both on a logarithmic scale."""
    width, height = 290, 220
    most_sessions = log10(max(size.sessions for size in sizes))
    low, high = -1, max(1, -(-log10(max(max(size[2:]) for size in sizes)) // 1))

    def x(sessions: float) -> float:
        return left + 50 + width * (log10(sessions) - 3) / max(most_sessions - 3, 1)

    def y(milliseconds: float) -> float:
        return top + 24 + height * (1 - (log10(milliseconds) - low) / (high - low))

    drawn = [_text(left, top + 4, f"A page of a {strategy} query, in ms, by sessions", "title")]
    for power in range(low, int(high) + 1):
        drawn.append(f'<path class="axis" d="M{left + 50} {y(10**power):.1f}h{width}"/>')
        drawn.append(_text(left + 44, y(10**power) + 4, f"{10**power:g}", "small right"))
    for power in range(3, int(most_sessions) + 1):
        drawn.append(_text(x(10**power) - 12, top + height + 40, f"{10**power:,}", "small"))
    for kind, name in {"first": "page 1", "deep": "any page", "plain": "with OFFSET"}.items():
        places = [(x(size.sessions), y(getattr(size, kind))) for size in sizes]
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
        drawn.append(f'<polyline class="{kind}" points="{points}"/>')
        across, down = places[-1]
        drawn.append(_text(across + 6, down + {"first": 12, "deep": -2, "plain": 4}[kind], name, "small"))
    return drawn
