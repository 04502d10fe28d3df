"""Whether sets and probabilities hold: in words, for the patient's cancer type and for a drug."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, panels, resources
from resvae_core.data.cancer_types import load_cancer_types, tissue_words
from resvae_core.figures.calibration import MINIMAL_LINES, NOMINAL, reliability
from resvae_core.figures.palette import model_word

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session

SPLIT = "leave_cell_line_out"
NEAR = 0.05
"""How far a bin's mean probability may lie from a sample's and still be called like it."""
SETS = {
    "resistant": "**resistant only**; about one in ten sensitive cell lines, or fewer, score so "
    "high.",
    "sensitive": "**sensitive only**; about one in ten resistant cell lines, or fewer, score so "
    "low. Resistant lines are many more, so the sample may be resistant all the same.",
    "both": "**either**; resistant and sensitive cell lines alike often score like this.",
    "neither": "**empty**; the prediction is unlike that of resistant and of sensitive cell lines "
    "alike. Read nothing from it.",
}


def set_in_words(conformal: str) -> str:
    """Return a conformal set as a sentence; "" where there is none."""
    return f"90 % set: {SETS[conformal]}" if conformal in SETS else ""


def exclusion_here(session: Session, conformal: str) -> str:
    """Say where a class that a set excludes is missed too often in the patient's cancer type.

    "" where nothing is excluded, or where the exclusion was seen to hold.
    """
    excluded = {"resistant": "sensitive", "sensitive": "resistant"}.get(conformal)
    if not excluded or not session.cancer_type:
        return ""
    row, where = _coverage(session).get(excluded), cancer_word(session)
    n_lines = int(row["n_lines"]) if row else 0
    if row is None or n_lines < MINIMAL_LINES:
        return f"Whether that holds in {where} was not assessed: {n_lines} {excluded} lines."
    if row["upper"] >= NOMINAL:
        return ""
    return (
        f"**Take it with care:** in {where}, of 100 {excluded} pairs of line and drug such sets "
        f"left *{excluded}* possible for only {100 * row['coverage']:.0f}, where "
        f"{100 * NOMINAL:.0f} were meant."
    )


def cancer_word(session: Session) -> str:
    """Return the cancer type within a sentence, with the label of its cell lines if another."""
    kind = load_cancer_types()[session.cancer_type]
    label = kind.gdsc_tissue
    other = f" (cell lines labelled {tissue_words(label)})" if label and label != kind.code else ""
    return f"{kind.name[:1].lower()}{kind.name[1:]}{other}"


def in_this_cancer_type(session: Session) -> list[str]:
    """Say in sentences how the session's model did on cell lines of the patient's cancer type."""
    if not session.cancer_type:
        return ["No cancer type is stated, so nothing can be said of how well this holds in it."]
    where = cancer_word(session)
    if not load_cancer_types()[session.cancer_type].gdsc_tissue:
        return [f"Not assessed in {where}: no cell line of it was measured."]
    return [_sets_hold(session, where), _probabilities_hold(session, where)]


def show_cancer_type(session: Session, probability: float) -> None:
    """Show reliability and coverage of the session's model where the patient's cancer is.

    Parameters
    ----------
    session
        Holds model, drug and cancer type.
    probability
        P(resistant) of the sample; the bin of the curve that is nearest to it is put into words.
    """
    chart, table = st.columns(2)
    curve = _curve(session)
    with chart:
        if len(curve):
            st.markdown(_bin_in_words(curve, probability))
            panels.chart(
                reliability(curve, where=_sentence_start(cancer_word(session))),
                "reliability-here",
                panels.TableView("reliability-here", curve, columns.RELIABILITY),
            )
        else:
            st.markdown(_too_few(session))
    with table:
        st.markdown(
            f"How often {model_word(session.model)}'s 90 % set held the true class, on cell lines "
            "left out of training:"
        )
        st.dataframe(
            _coverage_rows(session),
            hide_index=True,
            column_config=columns.COVERAGE_HERE,
            key="coverage_here",
            alt="Observed coverage of the 90 % sets",
        )
        st.caption(
            f"Built for {NOMINAL:.0%} of each class. Intervals treat lines as the unit; with fewer "
            f"than {MINIMAL_LINES} lines of a class nothing is said. Cell lines, not patients."
        )


def _bin_in_words(curve: pd.DataFrame, probability: float) -> str:
    """Say how often lines that were scored like the sample turned out resistant."""
    if math.isnan(probability):
        return ""
    nearest = (curve["predicted"] - probability).abs().argsort().iloc[0]
    row = curve.iloc[nearest]
    if not abs(row["predicted"] - probability) <= NEAR:
        return (
            f"**No group of these lines was scored near {probability:.2f}** (the nearest averaged "
            f"{row['predicted']:.2f}): whether such a probability holds here was not seen."
        )
    n_resistant = row["observed"] * row["n"]
    return (
        f"**Of 100 pairs of line and drug that scored like this, {100 * row['observed']:.0f} were "
        f"resistant** ({n_resistant:.0f} of {row['n']:.0f} pairs of {row['n_lines']:.0f} lines, "
        f"{row['predicted']:.2f} on average)."
    )


def _sentence_start(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


def _tissue(session: Session) -> str:
    code = session.cancer_type
    return load_cancer_types()[code].gdsc_tissue if code else ""


def _of_model(table: pd.DataFrame, session: Session) -> pd.DataFrame:
    return table[(table["model"] == session.model) & (table["split"] == SPLIT)]


def _curve(session: Session) -> pd.DataFrame:
    rows = _of_model(resources.evaluation("reliability_by_tissue"), session)
    return rows[rows["tissue"] == _tissue(session)]


def _coverage(session: Session) -> dict[str, dict[str, float]]:
    """Return true class to its row of coverage in the patient's cancer type."""
    rows = _of_model(resources.evaluation("coverage_by_tissue"), session)
    here = rows[rows["tissue"] == _tissue(session)]
    return {row["true_class"]: row for row in here.to_dict("records")}


def _sets_hold(session: Session, where: str) -> str:
    found = _coverage(session)
    said = [_class_holds(word, found.get(word)) for word in ("resistant", "sensitive")]
    return f"In {where}, over all drugs: {'; '.join(said)}."


def _class_holds(word: str, row: dict[str, float] | None) -> str:
    n_lines = int(row["n_lines"]) if row else 0
    if row is None or n_lines < MINIMAL_LINES:
        return f"*{word}* not assessed in this cancer type, {n_lines} lines"
    below = ", **below what it is built for**" if row["upper"] < NOMINAL else ""
    return (
        f"*{word}* was in the 90 % set of {row['coverage']:.0%} of {word} pairs of line and drug "
        f"({row['lower']:.0%}–{row['upper']:.0%}, {n_lines} lines{below})"
    )


def _probabilities_hold(session: Session, where: str) -> str:
    curve = _curve(session)
    if curve.empty:
        return _too_few(session)
    return (
        f"Predicted and observed resistance differ there by {curve['ece'].iloc[0]:.2f} on average "
        f"({int(curve['n_lines'].iloc[0])} lines, {int(curve['n'].sum()):,} pairs)."
    )


def _too_few(session: Session) -> str:
    if not session.cancer_type:
        return "Choose a cancer type above to see how well probabilities hold in it."
    kind = load_cancer_types()[session.cancer_type]
    n_lines = kind.n_lines if kind.gdsc_tissue else 0
    return (
        f"Probabilities were not assessed in this cancer type: {n_lines} cell lines, and "
        f"{MINIMAL_LINES} are needed."
    )


def _coverage_rows(session: Session) -> list[dict[str, object]]:
    """Return coverage in this cancer type, for this drug, and over all, class by class."""
    by_tissue = _of_model(resources.evaluation("coverage_by_tissue"), session)
    by_drug = _of_model(resources.evaluation("coverage_by_drug"), session)
    groups = (
        (session.cancer_type, by_tissue[by_tissue["tissue"] == _tissue(session)]),
        (session.drug, by_drug[by_drug["drug"] == session.drug]),
        ("All", by_tissue[by_tissue["tissue"] == "(all)"]),
    )
    return [_coverage_row(name, row) for name, rows in groups for row in rows.to_dict("records")]


def _coverage_row(name: str, row: dict[str, float]) -> dict[str, object]:
    enough = row["n_lines"] >= MINIMAL_LINES
    shares = ("coverage", "lower", "upper")
    values = {key: round(row[key], 2) if enough else None for key in shares}
    return {"where": name, "true_class": row["true_class"], **values, "n_lines": row["n_lines"]}
