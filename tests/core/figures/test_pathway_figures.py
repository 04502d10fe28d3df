from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.pathways import (
    enrichment_bars,
    enrichment_bars_takeaway,
    pathway_bars,
    pathway_bars_takeaway,
)


def traces(figure) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data}


def test_pathways_that_move_the_score_most_stand_on_top(pathways) -> None:
    figure = pathway_bars(pathways)
    rows = list(figure.layout.yaxis.categoryarray)[::-1]
    assert rows[:2] == ["EGFR signalling", "Cell cycle"]
    labels = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    assert labels["EGFR signalling"] == "EGFR signalling (12 genes)"
    assert labels[rows[2]].endswith("(1 gene)")
    assert labels[rows[2]].count("<br>") == 1


def test_pathways_have_direction_in_word_sign_and_colour(pathways) -> None:
    bars = traces(pathway_bars(pathways))
    assert list(bars["▼ Towards sensitive"].text) == ["▼ −0.80"]
    assert all(part > 0 for part in bars["▲ Towards resistant"].x)


def test_pathways_that_are_left_out_are_counted(pathways) -> None:
    notes = pathway_bars(pathways, n_pathways=1).layout.annotations[0].text
    assert "2 smaller ones are not shown" in notes


def test_takeaway_names_the_leading_pathways(pathways) -> None:
    assert pathway_bars_takeaway(pathways[:2]) == (
        "Added up by pathway, the score is moved most by EGFR signalling (▼ −0.80 log-odds of "
        "resistance, foremost EGFR -0.40, AREG -0.20), then Cell cycle (▲ +0.20)."
    )


def test_two_samples_or_a_repeated_pathway_are_refused(pathways) -> None:
    with pytest.raises(InputDataError, match="holds 2 values of 'sample'"):
        pathway_bars(
            pd.concat([pathways.assign(sample="P1"), pathways.assign(sample="P2", pathway="x")])
        )
    with pytest.raises(InputDataError, match="A pathway stands twice"):
        pathway_bars(pd.concat([pathways, pathways]))
    with pytest.raises(InputDataError, match="has no rows"):
        pathway_bars(pathways[:0])


def test_clearest_set_stands_on_top_and_unclear_ones_are_hollow(enriched) -> None:
    figure = enrichment_bars(enriched)
    assert list(figure.layout.yaxis.categoryarray)[::-1] == [
        "INTERFERON_RESPONSE",
        "MYC_TARGETS",
        "G2M_CHECKPOINT",
    ]
    found = traces(figure)
    hollow = found["▼ Towards sensitive, not clear"]
    assert list(hollow.y) == ["G2M_CHECKPOINT"]
    assert hollow.marker.color.endswith("0.0)")
    filled = found["▲ Towards resistant, q < 0.05"]
    assert filled.marker.color == filled.marker.line.color
    assert "q < 0.001, 20 of 200" in filled.text[0]


def test_over_representation_is_drawn_by_q_even_where_it_is_0(enriched) -> None:
    figure = enrichment_bars(enriched.assign(nes=np.nan))
    found = traces(figure)
    np.testing.assert_allclose(found["not clear"].x, [-np.log10(0.2)])
    assert np.isfinite(found["q < 0.05"].x).all()
    assert "log<sub>10</sub> q" in figure.layout.xaxis.title.text
    assert "resistan" not in figure.layout.xaxis.title.text


def test_takeaway_of_the_enrichment_does_not_claim_what_is_not_clear(enriched) -> None:
    assert enrichment_bars_takeaway(enriched) == (
        "Of 3 gene sets looked at, 2 below q 0.05; clearest INTERFERON RESPONSE (▲ q < 0.001, "
        "20 of 200)."
    )
    unclear = enriched[enriched["q_value"] > 0.05]
    assert enrichment_bars_takeaway(unclear) == (
        "Of 1 gene set looked at, none is enriched (smallest q 0.2)."
    )


def test_sets_without_any_number_are_refused(enriched) -> None:
    with pytest.raises(InputDataError, match="with a q-value has no rows"):
        enrichment_bars(enriched.assign(q_value=np.nan))
