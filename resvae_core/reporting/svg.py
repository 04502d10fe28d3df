"""Drawings as inline SVG, its colours taken from the page's style, light or dark."""

from __future__ import annotations

from html import escape

from resvae_core.reporting.drawings import Drawing, Line, Polygon, Shape


def to_svg(drawing: Drawing, title: str) -> str:
    """Return a drawing as an ``svg`` element that scales with its place.

    Parameters
    ----------
    drawing
        What to draw; its description is told to those who do not see it.
    title
        Name of the picture.
    """
    shapes = "".join(map(_shape, drawing.shapes))
    return (
        f'<svg viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" '
        f'style="max-width:{1.45 * drawing.width:.0f}px" role="img" '
        f'aria-label="{escape(title)}. {escape(drawing.description)}">{shapes}</svg>'
    )


def _shape(shape: Shape) -> str:
    colour = f"var(--{shape.role})"
    if isinstance(shape, Line):
        dash = f' stroke-dasharray="{" ".join(map(str, shape.dash))}"' if shape.dash else ""
        return (
            f'<line x1="{shape.x1:.1f}" y1="{shape.y1:.1f}" x2="{shape.x2:.1f}" '
            f'y2="{shape.y2:.1f}" style="stroke:{colour}" stroke-width="{shape.width}"{dash}/>'
        )
    if isinstance(shape, Polygon):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        paint = f"fill:{colour}" if shape.filled else f"fill:none;stroke:{colour}"
        return f'<polygon points="{points}" style="{paint}" stroke-width="0.7"/>'
    weight = ' font-weight="600"' if shape.bold else ""
    return (
        f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" style="fill:{colour}" '
        f'font-size="{shape.size}" text-anchor="{shape.anchor}"{weight}>{escape(shape.text)}</text>'
    )
