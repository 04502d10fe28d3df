"""The Survival page: every way to divide the synthetic cohort, and a real cohort where it is."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import resources, survival_results
from pages.components.state import CUTS, DIVIDERS, KEY, Session
from pages.components.survival_parts import PARTS
from pages.components.survival_results import Study
from resvae_core.errors import SurvivalDataError
from resvae_core.survival.groups import FIXED_AS_SEARCHED, FIXED_CUT

GENES = ("TFF1", "EGFR", "SFTPC")


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.error, *app.warning]
    return "\n".join(str(part.value) for part in parts)


def fine(app: AppTest) -> AppTest:
    assert not app.exception
    assert [error.value for error in app.error] == []
    return app


def open_part(open_page, part: str, session: Session | None = None, **link: str) -> AppTest:
    app = open_page("survival", session, cohort="DEMO", **link)
    app.session_state["survival_parts"] = part
    return fine(app.run())


def demo_genes() -> tuple[str, ...]:
    known = resources.cohort_genes("DEMO")
    return tuple(gene for gene in GENES if gene in known) or tuple(known[:2])


@pytest.mark.parametrize("part", PARTS)
def test_every_part_opens_on_the_synthetic_cohort(open_page, part: str) -> None:
    app = open_part(open_page, part, gene="TFF1")
    assert "synthetic" in words(app).lower()


@pytest.mark.parametrize("cut", CUTS)
def test_every_cut_says_its_value_and_sizes(open_page, cut: str) -> None:
    app = fine(open_page("survival", cohort="DEMO", gene="TFF1", cut=cut))
    shown = words(app)
    assert "low" in shown
    assert "high" in shown
    if cut == "optimal":
        assert "corrected" in shown


@pytest.mark.parametrize("divider", DIVIDERS)
def test_every_divider_says_that_a_difference_is_prognostic(open_page, divider: str) -> None:
    session = Session(signature=", ".join(demo_genes()))
    app = fine(open_page("survival", session, cohort="DEMO", by=divider, study="Cisplatin"))
    assert "Prognostic, not predictive" in words(app)
    assert app.session_state[KEY].divider == divider


def test_a_signature_stays_out_of_the_link_and_names_what_is_missing(open_page) -> None:
    gene = demo_genes()[0]
    session = Session(signature=f"{gene}, NOSUCHGENE")
    app = fine(open_page("survival", session, cohort="DEMO", by="signature"))
    assert "NOSUCHGENE" in words(app)
    assert gene not in str(app.query_params)
    assert "NOSUCHGENE" not in str(app.query_params)


def test_without_a_signature_the_page_says_what_to_type(open_page) -> None:
    app = fine(open_page("survival", cohort="DEMO", by="signature"))
    assert "No gene yet" in words(app)


def test_basket_is_the_signature_until_one_is_typed(open_page) -> None:
    session = Session(basket=demo_genes())
    app = fine(open_page("survival", session, cohort="DEMO", by="signature"))
    assert app.text_input(key="signature_genes").value == ", ".join(demo_genes())


def test_a_fixed_cut_is_kept_in_the_link(open_page) -> None:
    app = fine(open_page("survival", cohort="DEMO", gene="TFF1", cut="fixed"))
    median = app.number_input[0].value
    app.number_input[0].set_value(median + 0.1).run()
    fine(app)
    assert float(app.session_state[KEY].cut_value) == pytest.approx(median + 0.1)
    assert float(app.query_params["at"]) == pytest.approx(median + 0.1)


def test_p_of_an_optimal_cut_is_the_corrected_one_everywhere() -> None:
    study = Study("DEMO", "gene", ("TFF1",), "OS", "optimal")
    result = survival_results.comparison(study)
    assert result.optimal is not None
    assert result.test.p_value == result.optimal.p_value
    assert result.optimal.p_value >= result.optimal.p_uncorrected
    assert "corrected" in result.test.test_name


def test_studies_that_differ_in_one_field_do_not_share_a_result() -> None:
    one = Study("DEMO", "gene", ("TFF1",), "OS", "median")
    other = Study("DEMO", "gene", (demo_genes()[1],), "OS", "median")
    first, second = map(survival_results.comparison, (one, other))
    assert first.ratio.hazard_ratio != second.ratio.hazard_ratio
    assert survival_results.comparison(one).ratio == first.ratio


@pytest.mark.data
def test_the_corrected_cut_does_not_call_ltf_significant(data) -> None:
    result = survival_results.comparison(Study("GBM", "gene", ("LTF",), "OS", "optimal"))
    assert result.optimal.p_uncorrected == pytest.approx(0.016, abs=0.002)
    assert result.test.p_value > 0.05


@pytest.mark.data
def test_a_cut_beyond_all_values_is_refused_with_a_remedy(data) -> None:
    study = Study("GBM", "gene", ("LTF",), "OS", "fixed", 99.0)
    with pytest.raises(SurvivalDataError, match="at least 2 are needed"):
        survival_results.comparison(study)


def test_once_every_gene_was_seen_each_gene_has_its_q_value(open_page) -> None:
    app = open_part(open_page, "Every gene", gene="TFF1")
    app.session_state["survival_parts"] = "Curves"
    shown = words(fine(app.run()))
    table = survival_results.screen("DEMO", "OS")
    row = table[table["gene"] == "TFF1"].iloc[0]
    assert (
        f"q = {row['cox_q']:.2g} (hazard ratio, over {table['cox_q'].notna().sum():,} tests)"
        in shown
    )


def test_the_cut_that_a_search_found_is_not_taken_for_one_set_beforehand(open_page) -> None:
    found = survival_results.comparison(Study("DEMO", "gene", ("TFF1",), "OS", "optimal"))
    cut = f"{found.optimal.cut:.12g}"
    shown = words(fine(open_page("survival", cohort="DEMO", gene="TFF1", cut="fixed", at=cut)))
    assert FIXED_AS_SEARCHED in shown
    median = words(fine(open_page("survival", cohort="DEMO", gene="TFF1", cut="fixed")))
    assert FIXED_CUT in median


def test_a_landmark_says_who_was_left_out(open_page) -> None:
    shown = words(open_part(open_page, "From a landmark", gene="TFF1"))
    assert "Landmark at 12.0 months" in shown
    assert "from month 12 on" in shown
    assert "last seen by month 12" in shown


def test_without_its_patients_a_cohort_says_what_it_has(open_page, monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_DATA", "no such folder")
    app = fine(open_page("survival", cohort="LUAD", gene="TFF1", by="score", cut="optimal"))
    assert "cut at its median" in words(app)


@pytest.mark.data
def test_a_fixed_score_in_a_cohort_of_z_scores_is_refused(open_page, data) -> None:
    app = open_page("survival", cohort="PAAD", by="score", study="Gemcitabine", cut="fixed")
    assert "The level of PAAD is lost" in app.error[0].value
    app = fine(open_page("survival", cohort="PAAD", by="score", study="Gemcitabine"))
    assert "the level of the cohort is lost" in words(app)


@pytest.mark.data
def test_one_signature_has_one_p_value_on_the_page_and_alone(data) -> None:
    from resvae_core.survival import group_by_expression, log_rank, signature_score

    genes = ("ABL1", "EGFR", "TP53")
    cohort = resources.cohort("PAAD")
    outcome = cohort.outcome("DFI")
    scores = signature_score(cohort.values.loc[outcome.patients], list(genes)).scores
    result = survival_results.comparison(Study("PAAD", "signature", genes, "DFI", "median"))
    assert result.test.p_value == log_rank(outcome, group_by_expression(scores)).p_value
