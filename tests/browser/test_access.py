"""Reading and going through the dashboard: contrast as the browser computes it, keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pages.components.frame import QUESTION
from tests.browser.dashboard import Visitor, visit

# Every visible piece of text with the contrast that it has, after WCAG 2.2, 1.4.3. Left out: what
# is disabled or hidden, and, in drawings, the words across synthetic data (they stand beneath, too)
# and numbers in coloured cells, whose ground is drawn and not styled.
READ = """
() => {
  const parse = (colour) => {
    const parts = colour.match(/[\\d.]+/g).map(Number);
    return {rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1};
  };
  const over = (top, alpha, ground) => top.map((c, i) => alpha * c + (1 - alpha) * ground[i]);
  const luminance = (rgb) => rgb
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const layers = (element) => {
    const found = [];
    for (let node = element; node; node = node.parentElement) found.push(getComputedStyle(node));
    return found;
  };
  const hidden = "canvas, script, style, noscript", disabled = "[disabled], [aria-disabled=true]";
  const skipped = `${hidden}, ${disabled}, .heatmaplayer`;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const rows = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest(skipped)) continue;
    const box = element.getBoundingClientRect();
    const styles = layers(element);
    const opacity = styles.reduce((product, style) => product * Number(style.opacity), 1);
    if (!box.width || !box.height || styles[0].visibility !== "visible" || opacity < 0.05) continue;
    const drawn = element.closest("svg") !== null;
    if (drawn && text === "SYNTHETIC DATA" && opacity < 0.2) continue;
    const ground = styles.reduceRight((under, style) => {
      const {rgb, alpha} = parse(style.backgroundColor);
      return over(rgb, alpha, under);
    }, [255, 255, 255]);
    const {rgb, alpha} = parse(drawn ? styles[0].fill : styles[0].color);
    const size = parseFloat(styles[0].fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(styles[0].fontWeight) >= 700);
    const icon = styles[0].fontFamily.includes("Material Symbols");
    rows.push({
      text, drawn, needed: large || icon ? 3 : 4.5,
      primary: element.closest("button[kind=primary]") !== null,
      contrast: contrast(over(rgb, alpha * opacity, ground), ground),
    });
  }
  return rows;
}
"""

# what has the keyboard, and whether that shows: by a ring, or by another ground than its like have
FOCUS = """
() => {
  const focused = document.activeElement, style = getComputedStyle(focused);
  const widths = (style.boxShadow.match(/[\\d.]+px/g) ?? []).map(parseFloat);
  const kind = focused.dataset.testid;
  const like = [...document.querySelectorAll(`[data-testid="${kind}"]`)];
  const other = like.find((one) => one !== focused);
  const tinted = other && getComputedStyle(other).backgroundColor !== style.backgroundColor;
  return {
    words: focused.innerText.trim(), tag: focused.tagName,
    visible: focused.matches(":focus-visible") && (Math.max(0, ...widths) > 1 || tinted),
  };
}
"""


@pytest.fixture(scope="module", params=["light", "dark"])
def read(request, chromium, server) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Page to what can be read on it, with the demo patient, in one of the themes."""
    with visit(chromium, server.address, request.param) as visitor:
        visitor.open("/")
        visitor.at(QUESTION)
        found = {"Home": see(visitor)}
        visitor.page.get_by_role("button", name="Load DEMO-1").click()
        visitor.at("Overview")
        found["Overview"] = see(visitor)
        visitor.follow("Survival")
        visitor.page.locator(".js-plotly-plot .xtick text").first.wait_for(state="attached")
        found["Survival"] = see(visitor)
        yield found


def see(visitor: Visitor) -> list[dict[str, Any]]:
    """Read a page once its footer, which comes last, is there."""
    visitor.page.get_by_test_id("stMain").get_by_text(re.compile(r"^ResVAE \d")).wait_for()
    visitor.settle()
    visitor.page.wait_for_timeout(700)  # what is new fades in
    return visitor.page.evaluate(READ)


def too_faint(rows: list[dict[str, Any]]) -> list[str]:
    return [
        f"{row['text'][:40]} {row['contrast']:.2f}"
        for row in rows
        if row["contrast"] < row["needed"]
    ]


def test_words_of_home_overview_and_survival_reach_aa(read) -> None:
    for page, rows in read.items():
        words = [row for row in rows if not (row["drawn"] or row["primary"])]
        assert len(words) > 30, page
        assert too_faint(words) == [], page


def test_words_of_charts_and_of_primary_buttons_reach_aa(read) -> None:
    for page, rows in read.items():
        assert too_faint([row for row in rows if row["drawn"] or row["primary"]]) == [], page
    assert any(row["drawn"] for row in read["Survival"])
    assert any(row["primary"] for row in read["Home"])


def go_by_keyboard(visitor: Visitor, tag: str, words: str) -> None:
    """Press Tab until a button or link that ends with these words has the keyboard, then Enter."""
    for _ in range(80):
        visitor.page.keyboard.press("Tab")
        focused = visitor.page.evaluate(FOCUS)
        if focused["tag"] == tag and focused["words"].endswith(words):
            visitor.page.wait_for_timeout(400)  # the ring fades in
            shown = visitor.page.evaluate(FOCUS)["visible"]
            assert shown, f"nothing shows that {words} has the keyboard"
            visitor.page.keyboard.press("Enter")
            return
    raise AssertionError(f"{words} is not reached by 80 steps of Tab")


def test_main_journey_by_keyboard_alone(visitor) -> None:
    visitor.open("/")
    go_by_keyboard(visitor, "BUTTON", "Load DEMO-1")
    visitor.at("Overview")
    go_by_keyboard(visitor, "A", "Drug")
    visitor.at("Drug")
    assert "No sample yet" not in visitor.words()
