"""Widgets that remember: what is chosen lives in the session, the widget only shows it.

Streamlit drops a widget's value on a page change. Here each widget is seeded from the session on
every run, and a callback writes a change back before the next one; the link follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources
from pages.components.state import MODELS, SYNTHETIC_COHORT, Session, load_session
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.drugs import load_drugs
from resvae_core.figures.palette import in_order, model_word

if TYPE_CHECKING:
    import pandas as pd

N_GENE_LINKS = 6


def choose(
    session: Session,
    field: str,
    label: str,
    options: Sequence[str],
    *,
    words: Callable[[str], str] = str,
    placeholder: str = "Not chosen",
    required: bool = False,
    help_text: str | None = None,
) -> str:
    """Offer a choice that is kept in a field of the session, and return it.

    Parameters
    ----------
    session
        Holds the choice.
    field
        Name of the session's field.
    label, words, placeholder, help_text
        Wording; `words` turns an option into what is shown.
    options
        What can be chosen. A choice that is no longer among them is dropped.
    required
        Whether there is always a choice (the first option at the start).
    """
    current = getattr(session, field)
    if current not in options:
        current = options[0] if required and options else ""
        setattr(session, field, current)
    key = f"choose_{field}"
    st.session_state[key] = current or None
    st.selectbox(
        label,
        options,
        # with a first option there is nothing to clear
        index=0 if required else None,
        key=key,
        format_func=words,
        placeholder=placeholder,
        disabled=not options,
        help=help_text,
        on_change=_keep,
        args=(field, key),
    )
    return str(getattr(session, field))


def choose_part(
    session: Session, field: str, words: dict[str, str], *, label: str = "Show"
) -> None:
    """Offer the parts of a page side by side; the choice is kept in a field of the session."""
    key = f"choose_{field}"
    st.session_state[key] = getattr(session, field)
    st.segmented_control(
        label,
        list(words),
        format_func=words.__getitem__,
        key=key,
        required=True,
        on_change=_keep,
        args=(field, key),
    )


def _keep(field: str, key: str) -> None:
    """Write a widget's value back into the session."""
    session = load_session()
    setattr(session, field, st.session_state[key] or "")
    if field == "model":
        session.model_is_default = False
    session.write_link()


def context_bar(session: Session) -> None:
    """Offer sample, cancer type, drug and model: the same four on every page."""
    sample, cancer_type, drug, model = st.columns([5, 6, 5, 4])
    with sample:
        samples = session.samples
        choose(session, "sample", "Sample", samples, placeholder="None yet", required=bool(samples))
    with cancer_type:
        types = load_cancer_types()
        choose(
            session,
            "cancer_type",
            "Cancer type",
            list(types),
            words=lambda code: f"{types[code].name} ({code})",
            placeholder="Not stated",
        )
    with drug:
        choose(session, "drug", "Drug", known_drugs())
    with model:
        choose(session, "model", "Model", models(session), words=model_word, required=True)


def known_drugs() -> list[str]:
    """Return the drugs to choose from: those of the model set, in the catalogue's order."""
    installed = resources.installed_models()
    return [name for name in load_drugs() if installed is None or name in installed.drugs]


def follow_set(session: Session) -> str:
    """Have a model that nobody chose follow the model set; say once that the set is another one.

    Returns
    -------
    str
        Which set took whose place since a page was last drawn to its end; empty where none did.
    """
    installed, seen = resources.installed_models(), session.models
    if installed is None:
        return ""
    if session.model_is_default:
        session.follow_default(installed.default_model)
    if seen is None or seen.digest == installed.digest:
        return ""
    said = (
        f"The model set was changed from {seen.stamp} to {installed.stamp}; what you saw before "
        f"came from {seen.stamp}."
    )
    if session.model_is_default and seen.default_model != installed.default_model:
        said += f" Its default model, {model_word(installed.default_model)}, is shown."
    return said


def fit_to_set(session: Session) -> list[str]:
    """Drop a drug and a model that the model set lacks; say of each what is shown instead.

    They come from a link, a demo patient, the settings, or from before another set was promoted.
    Another drug takes the place of one only where the set has no other: else somebody chooses.
    """
    installed = resources.installed_models()
    if installed is None:
        return []
    said, known = [], known_drugs()
    if session.drug and session.drug not in known:
        instead = known[0] if len(known) == 1 else ""
        said.append(_lacking(session.drug, installed.name, instead, "choose another drug"))
        session.drug = instead
    if session.model and session.model not in installed.learned:
        instead = installed.default_model
        said.append(_lacking(model_word(session.model), installed.name, model_word(instead), ""))
        session.follow_default(instead)
    return said


def _lacking(what: str, model_set: str, instead: str, otherwise: str) -> str:
    then = f"{instead} is shown" if instead else otherwise
    return f"{what} is not in this model set ({model_set}); {then}."


def models(session: Session) -> tuple[str, ...]:
    """Return the models to choose from; the set's own default is the session's at the start."""
    installed = resources.installed_models()
    if installed is None:
        return MODELS
    if session.model not in installed.learned:
        session.follow_default(installed.default_model)
    return tuple(in_order(installed.learned))


def gene_links(session: Session, genes: pd.Series[str]) -> None:
    """Draw links to the survival page for the first few genes."""
    with st.container(horizontal=True):
        for gene in genes.head(N_GENE_LINKS):
            survival_link(session, str(gene), label=str(gene))


def survival_link(session: Session, gene: str, *, label: str, cohort: str = "") -> None:
    """Draw a link to survival by a gene, or say why there is none.

    Parameters
    ----------
    session
        Its other choices go with the link.
    gene, label
        Symbol, and what the link says.
    cohort
        Code of the cohort that is meant; the session's own where empty.
    """
    code = cohort or session.cohort
    if code in resources.shipped_cohorts() and gene not in resources.cohort_genes(code):
        st.caption(f"{label}: only where the patients of {code} are installed.")
        return
    chosen = {"gene": gene, "by": "gene"} | ({"cohort": cohort} if cohort else {})
    st.page_link(
        "pages/survival.py",
        label=label,
        icon=":material/show_chart:",
        query_params={**session.link(), **chosen},
    )


def cohort_word(code: str) -> str:
    """Return a cohort's name for readers, its code in brackets."""
    if code == SYNTHETIC_COHORT:
        return "Demonstration cohort (synthetic)"
    return f"{load_cancer_types()[code].name} ({code})"
