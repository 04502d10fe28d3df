from __future__ import annotations

import base64
import math
import re
from xml.etree import ElementTree

import pytest

from resvae_core.figures.palette import CALLS
from resvae_core.figures.strips import HEIGHT, WIDTH, interval_strip


def drawn(picture: str) -> str:
    head, content = picture.split(",", 1)
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def places(svg: str) -> list[float]:
    return [float(value) for value in re.findall(r'x[12]="([-\d.]+)"', svg)]


@pytest.mark.parametrize("call", CALLS)
def test_strip_is_well_formed_and_shows_the_call_by_shape_and_colour(call: str) -> None:
    svg = drawn(interval_strip(0.6, 0.4, 0.8, call=call))
    root = ElementTree.fromstring(svg)
    assert root.attrib["viewBox"] == f"0 0 {WIDTH} {HEIGHT}"
    assert CALLS[call].colour in svg
    others = {interval_strip(0.6, 0.4, 0.8, call=other) for other in CALLS if other != call}
    assert interval_strip(0.6, 0.4, 0.8, call=call) not in others


def test_interval_lies_around_the_probability_and_within_the_picture() -> None:
    svg = drawn(interval_strip(0.6, 0.0, 1.0, call="uncertain", floor=0.9))
    assert all(0 < at < WIDTH for at in places(svg))
    low, high = (drawn(interval_strip(p, p, p, call="resistant")) for p in (0.2, 0.7))
    assert max(places(low)) == max(places(high)), "the axis does not move with the numbers"


def test_floor_is_drawn_only_where_it_is_known() -> None:
    without = drawn(interval_strip(0.6, 0.4, 0.8, call="resistant"))
    with_floor = drawn(interval_strip(0.6, 0.4, 0.8, call="resistant", floor=0.9))
    assert with_floor.count("<line") == without.count("<line") + 1


def test_no_probability_gives_no_picture() -> None:
    assert interval_strip(math.nan, math.nan, math.nan, call="not assessable") == ""


def test_strip_fetches_nothing() -> None:
    svg = drawn(interval_strip(0.6, 0.4, 0.8, call="resistant"))
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    assert "href" not in svg
