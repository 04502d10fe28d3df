"""Intervals small enough for the cell of a table: one picture a row."""

from __future__ import annotations

import base64
import math

from resvae_core.figures.palette import CALLS, NEUTRAL, CallStyle

WIDTH, HEIGHT = 150, 26
"""Of a picture, in pixels: as high as the row of a table."""
_EDGE = 8
_MIDDLE = HEIGHT / 2
_MARK = 4.5


def interval_strip(
    probability: float, lower: float, upper: float, *, call: str, floor: float = math.nan
) -> str:
    """Draw a probability and its interval on an axis from 0 to 1.

    Parameters
    ----------
    probability, lower, upper
        P(resistant) and its interval, 0 to 1; NaN where not assessable.
    call
        Key of `palette.CALLS`: shape and colour of the mark.
    floor
        P(resistant) from drug and tissue alone, drawn as an upright bar; NaN for none.

    Returns
    -------
    str
        A ``data:`` address that holds an SVG, so that nothing is fetched; "" where there is no
        probability. Its numbers must stand beside it: a picture in a table has no text of its own.
    """
    if math.isnan(probability):
        return ""
    style = CALLS[call]
    parts = [_line(0.0, 1.0, "#7F7F7F", 1, 0.55)]
    parts += [_tick(at, 4, 1, 0.55) for at in (0.0, 0.5, 1.0)]
    if not math.isnan(floor):
        parts.append(_tick(floor, 9, 2, 1.0))
    if not math.isnan(lower + upper):
        parts.append(_line(lower, upper, style.colour, 5, 0.55))
    parts.append(_mark(style, _at(probability)))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}</svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _at(share: float) -> float:
    """Return the place of a share on the axis, in pixels."""
    return round(_EDGE + share * (WIDTH - 2 * _EDGE), 1)


def _line(start: float, end: float, colour: str, width: float, opacity: float) -> str:
    return (
        f'<line x1="{_at(start)}" x2="{_at(end)}" y1="{_MIDDLE}" y2="{_MIDDLE}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-opacity="{opacity}" stroke-linecap="round"/>'
    )


def _tick(share: float, half: float, width: float, opacity: float) -> str:
    return (
        f'<line x1="{_at(share)}" x2="{_at(share)}" y1="{_MIDDLE - half}" y2="{_MIDDLE + half}" '
        f'stroke="{NEUTRAL}" stroke-width="{width}" stroke-opacity="{opacity}"/>'
    )


def _mark(style: CallStyle, x: float) -> str:
    """Return a call's mark at a point: a filled shape, a crossed ring where nothing is called."""
    if style.marker == "circle-x-open":
        half = round(_MARK * 0.7, 1)
        cross = f"M{x - half:.1f} {_MIDDLE - half}l{2 * half} {2 * half}m0 {-2 * half}l{-2 * half} "
        return (
            f'<g fill="none" stroke="{style.colour}" stroke-width="1.6">'
            f'<circle cx="{x}" cy="{_MIDDLE}" r="{_MARK}"/><path d="{cross}{2 * half}"/></g>'
        )
    return f'<path d="{_outline(style.marker, x)}" fill="{style.colour}"/>'


def _outline(marker: str, x: float) -> str:
    """Return a filled shape around a point, as an SVG path."""
    top, bottom, left, right = _MIDDLE - _MARK, _MIDDLE + _MARK, x - _MARK, x + _MARK
    corners = {
        "triangle-up": ((x, top), (right, bottom), (left, bottom)),
        "triangle-down": ((left, top), (right, top), (x, bottom)),
        "diamond": ((x, top), (right, _MIDDLE), (x, bottom), (left, _MIDDLE)),
    }[marker]
    return f"M{'L'.join(f'{across:.1f} {down:.1f}' for across, down in corners)}Z"
