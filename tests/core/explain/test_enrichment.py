"""Enrichment: p-values against scipy, scores against the published formula."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, hypergeom

from resvae_core.data.gene_sets import GeneSets
from resvae_core.data.genes import load_gene_table
from resvae_core.errors import InputDataError
from resvae_core.explain.enrichment import (
    CODING,
    COLUMNS,
    PANEL,
    Background,
    CohortGenes,
    choose_background,
    genes_of_cohort,
    over_representation,
    prerank,
)


def coding_genes(n: int) -> list[str]:
    table = load_gene_table()
    return list(table.symbols[table.primary & (table.biotypes == "protein_coding")][:n])


*GENES, OUTSIDE = coding_genes(301)
BACKGROUND = Background("three hundred genes", frozenset(GENES))


def collection(**sets: list[str]) -> GeneSets:
    return GeneSets("mine", {name: tuple(genes) for name, genes in sets.items()}, "", "")


SETS = collection(
    first=GENES[:20],
    half=GENES[10:50],
    none=GENES[200:230],
    wide=[*GENES[5:15], "NOT-IN-BACKGROUND"],
    tiny=GENES[:3],
    huge=GENES,
)


def test_p_values_match_scipy_hypergeom() -> None:
    basket = GENES[:12]
    found = over_representation(basket, SETS, BACKGROUND, maximal_size=100)
    assert list(found.table.columns) == COLUMNS
    assert found.table["set"].tolist() == ["first", "wide", "half"]
    for row in found.table.itertuples():
        expected = hypergeom.sf(row.overlap - 1, 300, row.size, len(basket))
        assert row.p_value == pytest.approx(expected, rel=1e-12)
        assert row.overlap == len(row.genes.split("; "))
    assert found.table["background_size"].eq(300).all()
    assert found.table.set_index("set")["size"].to_dict() == {"first": 20, "wide": 10, "half": 40}


def test_q_values_count_every_set_that_was_tested_not_only_those_that_were_met() -> None:
    found = over_representation(GENES[:12], SETS, BACKGROUND, maximal_size=100)
    assert found.n_tested == 4  # "none" too; "tiny" and "huge" do not fit
    p_values = [*found.table["p_value"], 1.0]
    assert np.allclose(found.table["q_value"], false_discovery_control(p_values)[:3])


def test_the_wider_the_background_the_smaller_the_p() -> None:
    wide = Background("more genes", frozenset(coding_genes(5000)))
    narrow = over_representation(GENES[:12], SETS, BACKGROUND).table.set_index("set")["p_value"]
    found = over_representation(GENES[:12], SETS, wide).table.set_index("set")["p_value"]
    assert (found[narrow.index] < narrow).all()


def test_names_of_any_kind_and_their_order_do_not_matter() -> None:
    sets = collection(mixed=["C15orf65", "CARS1", "BRCA1", "TP53", "KRAS"])
    genes = ["CARS", "ENSG00000012048", "C15orf65", " TP53 ", "TP53"]
    background = Background("few", frozenset(["CARS1", "BRCA1", "TP53", "KRAS", "PIERCE2", *GENES]))
    first = over_representation(genes, sets, background, minimal_size=4)
    again = over_representation(genes[::-1], sets, background, minimal_size=4)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.table.loc[0, "overlap"] == 3
    assert first.left_out == ()


def test_lower_case_letters_in_symbols_do_not_hide_a_gene() -> None:
    orfs = [gene for gene in coding_genes(20_000) if "orf" in gene][:6]
    sets = GeneSets("orfs", {"orfs": tuple(orfs)}, "", "")
    found = over_representation(orfs, sets, Background("", frozenset([*GENES, *orfs])))
    assert found.table.loc[0, "overlap"] == 6


def test_genes_outside_of_the_background_are_left_out_and_named() -> None:
    found = over_representation([*GENES[:5], OUTSIDE], SETS, BACKGROUND)
    assert found.left_out == (OUTSIDE,)
    first = found.table.set_index("set").loc["first"]
    assert first["p_value"] == pytest.approx(hypergeom.sf(4, 300, 20, 5))


def test_baskets_that_cannot_be_tested_are_refused() -> None:
    with pytest.raises(InputDataError, match="The basket is empty"):
        over_representation(["", " "], SETS, BACKGROUND)
    with pytest.raises(InputDataError, match="None of the 1 genes of the basket is in the back"):
        over_representation([OUTSIDE], SETS, BACKGROUND)
    with pytest.raises(InputDataError, match="None of the 1 genes of the basket is in any of the"):
        over_representation([GENES[290]], SETS, BACKGROUND, maximal_size=100)
    with pytest.raises(InputDataError, match="No set of mine has 5 to 500 of the 300 genes"):
        over_representation(GENES[:3], collection(tiny=GENES[:3]), BACKGROUND)


def test_the_background_is_the_panel_where_it_holds_the_basket() -> None:
    panel = ["EGFR", "KRAS", "TP53"]
    chosen = choose_background(["EGFR", "TP53", "NOT-A-GENE"], panel)
    assert (chosen.name, chosen.genes) == (PANEL, frozenset(panel))
    wide = choose_background(["EGFR", "OPALIN", "NOT-A-GENE"], panel)
    assert wide.name == CODING
    assert {"EGFR", "OPALIN", "BRCA1"} <= wide.genes
    assert "NOT-A-GENE" not in wide.genes
    assert 18_000 < len(wide.genes) < 21_000


BIASED = frozenset([*GENES[:50], *GENES[60:80:4], *GENES[100:250:2]])
"""Measured: all of the first 50 genes, few of the next, half of the others."""
COHORT = CohortGenes("BLCA", BIASED)


@pytest.mark.parametrize(
    ("basket", "words", "expected"),
    [
        (["A", "B"], "are measured in BLCA and that the models read", "AB"),
        (["X", "Y"], "are measured in BLCA and that the models do not read", "XYZ"),
        (["A", "X"], "are measured in BLCA", "ABXYZ"),
        (["A", "C"], "are measured in BLCA and that the models read", "AB"),  # C is left out
    ],
)
def test_of_a_cohort_the_background_is_what_was_measured(
    basket: list[str], words: str, expected: str
) -> None:
    names = dict(zip("ABCXYZ", GENES, strict=False))
    panel = [names[letter] for letter in "ABC"]
    cohort = CohortGenes("BLCA", frozenset(names[letter] for letter in "ABXYZ"))
    chosen = choose_background([names[one] for one in basket], panel, cohort=cohort)
    assert chosen.genes == {names[letter] for letter in expected}
    assert chosen.name.endswith(words)


def test_a_basket_from_elsewhere_has_the_background_of_no_cohort() -> None:
    unmeasured = [gene for gene in GENES if gene not in BIASED][:3]
    assert choose_background(unmeasured, GENES, cohort=COHORT).name == PANEL
    assert choose_background([OUTSIDE], GENES, cohort=COHORT).name == CODING


def test_genes_of_a_cohort_come_by_current_symbols() -> None:
    table = pd.DataFrame({"cohort": ["BLCA", "BLCA", "GBM"], "gene": ["CARS", "TP53", "EGFR"]})
    assert genes_of_cohort(table, "BLCA") == CohortGenes("BLCA", frozenset(["CARS1", "TP53"]))
    with pytest.raises(InputDataError, match="measured in STAD is not recorded") as raised:
        genes_of_cohort(table, "STAD")
    assert "BLCA, GBM" in raised.value.remedy


def test_random_baskets_of_measured_genes_are_rejected_as_often_as_they_should() -> None:
    """As often as the sum over the hypergeometric distribution says: it is no more than 5 %."""
    rng = np.random.default_rng(3)
    sets = collection(covered=GENES[:50])
    baskets = [list(rng.choice(sorted(BIASED), 20, replace=False)) for _ in range(150)]
    overlaps = np.arange(21)
    p_values = hypergeom.sf(overlaps - 1, len(BIASED), 50, 20)
    exact = hypergeom.pmf(overlaps, len(BIASED), 50, 20)[p_values < 0.05].sum()

    def rejected(cohort: CohortGenes | None) -> float:
        found = [
            over_representation(
                basket, sets, choose_background(basket, GENES, cohort=cohort)
            ).table.loc[0, "p_value"]
            for basket in baskets
        ]
        return float((np.array(found) < 0.05).mean())

    assert 0.01 < exact < 0.05  # overlaps are whole numbers
    assert rejected(COHORT) == pytest.approx(exact, abs=0.03)
    assert rejected(None) > 0.3


def ranking(seed: int = 0) -> pd.Series[float]:
    rng = np.random.default_rng(seed)
    values = pd.Series(rng.normal(size=300), index=GENES)
    values[GENES[:20]] += 1.5
    return values


def enrichment_score(values: pd.Series[float], members: set[str]) -> float:
    """Return the score as Subramanian et al. 2005 define it, with weight 1."""
    ordered = values.sort_values(ascending=False)
    hit = ordered.index.isin(members)
    weight = np.where(hit, ordered.abs(), 0.0)
    running = np.cumsum(weight / weight.sum() - ~hit / (~hit).sum())
    return float(running[np.abs(running).argmax()])


def test_scores_match_the_published_formula() -> None:
    values = ranking()
    found = prerank(values, SETS)
    assert list(found.table.columns) == COLUMNS
    assert found.n_tested == 4  # all genes cannot gather anywhere
    for row in found.table.itertuples():
        expected = enrichment_score(values, set(SETS.sets[row.set]))
        assert row.es == pytest.approx(expected, abs=1e-9)
        assert np.sign(row.nes) == np.sign(row.es)
    assert found.table.loc[0, "set"] == "first"
    assert 0 < found.table.loc[0, "p_value"] < 1e-4
    assert set(found.table.loc[0, "genes"].split("; ")) <= set(SETS.sets["first"])
    assert found.table.loc[0, "overlap"] == len(found.table.loc[0, "genes"].split("; "))
    q_values = false_discovery_control(found.table["p_value"])
    assert np.allclose(found.table["q_value"], q_values)


def test_a_set_at_the_low_end_has_a_negative_score_of_the_same_size() -> None:
    up = prerank(ranking(), SETS).table.set_index("set")
    down = prerank(-ranking(), SETS).table.set_index("set")
    assert down.loc["first", "es"] == pytest.approx(-up.loc["first", "es"])
    assert down.loc["first", "nes"] < 0


def test_ranking_gives_the_same_on_every_run_and_in_every_order() -> None:
    values = ranking().round(1)  # with ties
    first = prerank(values, SETS).table
    pd.testing.assert_frame_equal(first, prerank(values, SETS).table)
    shuffled = values.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(first, prerank(shuffled, SETS).table)


def test_ties_are_no_noise_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    prerank(ranking().round(0), SETS)
    over_representation(GENES[:9], SETS, BACKGROUND)
    assert capfd.readouterr() == ("", "")


def test_random_rankings_give_small_p_values_as_often_as_they_should() -> None:
    rng = np.random.default_rng(5)
    chosen = [list(rng.choice(GENES, 15, replace=False)) for _ in range(400)]
    sets = GeneSets("random", {f"S{n}": tuple(genes) for n, genes in enumerate(chosen)}, "", "")
    found = prerank(pd.Series(rng.normal(size=300), index=GENES), sets)
    assert 0.02 < (found.table["p_value"] < 0.05).mean() < 0.09


def test_genes_without_a_value_are_left_out_and_double_ones_count_once() -> None:
    values = pd.concat([ranking(), pd.Series([np.nan, -0.01], index=[OUTSIDE, GENES[0]])])
    found = prerank(values, SETS)
    assert found.left_out == (OUTSIDE,)
    assert found.table["background_size"].eq(300).all()
    pd.testing.assert_frame_equal(found.table, prerank(ranking(), SETS).table)


def test_rankings_that_cannot_be_tested_are_refused() -> None:
    with pytest.raises(InputDataError, match="has 1 genes with a value"):
        prerank(pd.Series([1.0, np.nan], index=GENES[:2]), SETS)
    with pytest.raises(InputDataError, match="No set of mine has 5 to 9 of the 10 genes"):
        prerank(ranking()[200:210], collection(first=GENES[:20]))
