"""Cards of models and encoders: purpose, what they learned from, how good they are, limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import basis, columns, panels, resources
from pages.components.messages import plain
from resvae_core.config import RESEARCH_USE
from resvae_core.figures.biomarkers import controls
from resvae_core.figures.palette import ENSEMBLE, FIVE, SIMPLE, in_order
from resvae_core.figures.performance import LOWER_IS_BETTER

if TYPE_CHECKING:
    from pages.components.state import Session
    from resvae_core.registry.card import Card

CARD_METRIC_WORDS = {
    "balanced_accuracy": "Balanced accuracy",
    "f1_resistant": "F1, resistant lines",
    "f1_sensitive": "F1, sensitive lines",
    "lift_over_tissue_floor": "ROC AUC above the tissue floor",
    "mcc": "Matthews correlation",
    "set_single": "90 % sets that name one class",
    "set_both": "90 % sets that hold both classes",
    "set_neither": "90 % sets that hold neither class",
}
"""Words of the metrics that stand on cards alone."""


def show_cards(session: Session, split: str) -> None:
    """Offer the cards, the session's model first, and show the one that is chosen."""
    models = {card.kind: card for card in resources.cards()}
    encoders = resources.encoder_cards()
    names = [*in_order(models), *encoders]
    name = st.selectbox(
        "Card",
        names,
        index=names.index(session.model),
        format_func=lambda name: _word(name, models, encoders),
        key="card",
    )
    with st.container(border=True):
        if name in models:
            _show_model(models[name])
        else:
            _show_encoder(name, encoders[name])


def _word(name: str, models: Mapping[str, Card], encoders: Mapping[str, dict[str, Any]]) -> str:
    if name in encoders:
        return f"{encoders[name]['title']} (read by the models)"
    kinds = {ENSEMBLE: "mean of the five", SIMPLE: "simple model"}
    kind = "one of the five" if name in FIVE else kinds.get(name, "learned model")
    floor = models[name].document["is_floor"]
    return f"{models[name].title} ({'floor' if floor else kind})"


def _show_model(card: Card) -> None:
    document = card.document
    training, output = document["training"], document["output"]
    st.caption(f"`{card.id}` · made {document['created']} · {RESEARCH_USE}")
    st.markdown("**Not for**\n" + basis.bullets(document["not_for"]))
    st.markdown(f"**For.** {plain(document['purpose'])}")
    st.markdown(f"**Reads** {basis.reads(card)}.")
    st.markdown(
        f"**Learned from** {training['n_lines']} cell lines and {training['n_drugs']} drugs, "
        f"{training['share_resistant']:.0%} of the pairs resistant. {plain(training['sources'])}"
    )
    st.markdown(
        f"**Says** {plain(output['probability'])}. Limit of the calls: {output['threshold']:.2f} "
        f"({plain(output['threshold_source'])}). {plain(output['interval'])}"
    )
    st.markdown("**Limits**\n" + basis.bullets(document["limits"]))
    metrics = card.metrics()
    st.dataframe(
        metrics.assign(metric=metrics["metric"].map(metric_word)),
        hide_index=True,
        column_config=columns.CARD_METRICS,
        placeholder="–",
        key=f"metrics_{card.kind}",
        alt=f"Metrics of {card.title} beside the tissue floor",
    )
    _show_controls(card)
    _made_with(document)
    _download(card.id, document)


def metric_word(name: str) -> str:
    """Return a metric's name for readers, and which way is better where lower is."""
    # not before a card is opened: the comparison of model sets behind it takes long to import
    from resvae_core.figures.model_sets import SET_METRIC_WORDS

    words = SET_METRIC_WORDS | CARD_METRIC_WORDS
    better = " (lower is better)" if name in LOWER_IS_BETTER else ""
    return words.get(name, name.replace("_", " ")) + better


def _show_controls(card: Card) -> None:
    """Show whether the model, and the cell lines themselves, find genes known to matter."""
    found = None if card.document["is_floor"] else resources.positive_controls(card.kind)
    if found is None:
        return
    rows, best = found
    st.markdown("**Positive controls**: does the known gene of a drug stand out?")
    panels.chart(
        controls(best),
        "positive-controls",
        panels.TableView("positive-controls", rows, columns.POSITIVE_CONTROLS),
    )
    st.caption(
        "Attribution: rank among the genes the model reads, on the lines that it learned from. "
        "Association: rank of the gene's "
        "correlation with measured ln IC50 on cell lines, or of the effect of its mutation, no "
        "model involved. The two BRAF pairs stand there by mutation, which a model that reads "
        "expression cannot see."
    )


def _show_encoder(name: str, card: Mapping[str, Any]) -> None:
    training, inputs = card["training"], card["inputs"]
    st.caption(f"`{name}-{card['weights_sha256'][:8]}` · made {card['created']} · {card['notice']}")
    st.markdown(f"**For.** {plain(card['purpose'])}")
    st.markdown("**Limits**\n" + basis.bullets(card["limits"]))
    st.markdown(
        f"**Reads** {inputs['n_genes']} genes, {plain(inputs['unit'])}; missing genes are "
        f"{plain(inputs['missing_genes'])}. **Gives** "
        f"{card['architecture']['n_dimensions']} dimensions, by {card['n_parameters']:,} "
        "parameters."
    )
    st.markdown(
        f"**Learned from** {training['n_profiles']:,} profiles to {plain(training['objective'])}, "
        f"on {plain(training['device'])}; {training['n_held_out']:,} profiles were held out. "
        f"Labels: {plain(training['labels'])}."
    )
    for number, (title, rows) in enumerate(card["figures"].items()):
        st.markdown(f"**{plain(title)}**")
        st.dataframe(
            rows, hide_index=True, placeholder="–", key=f"encoder_{name}_{number}", alt=title
        )
    _made_with(card)
    _download(f"encoder-{name}-{card['weights_sha256'][:8]}", card)


def _made_with(document: Mapping[str, Any]) -> None:
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    st.caption(f"Made with {versions}. Weights: SHA-256 `{document['weights_sha256']}`.")


def _download(name: str, document: Mapping[str, Any]) -> None:
    st.download_button(
        "Download the card (JSON)",
        json.dumps(dict(document), indent=1, ensure_ascii=False),
        file_name=f"resvae-card-{name}.json",
        mime="application/json",
        key=f"card_{name}",
        icon=":material/download:",
        on_click="ignore",
    )
