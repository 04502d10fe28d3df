"""Where a sample's probability lies among those of patients with the same cancer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, panels, resources, stated_type
from resvae_core.figures.position import position_in_cohort

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session
    from resvae_core.evaluation.cohort_scores import CohortPosition
    from resvae_core.models.ranking import Headline


def why_unknown(session: Session) -> str:
    """Say why a sample has no place among patients, where it has none."""
    if not session.cancer_type:
        return (
            "Place among patients with the same cancer: not assessable, no cancer type is stated."
        )
    known = resources.cohort_score_quantiles(session.cancer_type, session.model) is not None
    if known and (other := stated_type.contradiction(session)):
        return (
            "Place among patients with the same cancer: held back, the expression resembles "
            f"{stated_type.name(other)} and {stated_type.name(session.cancer_type)} is stated."
        )
    return (
        "Place among patients with the same cancer: not assessable, no cohort of this type "
        f"({stated_type.name(session.cancer_type)}) is here to compare with."
    )


def place_of(session: Session, headline: Headline) -> CohortPosition | None:
    """Return the sample's place among patients with the same cancer; None where there is none."""
    code = stated_type.cohort_code(session)
    return resources.percentile_in_cohort(code, headline.drug, headline.model, headline.probability)


def place_in_words(session: Session, headline: Headline) -> str:
    """Say above how many of 100 patients with the same cancer a sample's probability lies."""
    place = place_of(session, headline)
    if place is None:
        return why_unknown(session)
    return f"Predicted resistance is {place.words} ({place.n_patients} in the cohort)."


def show_place(session: Session, headline: Headline, notes: tuple[str, ...]) -> None:
    """Show the sample on the strip of its cancer type's cohort, or say why that is not known."""
    spread = resources.cohort_score_quantiles(stated_type.cohort_code(session), headline.model)
    if spread is None or headline.drug not in set(spread["drug"]):
        st.markdown(why_unknown(session))
        return
    scores = _quantiles(spread, headline.drug)
    place = place_of(session, headline)
    figure = position_in_cohort(
        scores,
        headline.probability,
        call=headline.call,
        drug=headline.drug,
        cohort=f"TCGA {stated_type.name(session.cancer_type)}",
        n_patients=place.n_patients if place else None,
        floor=headline.floor,
        synthetic=session.is_demo,
    )
    panels.chart(
        figure,
        "place-in-cohort",
        panels.TableView("place-in-cohort", scores, columns.PLACE, notes=notes),
    )


def _quantiles(spread: pd.DataFrame, drug: str) -> pd.DataFrame:
    """Return one drug's scores over the cohort: level (share of the patients) and value."""
    from resvae_core.evaluation.cohort_scores import LEVEL_COLUMNS, LEVELS

    values = spread.set_index("drug").loc[[drug], LEVEL_COLUMNS].T.set_axis(["value"], axis=1)
    return values.assign(level=LEVELS)[["level", "value"]].reset_index(drop=True)
