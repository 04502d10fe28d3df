from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.biomarkers import (
    adjustment,
    adjustment_takeaway,
    controls,
    controls_takeaway,
    volcano,
    volcano_takeaway,
)

ASSOCIATED = {"cohort": "LUAD", "drug": "Gefitinib", "kind": "associated", "flags": ""}


def traces(figure) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data}


def notes(figure) -> str:
    return " ".join(str(note.text).replace("<br>", " ") for note in figure.layout.annotations)


def genes_of(trace) -> list[str]:
    return [row[0] for row in trace.customdata]


def test_kinds_are_apart_in_panels_of_their_own_unit(biomarkers) -> None:
    figure = volcano(biomarkers)
    assert "per SD" in figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text.startswith("Stability: share of the 25 members")
    assert "Correlation" in figure.layout.xaxis2.title.text
    assert figure.layout.yaxis2.title.text.startswith("−log<sub>10</sub> q")
    found = traces(figure)
    assert found["Attributed, ▼ sensitive"].xaxis == "x"
    assert found["Associated, ▼ sensitive"].xaxis == "x2"


def test_shape_is_the_kind_and_hollow_is_a_flag(biomarkers) -> None:
    found = traces(volcano(biomarkers))
    assert list(found["Attributed, ▼ sensitive"].marker.symbol) == ["circle", "circle"]
    assert list(found["Attributed, ▲ resistant"].marker.symbol) == ["circle", "circle-open"]
    associated = found["Associated, ▲ resistant"]
    assert dict(zip(genes_of(associated), associated.marker.symbol, strict=True)) == {
        "TFF1": "diamond-open",
        "GKN1": "diamond",
    }


def test_points_carry_their_gene_in_the_order_of_the_table(biomarkers) -> None:
    generator = np.random.default_rng(2)
    many = pd.DataFrame({"gene": [f"G{n}" for n in range(500)]}).assign(
        **ASSOCIATED,
        effect=generator.normal(size=500),
        q_value=generator.uniform(size=500),
    )
    many["direction"] = np.where(many["effect"] > 0, "resistant", "sensitive")
    found = traces(volcano(many))["Associated, ▲ resistant"]
    chosen = many[many["direction"] == "resistant"]
    assert genes_of(found) == list(chosen["gene"])
    np.testing.assert_allclose(found.x, chosen["effect"])
    np.testing.assert_allclose(found.y, -np.log10(chosen["q_value"]))


def test_the_height_of_an_attribution_is_its_stability_whatever_its_q(biomarkers) -> None:
    for table in (biomarkers, biomarkers.assign(q_value=1e-30)):
        found = traces(volcano(table, kind="attributed"))
        heights = {
            gene: height
            for trace in found.values()
            for gene, height in zip(genes_of(trace), trace.y, strict=True)
        }
        assert heights == {"EGFR": 0.96, "KRAS": 0.32, "TP53": 0.84, "MYC": 0.80}


def test_an_attribution_is_large_where_members_and_models_agree(biomarkers) -> None:
    found = traces(volcano(biomarkers, kind="attributed"))
    sizes = {
        gene: size
        for trace in found.values()
        for gene, size in zip(genes_of(trace), trace.marker.size, strict=True)
    }
    large = max(sizes.values())
    assert {gene for gene, size in sizes.items() if size == large} == {"EGFR", "TP53"}


def test_an_attribution_is_told_with_its_range_and_without_a_q(biomarkers) -> None:
    figure = volcano(biomarkers, kind="attributed")
    told = dict(traces(figure)["Attributed, ▼ sensitive"].customdata)
    assert told["EGFR"] == "range −0.500 to −0.100, stability 0.96, 5 of 5 models"
    assert "range over the five models" in notes(figure)
    assert "an attribution has no p-value" in notes(figure)
    assert "q =" not in notes(figure)


def test_an_attribution_without_stability_is_left_out_and_said(biomarkers) -> None:
    biomarkers.loc[biomarkers["gene"] == "KRAS", "stability"] = np.nan
    figure = volcano(biomarkers, kind="attributed")
    assert genes_of(traces(figure)["Attributed, ▲ resistant"]) == ["TP53"]
    assert "without an effect or a stability, left out: 1." in notes(figure)


def test_a_table_without_stability_is_refused_for_attributed_genes_alone(biomarkers) -> None:
    table = biomarkers.drop(columns="stability")
    with pytest.raises(InputDataError, match="volcano of attributed genes lacks stability"):
        volcano(table)
    assert len(volcano(table, kind="associated").data) == 2


def test_a_q_of_0_is_drawn_beside_the_smallest_and_said(biomarkers) -> None:
    figure = volcano(biomarkers, kind="associated")
    found = traces(figure)["Associated, ▲ resistant"]
    assert dict(zip(genes_of(found), found.y, strict=True))["TFF1"] == pytest.approx(6)
    assert "too small to be written, drawn at the top: 1." in notes(figure)
    assert "without an effect or a q-value, left out: 1." in notes(figure)


def test_lines_stand_at_a_stability_of_four_fifths_and_at_q_of_5_percent(biomarkers) -> None:
    levels = [line.y0 for line in volcano(biomarkers).layout.shapes if line.y0 == line.y1]
    np.testing.assert_allclose(levels, [0.8, -np.log10(0.05)])


def test_the_selected_gene_is_ringed_named_and_selectable(biomarkers) -> None:
    figure = volcano(biomarkers, selected="KRAS")
    ring = traces(figure)["Selected: KRAS"]
    assert genes_of(ring) == ["KRAS"]
    assert ring.marker.symbol == "circle-open"
    assert "<b>KRAS</b>" in notes(figure)


def test_a_selected_gene_that_is_not_there_is_said(biomarkers) -> None:
    figure = volcano(biomarkers, kind="attributed", selected="TFF1")
    assert "Selected: TFF1" not in traces(figure)
    assert "TFF1 is not among these genes." in notes(figure)


def test_clear_genes_without_a_flag_are_named(biomarkers) -> None:
    texts = [note.text for note in volcano(biomarkers).layout.annotations]
    assert {"EGFR", "GKN1", "OPALIN"} <= set(texts)
    assert not {"TFF1", "KRAS", "TP53", "MYC"} & set(texts)


def test_q_is_said_to_be_about_the_score(biomarkers) -> None:
    assert "not with response" in notes(volcano(biomarkers))


def test_takeaway_of_the_volcano_counts_by_kind(biomarkers) -> None:
    assert volcano_takeaway(biomarkers) == (
        "Gefitinib in LUAD: 3 of 4 attributed genes shown in the top 5 % of at least 20 of 25 "
        "members (1 ▲, 2 ▼), largest MYC (▼ −0.400); 3 associated genes are shown (2 ▲, 1 ▼), "
        "from the 300 strongest of the cohort and the paper's genes, clearest TFF1 (▲ +0.60; "
        "flagged: falls with purity)."
    )
    unstable = biomarkers[biomarkers["kind"] == "attributed"].assign(stability=0.2)
    assert volcano_takeaway(unstable) == (
        "Gefitinib in LUAD: 0 of 4 attributed genes shown in the top 5 % of at least 20 of 25 "
        "members (0 ▲, 0 ▼)."
    )


def test_genome_wide_traces_are_drawn_by_webgl() -> None:
    table = pd.DataFrame({"gene": [f"G{n}" for n in range(6000)]}).assign(
        **ASSOCIATED, effect=0.1, q_value=0.5, direction="resistant"
    )
    assert volcano(table).data[0].type == "scattergl"


def test_volcano_of_two_drugs_or_of_a_kind_that_is_not_there_is_refused(biomarkers) -> None:
    with pytest.raises(InputDataError, match="holds 2 values of 'drug'"):
        volcano(pd.concat([biomarkers, biomarkers.assign(drug="Erlotinib")]))
    with pytest.raises(InputDataError, match="volcano of associated genes has no rows"):
        volcano(biomarkers[biomarkers["kind"] == "attributed"], kind="associated")
    with pytest.raises(InputDataError, match="A gene stands twice"):
        volcano(pd.concat([biomarkers, biomarkers]))


def test_adjustments_stand_beside_the_plain_correlation(panel_genes) -> None:
    found = traces(adjustment(panel_genes))
    tff1 = "TFF1 (LUAD, Gefitinib)"
    for name, x, symbol in (
        ("Plain", -0.3, "circle"),
        ("Given tumour purity", -0.2, "square"),
        ("Given general resistance", 0.01, "diamond-open"),
    ):
        at = list(found[name].y).index(tff1)
        assert (found[name].x[at], found[name].marker.symbol[at]) == (x, symbol)


def test_an_attributed_gene_is_shown_by_its_correlation_alone(panel_genes) -> None:
    table = panel_genes.assign(effect=-7.0, lower=-9.0, upper=-5.0, direction="sensitive")
    figure = adjustment(table)
    mgmt = "MGMT (GBM, Temozolomide)"
    plain = traces(figure)["Plain"]
    assert plain.x[list(plain.y).index(mgmt)] == 0.05
    assert f"Read by the models: {mgmt}." in notes(figure)
    assert adjustment_takeaway(table) == adjustment_takeaway(panel_genes)
    assert f"{mgmt} ▲ also after" in adjustment_takeaway(table)


def test_unknown_purity_is_said(panel_genes) -> None:
    assert "Purity is not recorded for the patients of LTF" in notes(adjustment(panel_genes))


def test_takeaway_of_the_adjustment_says_what_holds(panel_genes) -> None:
    assert adjustment_takeaway(panel_genes[:3]) == (
        "Correlation with the predicted score: TFF1 (LUAD, Gefitinib) ▼ not after adjustment; "
        "OPALIN (GBM, Temozolomide) ▲ also after adjustment; LTF (GBM, Temozolomide) ▲ not clear "
        "even unadjusted."
    )
    assert adjustment_takeaway(panel_genes[:1].assign(verdict="opposite direction")) == (
        "Correlation with the predicted score: TFF1 opposite direction: ▼ not after adjustment."
    )


def test_verdicts_stand_beneath_their_gene(panel_genes) -> None:
    labels = adjustment(panel_genes.assign(verdict="not confirmed")).layout.yaxis.ticktext
    assert all("the paper's claim: not confirmed" in label for label in labels)


def test_a_gene_that_is_not_assessable_has_a_row_and_no_mark(panel_genes) -> None:
    empty = panel_genes[:1].copy()
    empty[["correlation", "q_value", "correlation_purity", "correlation_general"]] = np.nan
    assert "TFF1 not assessable" in adjustment_takeaway(empty)
    assert all(len(trace.x) == 0 for trace in adjustment(empty).data)


def test_a_gene_twice_in_the_adjustment_is_refused(panel_genes) -> None:
    with pytest.raises(InputDataError, match="A gene stands twice for one drug and cohort"):
        adjustment(pd.concat([panel_genes, panel_genes]))


def test_misses_are_marked_in_words_and_found_pairs_stand_on_top(known_pairs) -> None:
    assert list(controls(known_pairs).layout.yaxis.ticktext) == [
        "EGFR – Gefitinib",
        "BCL2 – Venetoclax (<b>miss</b>: other direction)",
        "RB1 – Palbociclib (<b>miss</b>)",
        "MGMT – Temozolomide (not measured)",
    ]


def test_marks_that_pass_are_filled_and_others_hollow(known_pairs) -> None:
    found = traces(controls(known_pairs))
    assert list(found["Attributed"].marker.symbol) == ["circle-open", "circle-open"]
    associated = found["Associated"]
    assert dict(zip(associated.y, associated.marker.symbol, strict=True)) == {
        "EGFR – Gefitinib": "diamond",
        "BCL2 – Venetoclax": "diamond-open",
    }


def test_line_of_the_controls_stands_at_5_percent(known_pairs) -> None:
    figure = controls(known_pairs)
    assert [line.x0 for line in figure.layout.shapes] == [0.05]
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.range[0] < np.log10(0.002)


def test_takeaway_of_the_controls_names_every_miss(known_pairs) -> None:
    assert controls_takeaway(known_pairs) == (
        "On cell lines, in 1 of 3 known pairs the gene stands in the top 5% with the known "
        "direction; missed: BCL2 – Venetoclax, RB1 – Palbociclib; not measured: MGMT – "
        "Temozolomide."
    )


def test_controls_without_any_measured_gene_are_drawn(known_pairs) -> None:
    assert len(controls(known_pairs[-1:]).data) == 0
    with pytest.raises(InputDataError, match="has a kind twice"):
        controls(pd.concat([known_pairs, known_pairs]))
