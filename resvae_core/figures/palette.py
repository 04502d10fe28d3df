"""Colours, shapes and words: decided once for every figure and page.

Marks have at least 3:1 contrast on white and on #0E1117; colour never stands without a word and a
shape. Text takes the colours of the theme it is shown in, so none are set here but for calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NEUTRAL = "#6B7280"
GRID = "rgba(127, 127, 127, 0.25)"
RULE = "rgba(127, 127, 127, 0.8)"

HIGHER_IS_RESISTANT = "Probability of resistance (0 sensitive → 1 resistant)"


@dataclass(frozen=True)
class CallStyle:
    """How a call is shown.

    Parameters
    ----------
    word, symbol
        Word for readers and the shape in text, such as "Resistant" and "▲".
    marker
        The same shape as a Plotly marker symbol.
    colour
        Of marks, in light and in dark mode.
    text_light, text_dark
        Of text on white and on #0E1117, with at least 4.5:1 contrast.
    """

    word: str
    symbol: str
    marker: str
    colour: str
    text_light: str
    text_dark: str

    @property
    def label(self) -> str:
        """Return shape and word, such as "▲ Resistant"."""
        return f"{self.symbol} {self.word}"


CALLS: dict[str, CallStyle] = {
    "resistant": CallStyle("Resistant", "▲", "triangle-up", "#D55E00", "#B84A00", "#FF8A3D"),
    "uncertain": CallStyle("Uncertain", "◆", "diamond", NEUTRAL, NEUTRAL, "#A3ABB8"),
    "sensitive": CallStyle("Sensitive", "▼", "triangle-down", "#0072B2", "#005B96", "#5DB3F0"),
    "not assessable": CallStyle(
        "Not assessable", "⊘", "circle-x-open", NEUTRAL, NEUTRAL, "#A3ABB8"
    ),
}

MODEL_WORDS = {
    "ensemble": "Ensemble of five",
    "vae_ll": "VAE_LL",
    "vae_ls": "VAE_LS",
    "vae_ld": "VAE_LD",
    "random_forest": "Random forest",
    "xgboost": "XGBoost",
    "elastic_net": "Elastic net",
    "drug_tissue_mean": "Drug × tissue mean",
    "tissue_mean": "Tissue mean",
    "drug_mean": "Drug mean",
    "always_resistant": "Always resistant",
}
"""Model to its name for readers, in the order of figures: ensemble, the five, simple, floors."""

ABLATION_WORDS = {
    "vae_ld_undistilled": "VAE_LD without distillation",
    "vae_ld_cosine": "VAE_LD distilled by cosine alone",
    "vae_ld_genes": "VAE_LD without ranks and distillation",
    "vae_ld_multi_task": "VAE_LD, linear head trained with it",
    "vae_ll_untrained": "VAE_LL, random encoder",
    "vae_ll_embedding": "VAE_LL, embedding alone",
    "vae_ll_pca": "VAE_LL, PCA of equal width",
}

ENSEMBLE = "ensemble"
FIVE = ("vae_ll", "vae_ls", "vae_ld", "random_forest", "xgboost")
"""The models whose agreement is counted; the ensemble is their mean."""
SIMPLE = "elastic_net"
"""The strong simple model that the five have to beat."""

FLOORS = ("drug_tissue_mean", "tissue_mean", "drug_mean", "always_resistant")
"""Models that read no expression; a learned model is worth what it adds to them."""
_MODEL_NAME = re.compile(rf"\b({'|'.join((*ABLATION_WORDS, *MODEL_WORDS))})\b")


@dataclass(frozen=True)
class SeriesStyle:
    """Colour, line dash and marker of one of several groups or models.

    Parameters
    ----------
    colour, dash, marker
        As Plotly names them. None of the colours is one that a call uses.
    """

    colour: str
    dash: str
    marker: str


SERIES = (
    SeriesStyle("#0F8F7F", "solid", "circle"),
    SeriesStyle("#8A63D2", "dash", "square"),
    SeriesStyle("#A67C00", "dot", "diamond"),
    SeriesStyle("#C04D88", "dashdot", "cross"),
    SeriesStyle(NEUTRAL, "longdash", "star"),
)


def series_style(position: int) -> SeriesStyle:
    """Return the style of the series at a position; styles repeat after five."""
    return SERIES[position % len(SERIES)]


def model_word(model: str) -> str:
    """Return a model's name for readers; an unknown one with spaces for underscores."""
    known = MODEL_WORDS.get(model) or ABLATION_WORDS.get(model)
    return known or model.replace("_", " ").capitalize()


def with_model_words(text: str) -> str:
    """Return a text with the names of models as readers know them: ``vae_ls`` as "VAE_LS"."""
    return _MODEL_NAME.sub(lambda found: model_word(found[0]), text)


def in_order(models: Iterable[str]) -> list[str]:
    """Return models in the order of figures, each once; unknown ones last, as they come."""
    given = list(dict.fromkeys(models))
    known = [model for model in MODEL_WORDS if model in given]
    return [*known, *(model for model in given if model not in MODEL_WORDS)]


def faded(colour: str, opacity: float) -> str:
    """Return a hex colour as ``rgba`` with an opacity between 0 and 1."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
