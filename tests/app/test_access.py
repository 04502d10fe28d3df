"""What everybody must be able to read and use: colours of the themes, alternative texts, tables."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import run
from pages.components.contrast import DARK_GROUND, ON_PRIMARY, on_primary
from resvae_core.config import PROJECT_ROOT
from resvae_core.figures.contrast import GRAPHIC_CONTRAST, TEXT_CONTRAST, blend, contrast

CONFIG = tomllib.loads((PROJECT_ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
THEMES = {mode: CONFIG["theme"][mode] for mode in ("light", "dark")}
NAMES = ("red", "orange", "yellow", "blue", "green", "violet", "gray")
GROUNDS = ("backgroundColor", "secondaryBackgroundColor")
FADED = 0.6
"""Opacity that Streamlit gives to captions, placeholders and help."""
CHOSEN = 0.1
"""Share of the primary colour in the ground of a chosen segment or pill."""

SCRIPTS = [PROJECT_ROOT / "app.py", *sorted((PROJECT_ROOT / "pages").rglob("*.py"))]
CHARTS = {"plotly_chart", "dataframe", "image", "data_editor", "iframe"}
"""Elements that take an alternative text."""
OTHER_CHARTS = {
    *("line_chart", "bar_chart", "area_chart", "scatter_chart", "altair_chart", "pyplot"),
    *("vega_lite_chart", "graphviz_chart", "pydeck_chart", "bokeh_chart", "table"),
}
"""Elements that have no takeaway, notes or table behind them here."""
LINKS = {
    "www.genecards.org",
    "www.oncokb.org",
    "www.cbioportal.org",
    "www.uniprot.org",
    "pubmed.ncbi.nlm.nih.gov",
}
"""Machines that a reader may go to by a link; a page itself asks nothing of them."""
TABLE_BESIDE = {
    "pages/overview.py": "rankings.choose_drug",
    "pages/components/findings.py": "_table",
}
"""Scripts that draw a chart without the two tabs of `panels.chart`, and what shows its table."""


def calls(script: Path) -> list[ast.Call]:
    tree = ast.parse(script.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def short(script: Path) -> str:
    return script.relative_to(PROJECT_ROOT).as_posix()


@pytest.mark.parametrize("mode", THEMES)
def test_every_text_colour_reaches_aa_on_page_and_sidebar(mode) -> None:
    theme = THEMES[mode]
    links = theme.get("linkColor", theme["blueTextColor"])
    words = {name: theme[f"{name}TextColor"] for name in NAMES}
    words |= {"text": theme["textColor"], "link": links}
    for ground in GROUNDS:
        for name, colour in words.items():
            assert contrast(colour, theme[ground]) >= TEXT_CONTRAST, (name, ground)


@pytest.mark.parametrize("mode", THEMES)
@pytest.mark.parametrize("name", NAMES)
def test_words_of_badges_and_alerts_reach_aa_on_their_own_ground(mode, name) -> None:
    theme = THEMES[mode]
    ground = theme[f"{name}BackgroundColor"]
    assert contrast(theme[f"{name}TextColor"], ground) >= TEXT_CONTRAST


@pytest.mark.parametrize("mode", THEMES)
def test_captions_reach_aa_though_they_are_faded(mode) -> None:
    theme = THEMES[mode]
    for ground in GROUNDS:
        seen = blend(theme["textColor"], FADED, theme[ground])
        assert contrast(seen, theme[ground]) >= TEXT_CONTRAST, ground


@pytest.mark.parametrize("mode", THEMES)
def test_primary_colour_can_be_read_as_the_text_of_tabs_and_chosen_segments(mode) -> None:
    theme = THEMES[mode]
    ground, primary = theme["backgroundColor"], theme["primaryColor"]
    assert contrast(primary, ground) >= TEXT_CONTRAST
    assert contrast(primary, blend(primary, CHOSEN, ground)) >= TEXT_CONTRAST


def test_labels_of_primary_buttons_reach_aa_and_their_white_icons_that_of_graphics() -> None:
    assert contrast("#FFFFFF", THEMES["light"]["primaryColor"]) >= TEXT_CONTRAST
    assert contrast(ON_PRIMARY, THEMES["dark"]["primaryColor"]) >= TEXT_CONTRAST
    assert contrast("#FFFFFF", THEMES["dark"]["primaryColor"]) >= GRAPHIC_CONTRAST


def in_browser(monkeypatch, mode: str | None, shown: str) -> None:
    """Let a browser ask for a theme where the program was started with `run.theme_options`."""
    from types import SimpleNamespace

    from pages.components import contrast as of_pages

    options = {f"theme.{name}.backgroundColor": THEMES[name]["backgroundColor"] for name in THEMES}
    forced = (option.removeprefix("--").partition("=") for option in run.theme_options(shown))
    options |= {name: value for name, _, value in forced}
    context = SimpleNamespace(theme=SimpleNamespace(type=mode))
    streamlit = SimpleNamespace(context=context, get_option=options.__getitem__)
    monkeypatch.setattr(of_pages, "st", streamlit)


ON_DARK = f':color[Go on]{{foreground="{ON_PRIMARY}"}}'


@pytest.mark.parametrize(
    ("mode", "label"), [("light", "Go on"), (None, "Go on"), ("dark", ON_DARK)]
)
def test_label_of_a_primary_button_follows_the_theme(monkeypatch, mode, label) -> None:
    in_browser(monkeypatch, mode, "system")
    assert on_primary("Go on") == label


@pytest.mark.parametrize("mode", ["light", "dark", None])
@pytest.mark.parametrize(("shown", "label"), [("light", "Go on"), ("dark", ON_DARK)])
def test_one_theme_for_everybody_is_what_counts_not_the_browser_s(
    monkeypatch, mode, shown, label
) -> None:
    in_browser(monkeypatch, mode, shown)
    assert on_primary("Go on") == label


def test_dark_ground_that_labels_are_chosen_for_is_that_of_the_theme() -> None:
    assert THEMES["dark"]["backgroundColor"] == DARK_GROUND


def test_primary_buttons_have_a_label_that_can_be_read_and_a_key() -> None:
    for script in SCRIPTS:
        for call in calls(script):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if "'primary'" in given.get("type", ""):
                assert "on_primary(" in ast.unparse(call.args[0]), (short(script), call.lineno)
                assert "key" in given, (short(script), call.lineno)


def test_charts_are_drawn_in_one_place_in_text_that_can_be_read() -> None:
    found = [
        (short(script), ast.unparse(call.args[0]))
        for script in SCRIPTS
        for call in calls(script)
        if name_of(call).endswith(".plotly_chart")
    ]
    assert found == [("pages/components/panels.py", "on_page(figure)")]


def test_every_chart_table_and_picture_has_an_alternative_text() -> None:
    n_found = 0
    for script in SCRIPTS:
        for call in calls(script):
            if name_of(call).rpartition(".")[2] in CHARTS and "." in name_of(call):
                n_found += 1
                given = {keyword.arg: keyword.value for keyword in call.keywords}
                assert "alt" in given, (short(script), call.lineno)
                assert ast.unparse(given["alt"]) not in {"''", "None"}, (short(script), call.lineno)
    assert n_found > 5


def test_no_chart_goes_past_the_figures_of_the_core() -> None:
    for script in SCRIPTS:
        for call in calls(script):
            base, _, name = name_of(call).rpartition(".")
            assert not (base == "st" and name in OTHER_CHARTS), (short(script), call.lineno)


def test_every_chart_has_its_table() -> None:
    beside = {}
    for script in SCRIPTS:
        for call in calls(script):
            if name_of(call) in {"panels.chart", "chart"}:
                assert len(call.args) >= 3, (short(script), call.lineno, "no table")
            elif name_of(call) == "panels.draw":
                beside[short(script)] = {name_of(other) for other in calls(script)}
    assert set(beside) == set(TABLE_BESIDE)
    assert all(TABLE_BESIDE[script] in called for script, called in beside.items())


def test_no_page_injects_markup_or_script() -> None:
    for script in SCRIPTS:
        for call in calls(script):
            given = {keyword.arg for keyword in call.keywords}
            assert not given & {"unsafe_allow_html", "unsafe_allow_javascript"}, short(script)
            forbidden = ("st.html", "st.write_stream", "components.")
            assert not name_of(call).startswith((*forbidden, "st.components")), short(script)


def test_pages_name_other_machines_in_links_of_a_reader_only() -> None:
    for script in SCRIPTS:
        hosts = re.findall(r"https?://([^/\s\"'\\)]+)", script.read_text("utf-8"))
        assert set(hosts) <= LINKS, short(script)


def test_fonts_are_those_that_streamlit_brings_along() -> None:
    import streamlit

    given = {name: value for name, value in _settings(CONFIG["theme"]) if "font" in name.lower()}
    assert all("http" not in str(value) for value in given.values())
    assert not {"font", "headingFont", "codeFont", "fontFaces"} & set(given)
    bundled = Path(streamlit.__file__).parent / "static" / "static" / "media"
    assert list(bundled.glob("SourceSans*.woff2"))
    assert list(bundled.glob("MaterialSymbols*.woff2"))


def _settings(part: dict[str, object]) -> list[tuple[str, object]]:
    """Return all settings of a section and of those within it."""
    found: list[tuple[str, object]] = []
    for name, value in part.items():
        found += _settings(value) if isinstance(value, dict) else [(name, value)]
    return found
