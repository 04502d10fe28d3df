from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.beeswarm import (
    EXPRESSION_SCALE,
    attribution_bands,
    attribution_bands_takeaway,
    beeswarm,
    beeswarm_takeaway,
    shared_genes,
    shared_genes_takeaway,
)


def traces(figure) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data}


def rows_of(figure) -> list[str]:
    return [label.split(" ")[0] for label in figure.layout.yaxis.ticktext]


def test_genes_that_move_the_score_most_stand_on_top(swarm) -> None:
    figure = beeswarm(swarm, n_genes=5)
    sizes = swarm["attribution"].abs().groupby(swarm["gene"]).mean()
    assert rows_of(figure) == list(sizes.sort_values(ascending=False).index[:5])
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_every_patient_is_one_dot_in_every_row(swarm) -> None:
    cohort = traces(beeswarm(swarm, n_genes=5))["One patient of the cohort"]
    assert len(cohort.x) == 5 * 40
    counts = pd.Series(np.round(cohort.y)).value_counts()
    assert sorted(counts.index) == [0, 1, 2, 3, 4]
    assert (counts == 40).all()


def test_dots_of_one_place_are_stacked_and_do_not_leave_their_row(swarm) -> None:
    crowded = swarm.assign(attribution=np.where(swarm["gene"] == "G0", 1.0, 0.0))
    cohort = traces(beeswarm(crowded, n_genes=1))["One patient of the cohort"]
    assert len(set(cohort.y)) == 40
    assert max(np.abs(cohort.y)) <= 0.4


def test_the_same_table_gives_the_same_figure(swarm) -> None:
    assert beeswarm(swarm, patient="P3").to_json() == beeswarm(swarm, patient="P3").to_json()


def test_colour_is_the_rank_of_expression_in_the_cohort(swarm) -> None:
    table = swarm[swarm["gene"] == "G0"]
    cohort = traces(beeswarm(table))["One patient of the cohort"]
    expected = (table["value"].rank() - 1) / 39
    np.testing.assert_allclose(cohort.marker.color, expected)
    assert list(cohort.marker.colorscale) == list(EXPRESSION_SCALE)
    assert cohort.marker.colorbar.ticktext == ("low<br>expression", "middle", "high<br>expression")


def test_a_row_says_which_way_high_expression_goes(swarm) -> None:
    labels = beeswarm(swarm, n_genes=20).layout.yaxis.ticktext
    assert "G0 (high ▼)" in labels
    assert "G19 (high ▲)" in labels
    unmeasured = swarm.assign(value=np.nan)
    assert "G0" in beeswarm(unmeasured).layout.yaxis.ticktext


def test_the_patient_is_a_diamond_on_every_row_and_no_dot(swarm) -> None:
    found = traces(beeswarm(swarm, patient="P3", n_genes=4))
    assert found["P3"].marker.symbol == "diamond"
    assert list(found["P3"].y) == [0, 1, 2, 3]
    own = swarm[swarm["sample"] == "P3"].set_index("gene")["attribution"]
    genes = rows_of(beeswarm(swarm, n_genes=4))
    np.testing.assert_allclose(found["P3"].x, own[genes])
    assert len(found["One patient of the cohort"].x) == 4 * 39


def test_many_dots_and_the_patient_above_them_are_drawn_by_webgl(swarm) -> None:
    cohort = pd.concat([swarm.assign(sample=swarm["sample"] + f"-{n}") for n in range(20)])
    figure = beeswarm(cohort, patient="P3-0")
    assert [trace.type for trace in figure.data] == ["scattergl", "scattergl"]
    assert {trace.type for trace in beeswarm(swarm, patient="P3").data} == {"scatter"}


def test_takeaway_of_the_beeswarm_sets_the_patient_beside_the_others() -> None:
    table = pd.DataFrame(
        {
            "sample": ["A", "A", "B", "B", "C", "C"],
            "gene": ["EGFR", "KRAS"] * 3,
            "value": 5.0,
            "attribution": [0.5, -0.1, -0.3, 0.2, -0.1, 0.1],
        }
    )
    assert beeswarm_takeaway(table, patient="A") == (
        "Over 3 samples the score moves most with EGFR (0.30), KRAS (0.13), as mean absolute "
        "attribution in log-odds; of these A is moved most by EGFR (▲ +0.50; median of the others "
        "−0.20)."
    )


def test_two_models_or_an_unknown_patient_are_refused(swarm) -> None:
    with pytest.raises(InputDataError, match="has a gene twice"):
        beeswarm(pd.concat([swarm, swarm]))
    with pytest.raises(InputDataError, match="holds 2 values of 'model'"):
        beeswarm(pd.concat([swarm.assign(model="vae_ld"), swarm.assign(model="xgboost")]))
    with pytest.raises(InputDataError, match="has no sample 'P99'"):
        beeswarm(swarm, patient="P99")
    with pytest.raises(InputDataError, match="lacks attribution"):
        beeswarm(swarm.drop(columns="attribution"))


def test_bands_span_the_cohort_and_the_patient_stands_on_them(bands, own) -> None:
    found = traces(attribution_bands(bands, own, name="P1"))
    wide = found["Cohort, 80 % of patients"]
    at = list(wide.y).index("EGFR")
    assert (wide.x[at], wide.x[at + 1]) == (-0.5, 0.4)
    assert dict(zip(found["P1"].y, found["P1"].x, strict=True))["EGFR"] == -0.7
    assert found["P1"].marker.symbol == "diamond"


def test_no_band_or_diamond_touches_an_edge(bands, own) -> None:
    low, high = attribution_bands(bands, own).layout.xaxis.range
    assert low < min(bands["q10"].min(), own["attribution"].min())
    assert high > max(bands["q90"].max(), own["attribution"].max())


def test_bands_rank_genes_that_move_the_patient_or_either_end_of_the_cohort(bands, own) -> None:
    figure = attribution_bands(bands, own.assign(attribution=[0.0, 0.1, -2.0]))
    assert list(figure.layout.yaxis.ticktext) == ["TP53", "EGFR", "KRAS"]
    assert list(attribution_bands(bands).layout.yaxis.ticktext) == ["EGFR", "KRAS", "TP53"]


def test_takeaway_of_the_bands_counts_genes_outside_the_cohort(bands, own) -> None:
    assert attribution_bands_takeaway(bands, own, name="P1") == (
        "P1 lies outside the range of 80 % of the cohort in 1 of 3 genes: EGFR (▼ −0.70)."
    )
    assert "EGFR differs most" in attribution_bands_takeaway(bands)


def test_a_gene_that_the_patient_lacks_has_a_band_and_no_diamond(bands, own) -> None:
    found = traces(attribution_bands(bands, own[:1]))
    assert list(found["This patient"].y) == ["EGFR"]
    assert "TP53" in found["Cohort, median"].y


def test_bands_of_other_genes_or_two_drugs_are_refused(bands, own) -> None:
    with pytest.raises(InputDataError, match="no gene in common"):
        attribution_bands(bands, own.assign(gene=["A", "B", "C"]))
    with pytest.raises(InputDataError, match="A gene stands twice"):
        attribution_bands(pd.concat([bands, bands]))


def test_only_genes_of_three_models_are_shared_most_models_first(shared) -> None:
    figure = shared_genes(shared)
    assert list(figure.layout.yaxis.ticktext) == ["EGFR", "KRAS"]
    dots = next(trace for trace in figure.data if trace.type == "scatter")
    assert list(dots.y).count("EGFR") == 5
    assert [x for x, y in zip(dots.x, dots.y, strict=True) if y == "KRAS"] == [
        "VAE_LL",
        "VAE_LS",
        "XGBoost",
    ]


def test_direction_of_a_shared_gene_has_word_sign_and_colour(shared) -> None:
    bars = {trace.name: trace for trace in shared_genes(shared).data if trace.type == "bar"}
    assert list(bars["▼ Towards sensitive"].y) == ["EGFR"]
    assert list(bars["▼ Towards sensitive"].text) == ["▼ −0.40"]
    assert list(bars["▲ Towards resistant"].y) == ["KRAS"]


def test_takeaway_counts_shared_genes(shared) -> None:
    assert shared_genes_takeaway(shared) == (
        "2 genes are shared by at least 3 of the five models; first EGFR (▼ −0.40, 5 of 5), "
        "KRAS (▲ +0.50, 3 of 5)."
    )


def test_takeaway_says_how_many_of_the_shared_genes_are_shown(shared) -> None:
    figure = shared_genes(shared, n_genes=1)
    assert list(figure.layout.yaxis.ticktext) == ["EGFR"]
    assert "five models; 1 of 2 shown; first EGFR" in figure.layout.meta["takeaway"]


def test_no_shared_gene_is_an_error_in_words(shared) -> None:
    with pytest.raises(InputDataError, match=r"No gene is named by 3 .* the most is 2"):
        shared_genes(shared[shared["n_models"] < 3])


def test_models_may_come_as_a_list(shared) -> None:
    listed = shared.assign(models=[text.split(", ") for text in shared["models"]])
    assert shared_genes(listed).to_json() == shared_genes(shared).to_json()
