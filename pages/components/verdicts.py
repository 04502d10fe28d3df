"""What a sample is told first: whether it may be judged at all, then the call, then its basis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from pages.components import places, predictions, resources, stated_type, validation
from pages.components.messages import plain
from pages.components.quality import unit_word
from resvae_core.figures.palette import CALLS, model_word
from resvae_core.models.call_words import (
    agreement_words,
    floor_words,
    frequency_words,
    rule_words,
)
from resvae_core.models.ranking import read_headline

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from pages.components.state import Session
    from resvae_core.explain.attribution import Attribution
    from resvae_core.models.model_set import Forecast
    from resvae_core.models.ranking import Headline

Colour = Literal["green", "orange", "red"]

RANGES: dict[str, tuple[str, str, Colour]] = {
    "in range": ("In range", ":material/check_circle:", "green"),
    "borderline": ("Borderline", ":material/warning:", "orange"),
    "out of range": ("Out of range", ":material/block:", "red"),
}
CALL_COLOURS = {
    "resistant": "orange",
    "sensitive": "blue",
    "uncertain": "gray",
    "not assessable": "gray",
}


def show_range(session: Session, forecast: Forecast) -> bool:
    """Say whether the sample is one the models may be asked about; return whether it is.

    This stands above every number: where a sample is out of range, nothing is called.
    """
    row = forecast.ranges.to_dict("index")[session.sample]
    word, icon, colour = RANGES[row["range"]]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(word, icon=icon, color=colour)
        stated_type.badge(session)
        if session.is_demo:
            synthetic_badge()
        st.caption(_what_was_read(session, int(row["n_missing"])))
    stated_type.warn(session)
    reasons = "; ".join(row["reasons"])
    if row["range"] == "borderline":
        st.warning(f"Read every number with care, no firm call is made: {reasons}.")
    if row["range"] == "out of range":
        st.error(
            "**⊘ Not assessable: this sample is unlike those the models were made for.**\n\n"
            f"Found: {reasons}. Any probability would be a guess, so no drug is called.\n\n"
            "What would help: a bulk RNA-seq profile of a tumour, as counts or TPM of the whole "
            "transcriptome. Check unit and gene names on Upload & QC."
        )
    return bool(row["range"] != "out of range")


def synthetic_badge() -> None:
    """Say that the sample is no person."""
    st.badge("Synthetic patient", icon=":material/experiment:", color="violet")


def numbers(assessable: bool) -> DeltaGenerator:
    """Return the place for a sample's numbers: closed where the sample is out of range."""
    if assessable:
        return st.container()
    return st.expander("The numbers all the same, for inspection only: they are not calls")


def _what_was_read(session: Session, n_missing: int) -> str:
    """Return genes, unit and cancer type in one line."""
    from resvae_core.data.uploads.coverage import MAX_ZERO_SHARE

    genes = (
        "all genes that the models read" if not n_missing else f"{n_missing} model genes missing"
    )
    values = predictions.model_genes(session)
    n_zero = count_zeros(session)
    if n_zero > MAX_ZERO_SHARE * len(values):
        genes += f", but {n_zero} of {len(values)} are 0: lost rather than silent"
    read_as = unit_word(session.parsed().qc)
    return f"{genes} · read as {read_as} · {stated_type.as_stated(session)}"


def count_zeros(session: Session) -> int:
    """Count the genes that the models read and that are 0 in the sample."""
    return int((predictions.model_genes(session) == 0).sum())


def headline_of(session: Session, forecast: Forecast) -> Headline:
    """Return what the session's model says of its drug."""
    return read_headline(
        forecast, session.sample, session.model, session.drug, resources.thresholds()
    )


def show_headline(session: Session, forecast: Forecast) -> None:
    """Show the call for the chosen drug in words, with interval, agreement, place and floor."""
    headline = headline_of(session, forecast)
    style = CALLS[headline.call]
    with st.container(border=True):
        colour = CALL_COLOURS[headline.call]
        st.subheader(f"{headline.drug}: :{colour}[{style.label}]", anchor=False)
        if headline.call == "not assessable":
            st.markdown(f"{model_word(headline.model)} makes no call here. {_note(headline)}")
            return
        st.markdown(
            f"**Probability of resistance {headline.probability:.2f}** "
            f"(90 % interval {headline.lower:.2f}–{headline.upper:.2f}, "
            f"{model_word(headline.model)}). {frequency_words(headline.probability)}"
        )
        limits = validation.exclusion_here(session, headline.conformal)
        said = (
            _rule(headline),
            _agreement(headline),
            places.place_in_words(session, headline),
            f"{validation.set_in_words(headline.conformal)} {limits}",
        )
        st.markdown("\n".join(f"- {line}" for line in said if line.strip()))
        st.caption(f"{floor_words(headline.floor)} {_note(headline)}")


def _note(headline: Headline) -> str:
    """Return the note as a sentence."""
    note = plain(headline.note)
    return f"{note[:1].upper()}{note[1:]}." if note else ""


def _rule(headline: Headline) -> str:
    threshold = resources.thresholds()[headline.model]
    return rule_words(
        headline.call, headline.probability, headline.lower, headline.upper, threshold
    )


def _agreement(headline: Headline) -> str:
    """Say which way the five lean, with a mark where they do not agree."""
    disagree = headline.models_disagree
    said = agreement_words(headline.agreement.words, models_disagree=disagree)
    return f":material/call_split: {said}" if disagree else said


def provenance_notes(session: Session, forecast: Forecast) -> tuple[str, ...]:
    """Return what a downloaded table needs to be traced: models, file, cancer type, demo."""
    synthetic = ("SYNTHETIC PATIENT: not a person",) if session.is_demo else ()
    return (
        *synthetic,
        f"Models: {forecast.made_by}; reference: {forecast.reference}",
        f"File: SHA-256 {session.parsed().qc.file_digest}",
        f"Cancer type: {forecast.cancer_type or 'not stated'}",
    )


def by_size(attribution: Attribution) -> pd.DataFrame:
    """Return the attributions, the largest first whatever their sign."""
    return attribution.table.sort_values("attribution", key=abs, ascending=False)


def about_attribution(attribution: Attribution) -> None:
    """Say what the base stands for and how exactly the parts add up."""
    st.caption(
        f"Base: {attribution.background}. Base and attributions add up to the score within "
        f"{max(attribution.completeness_error, 1e-6):.1g} log-odds. Genes explain the model's "
        "arithmetic; that a gene carries a score does not make it a cause."
    )
