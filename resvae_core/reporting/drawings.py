"""Drawings as lists of simple shapes, laid out once for PDF and SVG.

Lengths are points, x to the right and y down. Colours are roles of `marks.LIGHT` and `marks.DARK`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from resvae_core.models.call_words import frequency_words
from resvae_core.reporting.marks import CALLS
from resvae_core.reporting.report import GeneRow, ModelRow, PathwayRow, Report
from resvae_core.reporting.wording import interval, signed

Anchor: TypeAlias = Literal["start", "middle", "end"]

AXIS = "Probability of resistance (0 sensitive → 1 resistant)"
_ROW = 16.5
_TINY = 1e-9
_LABELS, _VALUES = 104.0, 158.0
"""Room for the names to the left and the numbers to the right of an axis."""


@dataclass(frozen=True)
class Line:
    """A straight line; `dash` is empty or lengths of strokes and gaps."""

    x1: float
    y1: float
    x2: float
    y2: float
    role: str
    width: float = 0.7
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Polygon:
    """A closed shape; hollow where not `filled`."""

    points: tuple[tuple[float, float], ...]
    role: str
    filled: bool = True


@dataclass(frozen=True)
class Text:
    """Words on one line, `y` being the baseline."""

    x: float
    y: float
    text: str
    role: str = "text"
    size: float = 8.5
    anchor: Anchor = "start"
    bold: bool = False


Shape: TypeAlias = Line | Polygon | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes on a canvas of `width` × `height`, and what they show in a sentence."""

    width: float
    height: float
    description: str
    shapes: tuple[Shape, ...]


def box(
    x: float, y: float, width: float, height: float, role: str, *, filled: bool = True
) -> Polygon:
    """Return a rectangle by its upper left corner."""
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return Polygon(corners, role, filled)


def call_mark(x: float, y: float, radius: float, call: str) -> list[Shape]:
    """Return the shape of a call around a point."""
    role = f"mark-{CALLS[call].role}"
    if call in ("resistant", "sensitive"):
        up = -1 if call == "resistant" else 1
        foot = y - 0.8 * up * radius
        return [Polygon(((x, y + up * radius), (x + radius, foot), (x - radius, foot)), role)]
    corners = ((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y))
    if call == "uncertain":
        return [Polygon(corners, role)]
    slash = Line(x - radius, y + radius, x + radius, y - radius, role, 1.0)
    return [Polygon(corners, role, filled=False), slash]


def models_on_one_axis(report: Report, width: float) -> Drawing:
    """Draw each model's probability and interval on one axis, the tissue floor across all rows."""
    rows = report.models
    top = 16.0
    bottom = top + _ROW * len(rows)
    axis = _Axis(_LABELS, width - _VALUES, top, bottom)
    shapes: list[Shape] = [*axis.grid()]
    floor = report.call.floor if report.call else None
    if floor is not None:
        shapes += _floor(axis, floor)
    for position, row in enumerate(rows):
        chosen = row.model == report.model
        shapes += _model(axis, row, top + _ROW * (position + 0.5), width, chosen=chosen)
    shapes += _dividers(rows, top, width)
    shapes.append(Text(axis.left, bottom + 23, AXIS, "muted", 8))
    shapes.append(Text(width, bottom + 23, "│ limit of the model's calls", "muted", 8, "end"))
    words = "; ".join(
        f"{row.title} {row.probability:.2f} ({interval(row.lower, row.upper)}), {row.call}"
        for row in rows
    )
    beside = "" if floor is None else f" Drug × tissue mean: {floor:.2f}."
    return Drawing(width, bottom + 27, f"{report.drug}: {words}.{beside}", tuple(shapes))


@dataclass(frozen=True)
class _Axis:
    """A probability axis from `left` to `right`."""

    left: float
    right: float
    top: float
    bottom: float

    def at(self, probability: float) -> float:
        return self.left + probability * (self.right - self.left)

    def grid(self) -> Iterator[Shape]:
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
            x = self.at(tick)
            yield Line(x, self.top, x, self.bottom, "grid", 0.6)
            yield Text(x, self.bottom + 10.5, f"{tick:g}", "muted", 8, "middle")


def _floor(axis: _Axis, floor: float) -> list[Shape]:
    x = axis.at(floor)
    anchor: Anchor = "end" if floor > 0.5 else "start"
    words = f"Drug and tissue alone: {floor:.2f}"
    return [
        Line(x, axis.top - 3, x, axis.bottom, "muted", 0.9, (3, 2)),
        Text(x + (2 if floor > 0.5 else -2), axis.top - 6, words, "muted", 8, anchor),
    ]


def _model(axis: _Axis, row: ModelRow, y: float, width: float, *, chosen: bool) -> list[Shape]:
    """Return one model's row: name, limit, interval, mark, numbers; in bold if it is asked."""
    role = CALLS[row.call].role
    title = f"{row.title} (simple)" if row.role == "simple" else row.title
    limit = axis.at(row.threshold)
    numbers = f"{row.probability:.2f}  ({interval(row.lower, row.upper)})"
    return [
        Text(0, y + 3, title, "text", 8.5, bold=chosen),
        Line(limit, y - 5, limit, y + 5, "muted", 1.1),
        Line(axis.at(row.lower), y, axis.at(row.upper), y, f"mark-{role}", 1.8),
        *call_mark(axis.at(row.probability), y, 5.2 if row.role == "ensemble" else 3.9, row.call),
        Text(axis.right + 12, y + 3, numbers, "text", 8.5, bold=chosen),
        Text(width, y + 3, CALLS[row.call].label, role, 8.5, "end", bold=chosen),
    ]


def _dividers(rows: Sequence[ModelRow], top: float, width: float) -> list[Shape]:
    """Return lines between the ensemble, the five, and the simple model."""
    return [
        Line(0, top + _ROW * position, width, top + _ROW * position, "rule", 0.6)
        for position in range(1, len(rows))
        if rows[position].role != rows[position - 1].role
    ]


def hundred_lines(probability: float, call: str) -> Drawing:
    """Draw 100 cell lines, of which as many are filled as the model expects to resist."""
    n, pitch, size = round(100 * probability), 7.0, 5.2
    role = f"mark-{CALLS['resistant'].role}" if call != "not assessable" else "mark-uncertain"
    squares = [
        box(pitch * (number % 20), pitch * (number // 20), size, size, role)
        if number < n
        else box(pitch * (number % 20), pitch * (number // 20), size, size, "rule", filled=False)
        for number in range(100)
    ]
    words = frequency_words(probability)
    return Drawing(20 * pitch, 5 * pitch, words, tuple(squares))


def gene_bars(genes: Sequence[GeneRow], width: float) -> Drawing:
    """Draw genes as bars to the side that they argue for."""
    rows = [(row.gene, row.attribution) for row in genes]
    return _bars(rows, width, 62.0)


def pathway_bars(pathways: Sequence[PathwayRow], width: float) -> Drawing:
    """Draw pathways as bars to the side that their genes argue for."""
    return _bars([(row.pathway, row.attribution) for row in pathways], width, 112.0)


def _bars(rows: Sequence[tuple[str, float]], width: float, names: float) -> Drawing:
    """Draw signed values: to the left sensitive, to the right resistant."""
    row, top = 12.6, 12.0
    left, right = names, width - 34
    # each side has room for its longest bar, and for its word
    sides = (max([0.0, *(-value for _, value in rows)]), max([0.0, *(value for _, value in rows)]))
    total = sum(sides) or 1.0
    middle = min(max(left + sides[0] / total * (right - left), left + 44), right - 44)
    scale = min((middle - left) / max(sides[0], _TINY), (right - middle) / max(sides[1], _TINY))
    bottom = top + row * len(rows)
    shapes: list[Shape] = [
        Text(middle - 5, 8, "▼ sensitive", "sensitive", 7.5, "end"),
        Text(middle + 5, 8, "resistant ▲", "resistant", 7.5),
    ]
    for position, (name, value) in enumerate(rows):
        y, length = top + row * position, abs(value) * scale
        role = "mark-resistant" if value > 0 else "mark-sensitive"
        shapes += [
            Text(0, y + 9, shortened(name, names - 6, 8.5), "text", 8.5),
            box(middle if value > 0 else middle - length, y + 2, length, row - 4.4, role),
            Text(width, y + 9, signed(value), "text", 8.5, "end"),
        ]
    shapes.append(Line(middle, top, middle, bottom, "muted", 0.7))
    words = ", ".join(f"{name} {signed(value)}" for name, value in rows)
    return Drawing(width, bottom + 2, f"Log-odds of resistance: {words}.", tuple(shapes))


def shortened(text: str, room: float, size: float) -> str:
    """Return text that fits into the room, at half the size a letter, an ellipsis at its end."""
    most = max(int(room / (0.5 * size)), 1)
    return text if len(text) <= most else f"{text[: most - 1]}…"
