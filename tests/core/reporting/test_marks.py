"""Reports and figures cannot see one another: here they are held together."""

from __future__ import annotations

import pytest

from resvae_core.figures import palette
from resvae_core.reporting import drawings, marks, typesetting, wording
from resvae_core.reporting.report import GeneRow, Report
from resvae_core.reporting.svg import to_svg


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_calls_look_as_in_the_figures() -> None:
    assert list(marks.CALLS) == list(palette.CALLS)
    for call, style in palette.CALLS.items():
        mark = marks.CALLS[call]
        assert mark.label == style.label
        assert marks.LIGHT[mark.role] == style.text_light
        assert marks.DARK[mark.role] == style.text_dark
        assert marks.LIGHT[f"mark-{mark.role}"] == style.colour


@pytest.mark.parametrize("colours", [marks.LIGHT, marks.DARK], ids=["light", "dark"])
def test_text_and_marks_have_enough_contrast(colours: dict[str, str]) -> None:
    grounds = (colours["ground"], colours["panel"])
    bare = {"ground", "panel", "rule", "grid"}
    for role in colours.keys() - bare:
        least = 3.0 if role.startswith("mark-") else 4.5
        # marks and the words of calls stand on the page's ground
        for ground in grounds[: 1 if role.endswith(tuple(palette.CALLS)) else 2]:
            assert contrast(colours[role], ground) >= least, (role, ground)


def test_every_character_of_the_layout_has_a_glyph() -> None:
    known = typesetting.load_fonts()
    text = "αβµ≥≤–−…·×▲▼◆⊘✓│²₂°" + drawings.AXIS + wording.SYNTHETIC + wording.NO_CALL
    text += "".join(mark.label for mark in (*marks.CALLS.values(), *marks.RANGES.values()))
    assert {mark for mark in text if not any(ord(mark) in font for font in known.values())} == set()


def test_a_character_without_a_glyph_is_shown_as_a_box_and_not_lost() -> None:
    assert "".join(part for _, part in typesetting.runs("a\U0001f9ecb")) == "a□b"


def test_a_line_that_is_too_long_ends_in_an_ellipsis_and_fits() -> None:
    shown = typesetting.fitted("W" * 80, 120.0, 9.0)
    assert shown.endswith("…")
    assert typesetting.text_width(shown, 9.0) <= 120.0


def test_bars_go_to_the_side_that_a_gene_argues_for() -> None:
    genes = [GeneRow("A", 1.0, 0.4), GeneRow("B", 1.0, -0.2)]
    shapes = drawings.gene_bars(genes, 250.0).shapes
    resistant, sensitive = (shape for shape in shapes if isinstance(shape, drawings.Polygon))
    middle = next(s for s in shapes if isinstance(s, drawings.Line)).x1
    assert min(x for x, _ in resistant.points) == pytest.approx(middle)
    assert max(x for x, _ in sensitive.points) == pytest.approx(middle)
    length = [
        max(x for x, _ in s.points) - min(x for x, _ in s.points) for s in (resistant, sensitive)
    ]
    assert length[0] == pytest.approx(2 * length[1])


@pytest.mark.parametrize(("probability", "filled"), [(0.0, 0), (0.574, 57), (1.0, 100)])
def test_as_many_of_a_hundred_lines_are_filled_as_resist(probability: float, filled: int) -> None:
    shapes = drawings.hundred_lines(probability, "resistant").shapes
    assert len(shapes) == 100
    assert sum(shape.filled for shape in shapes) == filled


def test_marks_of_models_stand_where_their_probability_is(report: Report) -> None:
    drawing = drawings.models_on_one_axis(report, 500.0)
    left, right = (
        next(s.x for s in drawing.shapes if isinstance(s, drawings.Text) and s.text == tick)
        for tick in ("0", "1")
    )
    for row in report.models:
        middle = left + row.probability * (right - left)
        assert any(
            isinstance(shape, drawings.Polygon)
            and min(x for x, _ in shape.points) < middle < max(x for x, _ in shape.points)
            for shape in drawing.shapes
        )
        assert f"{row.probability:.2f}" in drawing.description
    assert to_svg(drawing, "Models").count("<text") >= len(report.models)
