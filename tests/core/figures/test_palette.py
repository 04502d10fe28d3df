from __future__ import annotations

import pytest

from resvae_core.figures.contrast import contrast
from resvae_core.figures.palette import (
    ABLATION_WORDS,
    CALLS,
    FIVE,
    FLOORS,
    MODEL_WORDS,
    SERIES,
    faded,
    in_order,
    model_word,
    series_style,
)
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.catalog import KINDS, floor_names
from resvae_core.models.ensemble import Ensemble

GROUNDS = {"light": "#FFFFFF", "dark": "#0E1117"}


@pytest.mark.parametrize("ground", GROUNDS.values())
def test_marks_reach_the_wcag_contrast_of_graphics(ground) -> None:
    colours = [style.colour for style in (*CALLS.values(), *SERIES)]
    assert min(contrast(colour, ground) for colour in colours) >= 3.0


def test_text_of_calls_reaches_the_wcag_contrast_of_text() -> None:
    for style in CALLS.values():
        assert contrast(style.text_light, GROUNDS["light"]) >= 4.5
        assert contrast(style.text_dark, GROUNDS["dark"]) >= 4.5


def test_no_two_calls_share_a_word_a_symbol_or_a_marker() -> None:
    for part in ("word", "symbol", "marker"):
        assert len({getattr(style, part) for style in CALLS.values()}) == len(CALLS)


def test_series_differ_by_more_than_colour() -> None:
    assert len({style.dash for style in SERIES}) == len(SERIES)
    assert len({style.marker for style in SERIES}) == len(SERIES)
    assert series_style(5) == series_style(0)


def test_words() -> None:
    assert CALLS["resistant"].label == "▲ Resistant"
    assert model_word("drug_tissue_mean") == "Drug × tissue mean"
    assert model_word("my_model") == "My model"
    assert faded("#0072B2", 0.5) == "rgba(0, 114, 178, 0.5)"


def test_models_have_the_names_of_the_catalogue() -> None:
    assert {kind: model.title for kind, model in KINDS.items()} == MODEL_WORDS
    assert {kind: model.title for kind, model in ABLATIONS.items()} == ABLATION_WORDS
    assert Ensemble.needs == FIVE
    assert list(FLOORS) == floor_names()


def test_order_puts_the_ensemble_first_and_unknown_models_last() -> None:
    given = ["mine", "xgboost", "drug_mean", "vae_ll", "ensemble", "xgboost"]
    assert in_order(given) == ["ensemble", "vae_ll", "xgboost", "drug_mean", "mine"]
