"""Signs in words: which way is resistant, and how a signed number is written."""

from __future__ import annotations

from resvae_core.figures.palette import CALLS, CallStyle

DIRECTIONS = ("resistant", "sensitive")
"""The two ways an effect can point, in the order of legends."""

TOWARDS = "▼ towards sensitive ← 0 → ▲ towards resistant"
EXPRESSION_GOES_WITH = "▼ high = more sensitive ← 0 → ▲ high = more resistant"
ATTRIBUTION_AXIS = f"Attribution, log-odds of resistance<br>{TOWARDS}"
Q_CLEAR = 0.05
"""False discovery rate below which a gene is called clear."""


def style_of(effect: float) -> CallStyle:
    """Return the style of the side that an effect points to; 0 counts as resistant."""
    return CALLS["resistant" if effect >= 0 else "sensitive"]


def signed(number: float, digits: int = 2) -> str:
    """Write a number with its sign, such as "+0.31" or "−0.31"; "not known" for NaN."""
    if number != number:
        return "not known"
    return f"{number:+.{digits}f}".replace("-", "−")


def with_sign(effect: float, digits: int = 2) -> str:
    """Write shape and signed number, such as "▲ +0.31"."""
    return f"{style_of(effect).symbol} {signed(effect, digits)}"


def q_words(q_value: float) -> str:
    """Write a q-value as readers meet it, such as "q 0.003" or "q < 0.001"."""
    if q_value != q_value:
        return "q not known"
    return "q < 0.001" if q_value < 0.001 else f"q {q_value:.3f}"
