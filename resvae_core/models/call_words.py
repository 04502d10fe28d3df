"""What a call says in words: the same on every page, in every report and at the command line."""

from __future__ import annotations

import math

from resvae_core.models.ranking import Agreement


def rule_words(call: str, probability: float, lower: float, upper: float, threshold: float) -> str:
    """Say why a call is what it is.

    Most cell lines resist, so "sensitive" means less resistant than usual: where resistance is
    still the more likely outcome, it says so.

    Parameters
    ----------
    call
        ``resistant``, ``sensitive`` or ``uncertain``.
    probability, lower, upper
        P(resistant) and its 90 % interval.
    threshold
        The model's probability at which calls part.
    """
    limit = f"this model's limit, {threshold:.2f}"
    if call == "resistant":
        return f"Resistant: the whole interval lies at or above {limit}."
    if call == "sensitive":
        said = f"Sensitive: the whole interval lies below {limit}."
        if probability < 0.5:
            return said
        return (
            f"{said} Most cell lines resist, so this is less resistance than usual; resistance is "
            "still the more likely outcome."
        )
    if lower < threshold <= upper:
        return f"Uncertain: the interval includes {limit}."
    return "Uncertain: only a sample that is in range gets a firm call."


def frequency_words(probability: float) -> str:
    """Say a probability as a natural frequency, of cell lines: it is calibrated on nothing else.

    It is what the calibrated model expects; what was observed stands with the calibration.
    """
    return (
        f"Of 100 cell lines that score like this, the model expects about {100 * probability:.0f} "
        "to be resistant."
    )


def agreement_words(words: str, *, models_disagree: bool) -> str:
    """Say which way the five models lean, and first where they disagree."""
    said = f"{words[:1].upper()}{words[1:]}."
    return f"The models disagree. {said}" if models_disagree else said


def floor_words(floor: float) -> str:
    """Say what drug and tissue alone would give; "" where the floor is not known."""
    if math.isnan(floor):
        return ""
    return f"Drug and tissue alone, without this profile, would say {floor:.2f}."


def lean_words(counts: Agreement, symbols: dict[str, str]) -> str:
    """Return how many of the five lean the same way, such as "4 of 5 ▲"; "" where none does.

    Parameters
    ----------
    counts
        Of one drug.
    symbols
        ``resistant`` and ``sensitive`` to their shapes.
    """
    if not counts.n_agree:
        return ""
    word = "resistant" if counts.n_resistant >= counts.n_sensitive else "sensitive"
    split = " split" if counts.models_disagree else ""
    return f"{counts.n_agree} of {counts.n_models} {symbols[word]}{split}"
