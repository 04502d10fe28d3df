"""What is computed of a session's samples: cached for that session only, never on disk.

Keys are SHA-256 digests of the expression and of the model set, with what was chosen; the
expression itself goes in as an unhashed ``_argument`` (see `pages.components.resources`).
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources, trail
from resvae_core.access.audit import as_subject

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session, Space
    from resvae_core.explain.attribution import Attribution
    from resvae_core.explain.maps import Positions
    from resvae_core.explain.pathways import PathwaySums
    from resvae_core.models.model_set import Forecast
    from resvae_core.tables import Expression

PATIENTS = "tumours"
"""The reference that uploads are compared with."""
UNCLEAR = "unclear"
"""What stands in the place of a cancer type where none is suggested."""


def forecast(session: Session) -> Forecast:
    """Predict all drugs with all models for the session's sample.

    One sample at a time: it does not matter who else is in the file.
    """
    # within a cached function its own spinner, which says that this happens once, stays hidden
    resources.model_set()
    expression = session.expression()
    digest, sample = resources.set_digest(), expression.digest()
    trail.record_result("prediction.made", session, sample, as_subject("sample", sample[:16]))
    return _forecast(sample, session.cancer_type, digest, expression)


def forecast_of_all(session: Session) -> Forecast:
    """Predict all drugs with all models for every sample of the upload, each on its own."""
    expression = session.parsed().expression
    digest, samples = resources.set_digest(), expression.digest()
    subject = as_subject("samples", str(len(expression.samples)))
    trail.record_result("prediction.made", session, samples, subject)
    return _forecast(samples, session.cancer_type, digest, expression)


@st.cache_data(max_entries=16, scope="session", show_spinner="Predicting …")
def _forecast(digest: str, cancer_type: str, models: str, _expression: Expression) -> Forecast:
    return resources.model_set().predict(_expression, cancer_type=cancer_type or None)


def ranges(session: Session) -> pd.DataFrame:
    """Judge whether each sample of the upload is one the models may be asked about."""
    expression = session.parsed().expression
    return _ranges(expression.digest(), resources.set_digest(), expression)


@st.cache_data(max_entries=4, scope="session", show_spinner="Checking the samples …")
def _ranges(digest: str, models: str, _expression: Expression) -> pd.DataFrame:
    loaded = resources.model_set()
    ranges = loaded.references[PATIENTS].assess(_expression)
    return ranges.rename_axis("sample").reset_index()


def suggestions(session: Session) -> pd.DataFrame | None:
    """Suggest a cancer type for each sample; None where there is no model for it."""
    digest = resources.cancer_type_digest()
    if not digest:
        return None
    expression = session.parsed().expression
    return _suggestions(expression.digest(), digest, expression)


@st.cache_data(max_entries=4, scope="session", show_spinner="Comparing with cancer types …")
def _suggestions(digest: str, model: str, _expression: Expression) -> pd.DataFrame:
    loaded = resources.cancer_type_model()
    assert loaded is not None
    return loaded.suggest(_expression)


def can_suggest() -> bool:
    """Tell whether there is a model that suggests cancer types."""
    return bool(resources.cancer_type_digest())


def suggested_type(session: Session) -> str:
    """Return the cancer type suggested for the session's sample; "" where unclear or no model."""
    digest = resources.cancer_type_digest()
    if not digest:
        return ""
    expression = session.expression()
    found = _suggestions(expression.digest(), digest, expression)
    code = str(found["suggestion"].iloc[0])
    return "" if code == UNCLEAR else code


def verdicts_of_samples(session: Session) -> pd.DataFrame:
    """Return one row a sample: range verdict, genes measured, reasons, suggested cancer type.

    The columns of the suggestion are missing where there is no model for it.
    """
    table, suggested = ranges(session), suggestions(session)
    if suggested is None:
        return table
    shown = ["sample", "suggestion", "probability", "runner_up", "note"]
    return table.merge(suggested[shown], on="sample", validate="one_to_one")


def model_genes(session: Session) -> pd.Series[float]:
    """Return the sample's log2(TPM + 1) of the genes that the models read, NaN where missing."""
    values = session.expression().values.iloc[0]
    genes: pd.Series[float] = values.reindex(list(resources.model_set().genes)).astype(float)
    return genes


def coverage(session: Session) -> pd.DataFrame:
    """Say which of the genes that the models and their encoders read the sample has."""
    from resvae_core.data.uploads.coverage import gene_coverage

    return gene_coverage(session.expression(), resources.genes_read())


def attributions(session: Session, background: str = "") -> dict[str, Attribution]:
    """Explain the session's drug and sample by every learned model.

    Parameters
    ----------
    background
        ``reference`` or ``cohort``; the session's own where empty.
    """
    expression = session.expression()
    chosen = background or session.background
    code = session.cancer_type if chosen == "cohort" else ""
    key = (session.drug, code, resources.set_digest())
    sample = expression.digest()
    trail.record_result("explanation.made", session, sample, as_subject("drug", session.drug))
    return _explain(sample, *key, expression)


@st.cache_data(max_entries=8, scope="session", show_spinner="Explaining …")
def _explain(
    digest: str, drug: str, background: str, models: str, _expression: Expression
) -> dict[str, Attribution]:
    from resvae_core.explain.attribution import attribute_set

    loaded = resources.model_set()
    chosen = resources.cohort_background(background)
    return attribute_set(loaded, loaded.samples(_expression), drug, background=chosen)


def positions(session: Session) -> Positions:
    """Place the session's sample on the map of the chosen space."""
    expression = session.expression()
    return _positions(expression.digest(), session.space, resources.set_digest(), expression)


@st.cache_data(max_entries=8, scope="session", show_spinner="Placing the sample …")
def _positions(digest: str, space: Space, models: str, _expression: Expression) -> Positions:
    from resvae_core.explain.maps import locate

    loaded = resources.model_set()
    return locate(resources.line_map(space), loaded, loaded.samples(_expression))


def sample_on_map(session: Session) -> pd.DataFrame:
    """Return where the sample lies on the picture: one row with sample, x, y."""
    import pandas as pd

    placed = positions(session)
    return pd.DataFrame(placed.coordinates, columns=["x", "y"]).assign(sample=placed.samples)


def lines_on_map(session: Session, *, with_response: bool) -> pd.DataFrame:
    """Return the cell lines on the picture, with their response to the drug where installed."""
    from resvae_core.explain import neighbours

    lines, screen = resources.line_map(session.space).table(), resources.screen()
    if screen is None or not session.drug or not with_response:
        return lines
    return neighbours.with_response(lines, screen, session.drug)


def nearest_lines(session: Session, *, with_response: bool) -> pd.DataFrame:
    """Return the nearest cell lines, with their measured response where that is installed."""
    from resvae_core.explain import neighbours

    table = neighbours.nearest_lines(resources.line_map(session.space), positions(session))
    screen = resources.screen()
    if screen is None or not session.drug or not with_response:
        return table
    return neighbours.with_response(table, screen, session.drug)


def nearest_patients(session: Session) -> pd.DataFrame | None:
    """Return the nearest patients of the cohorts that are at hand; None where there is none."""
    from resvae_core.explain import neighbours

    codes = resources.comparable_cohorts(session.cancer_type, with_demo=session.is_demo)
    groups = [resources.patient_group(code, session.space) for code in codes]
    return neighbours.nearest_patients(positions(session), groups) if groups else None


def shared_genes(session: Session) -> pd.DataFrame:
    """Return the genes that at least three of the five models name for the session's score."""
    from resvae_core.explain.consensus import shared_genes as find

    return find(attributions(session), session.sample)


def pathways(session: Session) -> PathwaySums:
    """Return the attributions of the session's model, added up by pathway."""
    from resvae_core.data.pathways import load_pathways
    from resvae_core.explain.pathways import sum_by_pathway

    return sum_by_pathway(attributions(session)[session.model].table, load_pathways())


def stability(session: Session) -> pd.DataFrame:
    """Return how far the leading genes overlap over members and backgrounds, by model."""
    expression = session.expression()
    code = session.cancer_type if resources.cohort_background(session.cancer_type) else ""
    key = (session.drug, code, resources.set_digest())
    return _stability(expression.digest(), *key, expression)


@st.cache_data(max_entries=8, scope="session", show_spinner="Comparing members …")
def _stability(
    digest: str, drug: str, background: str, models: str, _expression: Expression
) -> pd.DataFrame:
    from resvae_core.explain.stability import stability_table

    loaded = resources.model_set()
    chosen = resources.cohort_background(background)
    return stability_table(loaded, loaded.samples(_expression), drug, background=chosen)


def responses_of(nearest: pd.DataFrame, drug: str) -> dict[str, float]:
    """Count the measured responses among nearest lines, as `neighbours.count_responses` does."""
    from resvae_core.explain.neighbours import count_responses

    screen = resources.screen()
    assert screen is not None
    counts: dict[str, float] = count_responses(nearest, screen, drug).to_dict("records")[0]
    return counts


def beside_cohort(cohort: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return a cohort's attributions with the sample's own of the same genes.

    A patient of the cohort who has the sample's name gives way to it.
    """
    import pandas as pd

    others = cohort[~cohort["sample"].isin(own["sample"].unique())]
    mine = own.loc[own["gene"].isin(cohort["gene"].unique()), list(cohort.columns)]
    return pd.concat([others, mine], ignore_index=True)


def forget_patient() -> None:
    """Drop what was computed of this session's samples."""
    for cached in (_forecast, _ranges, _suggestions, _explain, _positions, _stability):
        cached.clear()
    trail.forget()
    gc.collect()  # what only refers to itself stays in memory until then
