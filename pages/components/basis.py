"""The basis of a result: what it is for, what it was made from, how it was checked, its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
from streamlit import column_config as cc

from pages.components import resources, validation
from pages.components.messages import plain
from resvae_core import __version__
from resvae_core.data.drugs import load_drugs
from resvae_core.figures.palette import ENSEMBLE, FIVE, SIMPLE, model_word

if TYPE_CHECKING:
    from pages.components.state import Session
    from resvae_core.models.model_set import Forecast
    from resvae_core.registry.card import Card

METRICS = {
    "roc_auc": "ROC AUC",
    "within_tissue_roc_auc": "ROC AUC within tissue",
    "average_precision_sensitive": "Average precision, sensitive lines",
    "brier": "Brier score (lower is better)",
    "ece": "Calibration error (lower is better)",
}
MAX_MISSING = 20


def show_basis(session: Session, forecast: Forecast) -> None:
    """Say what the numbers on this page rest on, and when not to use them."""
    card = _card(session.model)
    with st.expander("Basis of this result", icon=":material/fact_check:"):
        st.markdown("**Not for**\n" + bullets(card.document["not_for"]))
        st.markdown(f"**For.** {plain(card.document['purpose'])}")
        made_from, checked = st.columns(2)
        with made_from:
            st.markdown("**Made from**\n" + bullets(_inputs(session, forecast, card), as_is=True))
        with checked:
            _validation(session, card)
        st.markdown("**Limits**\n" + bullets(card.document["limits"]))


def bullets(lines: list[str], *, as_is: bool = False) -> str:
    """Return lines as a Markdown list; `as_is` where they are Markdown already."""
    return "\n".join(["", *(f"- {line if as_is else plain(line)}" for line in lines)])


def reads(card: Card) -> str:
    """Say what a model reads of a sample."""
    document = card.document
    n_genes = document["inputs"]["n_genes"]
    if card.kind == ENSEMBLE:
        return f"the mean score of {', '.join(map(model_word, FIVE))}, from {n_genes} genes"
    if document["is_floor"]:
        return ", ".join(document["inputs"]["reads"]) or "nothing of the sample"
    settings = document["configuration"].get("settings", {})
    words = {
        "genes": f"the expression of {n_genes} genes",
        "ranks": "the ranks of these genes within the sample",
        "embedding": _encoder_word(settings.get("encoder")),
    }
    return "; ".join(words[name] for name in settings.get("channels", ["genes"]))


def _card(kind: str) -> Card:
    return next(card for card in resources.cards() if card.kind == kind)


def _encoder_word(name: str | None) -> str:
    card = resources.encoder_cards().get(name or "")
    if card is None:
        return f"the embedding of the {name} expression encoder"
    return (
        f"the embedding of the {name} expression encoder "
        f"({card['architecture']['n_dimensions']} dimensions, `{card['weights_sha256'][:8]}`)"
    )


def _inputs(session: Session, forecast: Forecast, card: Card) -> list[str]:
    """Name model, what it reads, what is missing, training data, thresholds and file."""
    document, qc = card.document, session.parsed().qc
    training, output = document["training"], document["output"]
    genes = document["genes"]
    missing = qc.missing(genes)
    named = ", ".join(missing[:MAX_MISSING]) + (" and more" if len(missing) > MAX_MISSING else "")
    filled = f": {named}; {document['inputs']['missing_genes']}" if missing else ""
    lines = [
        f"**Model:** {card.title} (`{card.id}`) of set `{forecast.model_set}`, digest "
        f"`{resources.set_digest()[:16]}`",
        f"**Reads:** {reads(card)}",
        f"**Genes:** {len(genes) - len(missing)} of {len(genes)} measured, {len(missing)} "
        f"missing{filled}",
        f"**File:** SHA-256 `{qc.file_digest[:16]}…`; {plain(qc.conversion)}",
        f"**Compared with:** {plain(training['references'].get(forecast.reference, ''))}",
        f"**Learned from:** {training['n_lines']} cell lines and {training['n_drugs']} drugs; "
        f"{plain(training['sources'])}",
        f"**Interval:** {output['interval']}",
        f"**Limit of the calls:** {output['threshold']:.2f}; {output['threshold_source']}",
    ]
    return [*lines, *_label(session), *_reproduction(card)]


def _reproduction(card: Card) -> list[str]:
    """Name seed, date, data and libraries that the model was made with."""
    document = card.document
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    data = ", ".join(
        f"{plain(path)} `{digest[:8]}`"
        for path, digest in document["training"]["data_digests"].items()
    )
    return [
        f"**Made:** {document['created']}, seed {document['seed']}; weights "
        f"`{document['weights_sha256'][:16]}`",
        f"**From the files** (SHA-256): {data}",
        f"**With:** {plain(versions)}; shown by ResVAE {__version__}",
    ]


def _label(session: Session) -> list[str]:
    """Say when a cell line counts as resistant to the session's drug."""
    if not session.drug:
        return []
    drug = resources.as_labelled(load_drugs()[session.drug])
    return [
        f"**Resistant to {drug.name}** is a cell line with ln IC50 above "
        f"{drug.threshold_ln_ic50:.2f} ({drug.threshold_um:.3g} µM); {plain(drug.threshold_source)}"
    ]


def _validation(session: Session, card: Card) -> None:
    """Show what the model reached on unseen cell lines, all together and of this cancer type."""
    st.markdown("**Measured on cell lines left out of training**")
    rows = card.metrics().set_index("metric")
    simple = _card(SIMPLE).metrics().set_index("metric")["mean"] if card.kind != SIMPLE else {}
    shown = [
        {
            "Metric": word,
            "This model": rows.loc[name, "mean"],
            model_word(SIMPLE): simple.get(name),
            "Tissue floor": rows.loc[name, "floor"],
        }
        for name, word in METRICS.items()
        if name in rows.index
    ]
    number = cc.NumberColumn(format="%.3f")
    st.dataframe(
        shown,
        hide_index=True,
        key="basis_metrics",
        alt="Metrics beside the simple model and the floor",
        column_order=["Metric", "This model"]
        + [model_word(SIMPLE)] * (card.kind != SIMPLE)
        + ["Tissue floor"],
        column_config=dict.fromkeys(["This model", model_word(SIMPLE), "Tissue floor"], number),
    )
    st.markdown("**Validation in this cancer type**")
    st.markdown(bullets(validation.in_this_cancer_type(session), as_is=True))
    st.caption(
        "Probabilities are those of cell lines, none was calibrated on patients. Held against "
        "recorded responses of patients, their order is little better than chance (Cohort, "
        "Recorded response)."
    )
