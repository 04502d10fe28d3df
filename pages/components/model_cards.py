"""Model cards and the splits they were judged on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, resources
from pages.components.messages import plain
from resvae_core.config import RESEARCH_USE
from resvae_core.figures.palette import FLOORS

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session
    from resvae_core.registry.card import Card

SPLITS = {
    "leave_cell_line_out": "New cell lines",
    "leave_tissue_out": "New tissues",
    "leave_cell_line_out_permuted": "Permuted labels (control)",
}
SPLIT_HELP = {
    "leave_cell_line_out": "Test lines were never trained on; their tissue was.",
    "leave_tissue_out": "Neither test lines nor any line of their tissue were trained on.",
    "leave_cell_line_out_permuted": "Trained on shuffled labels: nothing may beat the floors here.",
}


def choose_split(summary: pd.DataFrame) -> str:
    """Offer the splits that were judged; return the chosen one."""
    known = [split for split in SPLITS if (summary["split"] == split).any()]
    split = st.segmented_control(
        "Tested on", known, default=known[0], format_func=SPLITS.__getitem__, required=True
    )
    st.caption(SPLIT_HELP[split])
    return str(split)


def reliability_of(split: str) -> pd.DataFrame:
    """Return the calibration curves of the learned models on a split."""
    curves = resources.evaluation("reliability")
    return curves[(curves["split"] == split) & ~curves["model"].isin(FLOORS)]


def show_cards(session: Session, cards: list[Card]) -> None:
    """Offer the cards, the session's model first, and show the one that is chosen."""
    by_kind = {card.kind: card for card in cards}
    kind = st.selectbox(
        "Model card",
        list(by_kind),
        index=list(by_kind).index(session.model),
        format_func=lambda kind: _card_word(by_kind[kind]),
    )
    with st.container(border=True):
        _show_card(by_kind[kind])


def _card_word(card: Card) -> str:
    return f"{card.title} ({'floor' if card.document['is_floor'] else 'learned model'})"


def _show_card(card: Card) -> None:
    document = card.document
    st.caption(f"`{card.id}` · made {document['created']} · {RESEARCH_USE}")
    st.markdown("**Not for**\n" + _bullets(document["not_for"]))
    st.markdown(f"**For.** {plain(document['purpose'])}")
    training = document["training"]
    st.markdown(
        f"**Learned from** {training['n_lines']} cell lines and {training['n_drugs']} drugs, "
        f"{training['share_resistant']:.0%} of the pairs resistant. {plain(training['sources'])}"
    )
    st.markdown("**Limits**\n" + _bullets(document["limits"]))
    metrics = card.metrics()
    st.dataframe(
        metrics.assign(metric=metrics["metric"].str.replace("_", " ")),
        hide_index=True,
        column_config=columns.CARD_METRICS,
        key=f"metrics_{card.kind}",
        alt=f"Metrics of {card.title} beside the tissue floor",
    )
    st.download_button(
        "Download the card (JSON)",
        json.dumps(dict(document), indent=1, ensure_ascii=False),
        file_name=f"resvae-card-{card.id}.json",
        mime="application/json",
        key=f"card_{card.kind}",
        icon=":material/download:",
        on_click="ignore",
    )


def _bullets(lines: list[str]) -> str:
    return "\n".join(["", *(f"- {plain(line)}" for line in lines)])
