"""Home, Overview and Drug: what a reader is told of a sample, drug by drug."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from pages.components import rankings, resources, stated_type
from pages.components.frame import PAGES
from pages.components.state import KEY, Session
from resvae_core.config import PROJECT_ROOT
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.drugs import load_drugs
from resvae_core.data.uploads import Upload

STORIES = {story["story"]: story for story in resources.demo_stories()}


@pytest.fixture(scope="module")
def patients() -> Upload:
    return resources.demo_upload()


def demo(patients: Upload, story: str, **choices: object) -> Session:
    session = Session()
    session.accept_demo(patients, STORIES[story])
    for name, value in choices.items():
        setattr(session, name, value)
    return session


@pytest.fixture(scope="module")
def seen(patients: Upload) -> Callable[[str, str], AppTest]:
    """Return a function that visits a page with a demo patient, once for all that only look."""

    @cache
    def visit(name: str, story: str) -> AppTest:
        app = AppTest.from_file(PROJECT_ROOT / "app.py", default_timeout=60)
        app.session_state[KEY] = demo(patients, story) if story else Session()
        app.run()
        return app if name == "home" else app.switch_page(PAGES[name].script).run()

    return visit


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.error, *app.warning]
    return "\n".join(str(part.value) for part in parts)


def ranking(app: AppTest):
    return next(part.value for part in app.dataframe if "strip" in part.value)


def without_cohort() -> str:
    known = set(resources.evidence("score_quantiles")["cohort"])
    return next(code for code in load_cancer_types() if code not in known)


def test_percentile_of_the_headline_is_that_of_the_ranking(seen) -> None:
    app = seen("overview", "resistant")
    session = app.session_state[KEY]
    row = ranking(app).set_index("drug").loc[session.drug]
    place = resources.percentile_in_cohort(
        session.cancer_type, session.drug, session.model, row["probability"]
    )
    assert place is not None
    assert row["percentile"] == place.percentile
    assert f"Predicted resistance is {place.words} ({place.n_patients} in the cohort)" in words(app)


def test_percentile_rises_with_probability_within_one_drug() -> None:
    shares = [
        resources.percentile_in_cohort("LUAD", "Cisplatin", "ensemble", p).percentile
        for p in (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0)
    ]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(5)
    assert shares[-1] == pytest.approx(95)


def shown_ranks(app: AppTest) -> list[str]:
    """Return what the cells of the rank read, from the display values of the table."""
    element = next(part for part in app.dataframe if "strip" in part.value)
    source = pa.BufferReader(element.proto.arrow_data.styler.display_values)
    display = pa.ipc.open_stream(source).read_all().to_pandas()
    return list(display["percentile"])


def test_a_rank_at_the_end_of_the_scale_reads_as_a_bound(seen) -> None:
    assert [rankings.rank_words(share) for share in (5.0, 62.4, 95.0, math.nan)] == [
        "< 5",
        "62",
        "> 95",
        "",
    ]
    app = seen("overview", "resistant")
    table = ranking(app)
    assert shown_ranks(app) == [rankings.rank_words(share) for share in table["percentile"]]
    assert set(table.loc[table["percentile"] == 5, "percentile_bound"]) <= {"at most"}
    assert set(table.loc[table["percentile"] == 95, "percentile_bound"]) <= {"at least"}
    assert (table.loc[table["percentile"].between(5.1, 94.9), "percentile_bound"] == "").all()


def test_the_file_of_a_ranking_names_sample_and_model_and_rounds(seen) -> None:
    app = seen("overview", "resistant")
    session = app.session_state[KEY]
    file = rankings.as_file(session, ranking(app).drop(columns="strip"))
    assert list(file.columns[:2]) == ["sample", "model"]
    assert set(file["sample"]) == {session.sample}
    assert set(file["model"]) == {session.model}
    for name in ("probability", "lower", "upper", "floor"):
        assert (file[name] == file[name].round(4)).all()
    said = "\n".join(rankings.file_notes(session))
    assert f"Sample: {session.sample}; model: {session.model}" in said
    assert "both = either class" in said
    assert rankings.SENSITIVE_MEANS in said


def test_a_first_line_drug_stands_with_its_setting(seen) -> None:
    table = ranking(seen("overview", "resistant")).set_index("drug")
    assert table.loc["Osimertinib", "first_line"] == (
        "✓ EGFR exon 19 deletion or L858R; metastatic"
    )
    assert table.loc["Sorafenib", "first_line"] == ""
    shown = words(seen("drug", "resistant"))
    drug = seen("drug", "resistant").session_state[KEY].drug
    setting = load_cancer_types()["LUAD"].setting_of(drug)
    assert (f"in this setting: {setting}" in shown) == bool(setting)


def test_sensitive_is_said_to_mean_less_resistant_than_most(seen) -> None:
    assert rankings.SENSITIVE_MEANS in words(seen("overview", "sensitive"))
    assert rankings.SENSITIVE_MEANS not in words(seen("overview", "out of range"))


def test_without_a_cancer_type_neither_rank_nor_first_line_is_a_column(
    open_page, seen, patients
) -> None:
    def order(app: AppTest) -> set[str]:
        element = next(part for part in app.dataframe if "strip" in part.value)
        return set(element.proto.column_order)

    assert {"percentile", "first_line"} <= order(seen("overview", "resistant"))
    untold = order(open_page("overview", demo(patients, "resistant", cancer_type="")))
    assert not {"percentile", "first_line"} & untold


def test_without_a_cohort_the_place_is_not_assessable_and_its_column_is_gone(
    open_page, patients
) -> None:
    session = demo(patients, "resistant", cancer_type=without_cohort())
    shown = words(open_page("overview", session))
    assert "not assessable, no cohort of this type" in shown
    assert "Predicted resistance is" not in shown
    shown = words(open_page("overview", demo(patients, "resistant", cancer_type="")))
    assert "not assessable, no cancer type is stated" in shown


def test_place_among_patients_is_a_strip_with_its_table(open_page, patients) -> None:
    app = open_page("drug", demo(patients, "resistant"))
    assert "Among patients with the same cancer" in words(app)
    app.session_state["tabs_place-in-cohort"] = "Table"
    app.run()
    assert not app.exception
    table = next(part.value for part in app.dataframe if "level" in part.value)
    assert table["value"].is_monotonic_increasing
    shown = words(open_page("drug", demo(patients, "resistant", cancer_type=without_cohort())))
    assert "not assessable, no cohort of this type" in shown


def test_out_of_range_has_no_place_no_call_and_no_heading_of_a_ranking(seen) -> None:
    app = seen("overview", "out of range")
    shown = words(app)
    assert "No drug is called" in shown
    assert "most sensitive first" not in shown
    assert "Predicted resistance is" not in shown
    table = ranking(app)
    assert set(table["call"]) == {"⊘ Not assessable"}
    assert table["percentile"].isna().all()
    assert (table["agreement"] == "").all()
    assert (table["conformal"] == "").all()
    assert "Select a row to see the drug above" not in shown


def test_filters_show_first_line_class_and_call_alone(open_page, patients) -> None:
    app = open_page("overview", demo(patients, "uncertain"))
    everything = ranking(app)
    assert len(everything) == len(load_drugs())
    app.toggle(key="first_line_only").set_value(True).run()
    first = set(load_cancer_types()["LUAD"].first_line_drugs)
    assert set(ranking(app)["drug"]) == first
    assert f"Shown: {len(first)} of {len(load_drugs())} drugs" in words(app)
    app.toggle(key="first_line_only").set_value(False).run()
    app.selectbox(key="choose_drug_class").select("targeted").run()
    assert {load_drugs()[drug].drug_class for drug in ranking(app)["drug"]} == {"targeted"}
    app.selectbox(key="choose_call").select("resistant").run()
    assert set(ranking(app)["call"]) == {"▲ Resistant"}
    both = everything[
        (everything["call"] == "▲ Resistant") & (everything["drug_class"] == "targeted")
    ]
    assert set(ranking(app)["drug"]) == set(both["drug"])


def test_a_filtered_table_says_so_in_its_file() -> None:
    assert rankings.filter_note(12, 72) == ("Filtered: 12 of 72 drugs",)
    assert rankings.filter_note(72, 72) == ()


def test_filters_outlive_a_page_change_and_never_reach_the_address(open_page, patients) -> None:
    session = demo(patients, "resistant", first_line_only=True, drug_class="chemotherapy")
    app = open_page("overview", session)
    shown = set(ranking(app)["drug"])
    assert 0 < len(shown) < len(load_drugs())
    app.switch_page("pages/drug.py").run()
    app.switch_page("pages/overview.py").run()
    assert set(ranking(app)["drug"]) == shown
    assert app.toggle(key="first_line_only").value
    assert set(app.query_params) <= {"cancer", "drug", "model"}


def test_first_line_filter_is_off_where_no_cancer_type_is_stated(open_page, patients) -> None:
    session = demo(patients, "resistant", cancer_type="", first_line_only=True)
    app = open_page("overview", session)
    assert app.toggle(key="first_line_only").disabled
    assert len(ranking(app)) == len(load_drugs())


def test_no_drug_left_by_the_filters_says_so(open_page, patients) -> None:
    session = demo(patients, "sensitive", drug_class="targeted", first_line_only=True)
    session.cancer_type = next(
        code
        for code, kind in load_cancer_types().items()
        if kind.first_line_drugs
        and all(load_drugs()[drug].drug_class == "chemotherapy" for drug in kind.first_line_drugs)
    )
    # the expression is another type's: without this, its first-line marks would be held back
    session.kept_type = stated_type._settled(session)
    app = open_page("overview", session)
    assert "No drug is left" in words(app)
    assert not app.exception


def test_every_drug_has_a_picture_of_its_interval_beside_its_numbers(seen) -> None:
    table = ranking(seen("overview", "resistant"))
    assert table["strip"].str.startswith("data:image/svg+xml;base64,").all()
    assert (table["lower"] <= table["probability"]).all()
    assert (table["probability"] <= table["upper"]).all()


def test_calibration_says_how_many_lines_that_scored_like_this_were_resistant(seen) -> None:
    app = seen("drug", "resistant")
    model = app.session_state[KEY].model
    curve = resources.evaluation("reliability_by_tissue")
    bins = curve[
        (curve["tissue"] == "LUAD")
        & (curve["model"] == model)
        & (curve["split"] == "leave_cell_line_out")
    ]
    top = bins.sort_values("predicted").iloc[-1]
    said = f"Of 100 pairs of line and drug that scored like this, {100 * top['observed']:.0f} were"
    assert said in words(app)
    assert f"of {top['n']:.0f} pairs of {top['n_lines']:.0f} lines" in words(app)


def test_calibration_of_a_score_that_no_bin_is_near_was_not_seen(seen) -> None:
    shown = words(seen("drug", "uncertain"))
    assert "No group of these lines was scored near" in shown
    assert "scored like this, " not in shown


def test_basis_names_seed_versions_data_and_both_thresholds(seen) -> None:
    app = seen("overview", "resistant")
    shown = words(app)
    card = next(c for c in resources.cards() if c.kind == app.session_state[KEY].model)
    document = card.document
    assert f"seed {document['seed']}; weights `{document['weights_sha256'][:16]}`" in shown
    assert f"torch {document['versions']['torch']}".split("+")[0] in shown
    for digest in document["training"]["data_digests"].values():
        assert digest[:8] in shown
    assert document["output"]["threshold_source"] in shown
    assert load_drugs()["Cisplatin"].threshold_source.split(" ")[0] in shown


@pytest.mark.parametrize("name", ["overview", "drug"])
def test_an_empty_page_loads_a_demo_patient_in_one_click(open_page, name: str) -> None:
    app = open_page(name)
    next(b for b in app.button if b.label == "Load a demo patient").click().run()
    assert not app.exception
    assert app.session_state[KEY].is_demo
    assert "Synthetic patient" in words(app)
    assert app.query_params["drug"]


def test_home_offers_patient_research_and_demo_and_says_what_is_ready(seen) -> None:
    app = seen("home", "")
    headings = [part.value for part in app.subheader]
    assert headings[:3] == ["A patient's profile", "Findings in cohorts", "A demonstration"]
    assert "What it cannot do" in headings
    assert re.search(r"\d models ready", words(app))
    primary = [b.label for b in app.button if b.proto.type == "primary"]
    assert primary == ["Upload a profile"]


def test_home_warns_that_a_demo_patient_takes_the_place_of_an_upload(
    open_page, seen, patients
) -> None:
    session = Session()
    session.accept(patients)
    assert "takes the place of the sample you uploaded" in words(open_page("home", session))
    assert "takes the place" not in words(seen("home", ""))


def test_a_sample_whose_genes_were_lost_as_zeros_says_so(seen) -> None:
    assert "are 0: lost rather than silent" in words(seen("overview", "out of range"))
    assert "are 0: lost" not in words(seen("overview", "resistant"))


def test_a_contradicted_type_marks_no_first_line_drug_and_ranks_in_no_cohort(
    open_page, patients
) -> None:
    session = demo(patients, "resistant", cancer_type="GBM")
    app = open_page("overview", session)
    table = ranking(app)
    assert "first-line marks are held back" in words(app)
    assert table["percentile"].isna().all()
    assert (table["first_line"] == "").all()
