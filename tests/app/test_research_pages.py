"""The pages of findings, and what they share with Why? and Survival."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.components import findings, jobs, permissions, resources, survival_results
from pages.components.state import BACKGROUNDS, COHORT_VIEWS, FINDINGS, KEY, SPACES, Session
from pages.components.survival_results import Study
from resvae_core.access.roles import SINGLE_USER, Actor
from resvae_core.data.transfer_drugs import load_transfer_drugs
from resvae_core.explain.attribution import attribute_set
from resvae_core.jobs import service
from resvae_core.jobs.record import JobRecord
from resvae_core.jobs.task_attribution import EXPRESSION, RESULT_FILE
from resvae_core.tables import Expression
from tests.app import job_states

STORIES = {story["story"]: story for story in resources.demo_stories()}
COHORTS = tuple(load_transfer_drugs())
WHY = ("From base to score", "Shared by the models", "Pathways", "Against the cohort", "How stable")


def demo(story: str = "resistant", **choices: str) -> Session:
    session = Session()
    session.accept_demo(resources.demo_upload(), STORIES[story])
    for name, value in choices.items():
        setattr(session, name, value)
    return session


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.error, *app.warning]
    return "\n".join(str(part.value) for part in parts)


def fine(app: AppTest) -> AppTest:
    assert not app.exception
    assert [error.value for error in app.error] == []
    return app


def explain_demo_cohort(drug: str) -> JobRecord:
    """Explain the synthetic cohort in a job and wait for its end."""
    arguments = {"cohort": "DEMO", "drug": drug, "model": "elastic_net"}
    arguments |= {"set_digest": resources.set_digest()}
    found = service.find_job(jobs.TASK, arguments)
    job = found or service.submit(jobs.TASK, arguments, actor=SINGLE_USER)
    end = time.monotonic() + 120
    while job.state in ("queued", "running"):
        assert time.monotonic() < end, "the job did not end"
        time.sleep(0.1)
        job = service.get_job(job.id)
    return job


@pytest.fixture
def no_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone without data: nothing is installed but what is shipped."""
    monkeypatch.setenv("RESVAE_DATA", "no such folder")
    resources.screen.clear()
    yield
    resources.screen.clear()


def test_cohort_is_listed_as_soon_as_it_is_fetched_and_no_more_when_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path))
    assert resources.installed_cohorts() == ["DEMO"]
    (tmp_path / "tcga").mkdir()
    for name in ("clinical.parquet", "OV_expression.parquet"):
        (tmp_path / "tcga" / name).touch()
    assert resources.installed_cohorts() == ["DEMO", "OV"]
    (tmp_path / "tcga/OV_expression.parquet").unlink()
    assert resources.installed_cohorts() == ["DEMO"]


@pytest.mark.parametrize("view", FINDINGS)
@pytest.mark.parametrize("cohort", ["LUAD", "STAD"])
def test_every_view_of_biomarkers_opens(open_page, view: str, cohort: str) -> None:
    drug = load_transfer_drugs()[cohort][0].drug
    app = fine(open_page("biomarkers", cohort=cohort, study=drug, findings=view))
    session = app.session_state[KEY]
    assert (session.cohort, session.study_drug, session.findings) == (cohort, drug, view)


def test_a_link_to_a_gene_opens_it_with_its_numbers_and_links(open_page) -> None:
    table = resources.evidence("biomarkers")
    row = table[(table["cohort"] == "GBM") & (table["kind"] == "attributed")].iloc[0]
    app = fine(open_page("biomarkers", cohort="GBM", study=row["drug"], gene=row["gene"]))
    shown = words(app)
    assert f"{row['effect']:+.3f} {row['unit']}" in shown
    for site in findings.LINKS:
        assert f"[{site}](https://" in shown
    assert "of 5 models" in shown


def test_kinds_of_genes_are_never_mixed_and_are_told_apart(open_page) -> None:
    app = open_page("biomarkers", cohort="LUAD", study="Gefitinib")
    shown = app.dataframe[0].value
    assert set(shown["kind"]) == {"attributed"}
    app.segmented_control[1].select("associated").run()
    assert set(app.dataframe[0].value["kind"]) == {"associated"}
    assert "says little by itself" in words(app)


def test_an_attributed_gene_counts_towards_a_side_and_an_unclear_correlation_says_so(
    open_page,
) -> None:
    shown = words(open_page("biomarkers", cohort="LUAD", study="Erlotinib", gene="TP63"))
    assert "▼ The models count high expression **towards sensitive**" in shown
    assert "(q 0.28: **not clear in these patients**)" in shown
    assert "goes with **" not in shown


def test_associated_genes_are_shown_by_selection_and_without_a_share(open_page) -> None:
    app = open_page("biomarkers", cohort="LUAD", study="Gefitinib")
    app.segmented_control[1].select("associated").run()
    shown = words(app)
    assert "from the 300 strongest of the cohort" in shown
    assert not re.search(r"\d+ of \d+ associated", shown)


def test_filters_leave_only_what_they_promise(open_page) -> None:
    app = open_page("biomarkers", cohort="LUAD", study="Gefitinib")
    before = len(app.dataframe[0].value)
    for toggle in app.toggle:
        toggle.set_value(True)
    app.run()
    if app.dataframe:
        left = app.dataframe[0].value
        assert len(left) < before
        assert (left["q_general"] < 0.05).all()
        assert (left["flags"].fillna("") == "").all()
    else:
        assert "No gene is left" in words(app)


def test_the_paper_s_genes_have_a_verdict_each(open_page) -> None:
    app = fine(open_page("biomarkers", findings="panel"))
    panel = app.dataframe[0].value
    assert set(panel["gene"]) == {"TFF1", "OPALIN", "LTF", "IL2RA", "SLC17A7"}
    verdicts = {"confirmed", "not confirmed", "opposite direction", "not assessable"}
    assert set(panel["verdict"]) <= verdicts
    shown = words(app)
    assert "nan" not in shown.split()
    for row in panel.to_dict("records"):
        assert f"{row['gene']} ({row['cohort']}, {row['drug']})" in shown.replace("\\", "")


def test_basket_holds_genes_over_pages_and_stays_out_of_the_link(open_page) -> None:
    app = open_page("biomarkers", cohort="LUAD", study="Gefitinib", findings="enrichment")
    button = next(b for b in app.button if "leading attributed genes" in b.label)
    button.click().run()
    fine(app)
    basket = app.session_state[KEY].basket
    assert len(basket) == 20
    assert basket[0] not in str(app.query_params)
    assert "sets tested against" in words(app)


def test_without_a_collection_of_gene_sets_the_page_says_how_to_get_one(
    open_page, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("RESVAE_GENE_SETS", str(tmp_path))
    app = open_page("biomarkers", cohort="LUAD", study="Gefitinib", findings="enrichment")
    assert "enrich --fetch" in words(app)
    (tmp_path / "mine.gmt").write_text("SET\tmy own\tEGFR\tKRAS\tBRAF\tERBB2\tMET\tALK\n")
    app.run()
    assert "mine" in app.selectbox(key="gene_sets").options


@pytest.mark.parametrize("view", COHORT_VIEWS)
def test_every_view_of_the_cohort_page_opens(open_page, view: str) -> None:
    app = fine(open_page("cohort", view=view))
    assert app.session_state[KEY].cohort_view == view


def test_cohorts_of_z_scores_are_said_to_have_no_level(open_page) -> None:
    assert "the level of the cohort does not" in words(open_page("cohort", cohort="PAAD"))
    assert "the level of the cohort does not" not in words(open_page("cohort", cohort="LUAD"))


def test_response_says_that_floors_know_nothing_and_nothing_is_pooled(open_page) -> None:
    shown = words(open_page("cohort", view="response"))
    assert "nothing is pooled over drugs" in shown
    assert "0.5" in shown


def test_several_samples_are_shown_against_all_drugs(open_page) -> None:
    session = Session(cohort_view="samples", cancer_type="LUAD")
    session.accept(resources.demo_upload())
    app = fine(open_page("cohort", session))
    assert f"{len(session.samples)} samples × 72 drugs" in words(app)


@pytest.mark.parametrize("space", SPACES)
def test_similar_places_the_patient_and_names_the_nearest_lines(open_page, space: str) -> None:
    app = fine(open_page("similar", demo(), space=space))
    nearest = next(part.value for part in app.dataframe if "relative" in part.value)
    assert nearest["rank"].tolist() == list(range(1, 11))
    assert nearest["relative"].is_monotonic_increasing
    assert "they are not the prediction" in words(app)


def test_similar_without_data_says_that_responses_are_not_shipped(open_page, no_patients) -> None:
    app = fine(open_page("similar", demo()))
    nearest = next(part.value for part in app.dataframe if "relative" in part.value)
    assert "label" not in nearest
    assert "not shipped" in words(app)


def test_similar_without_a_cancer_type_asks_for_one(open_page) -> None:
    session = Session()
    session.accept(resources.demo_upload())
    shown = words(fine(open_page("similar", session)))
    assert "No cancer type is stated: choose one in the bar above" in shown
    assert "No cohort of this cancer type" not in shown
    assert "of one tissue" not in shown


@pytest.mark.data
def test_similar_with_data_counts_the_measured_responses(open_page, data) -> None:
    resources.screen.clear()
    shown = words(open_page("similar", demo()))
    assert "of these lines that were measured" in shown


@pytest.mark.parametrize("section", WHY)
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_part_of_an_explanation_opens(open_page, section: str, background: str) -> None:
    app = open_page("explanation", demo(background=background))
    app.session_state["why_sections"] = section
    fine(app.run())


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("story", STORIES)
def test_attributions_of_every_model_and_demo_patient_add_up(story: str, background: str) -> None:
    session, loaded = demo(story), resources.model_set()
    chosen = resources.cohort_background(session.cancer_type) if background == "cohort" else None
    assert background == "reference" or chosen is not None
    samples = loaded.samples(session.expression())
    found = attribute_set(loaded, samples, session.drug, background=chosen)
    assert len(found) == len(loaded.learned)
    for attribution in found.values():
        table = attribution.table
        gap = table["base"].iloc[0] + table["attribution"].sum() - table["score"].iloc[0]
        assert abs(gap) <= 1e-3


def test_survival_by_a_leading_gene_without_its_patients(open_page, no_patients) -> None:
    tests = resources.evidence("survival_tests")
    row = tests[(tests["cohort"] == "LUAD") & (tests["gene"] == "TFF1")].iloc[0]
    shown = words(fine(open_page("survival", cohort="LUAD", gene="TFF1")))
    assert f"p = {row['test_p_value']:.2g}" in shown
    assert "not installed here" in shown


@pytest.mark.data
def test_shipped_survival_is_that_of_the_installed_patients(data) -> None:
    tests = resources.evidence("survival_tests")
    for cohort in COHORTS:
        row = tests[tests["cohort"] == cohort].iloc[0]
        study = Study(cohort, "gene", (row["gene"],), "OS", "median")
        live = survival_results.comparison(study)
        assert live.test.p_value == pytest.approx(row["test_p_value"], rel=1e-4)
        assert live.ratio.hazard_ratio == pytest.approx(row["hazard_ratio"], rel=1e-4)


def test_patient_and_cohort_are_explained_from_the_same_base(open_page) -> None:
    app = open_page("explanation", demo(background="cohort"))
    app.session_state["why_sections"] = "Against the cohort"
    shown = words(fine(app.run()))
    assert "Compared with the mean of the reference here" in shown
    assert "lies outside the range" in shown


@pytest.mark.parametrize("name", ["", "the name of a patient of the cohort"])
def test_a_cohort_is_explained_in_a_job_and_the_patient_marked_in_it(open_page, name) -> None:
    session = demo(model="elastic_net")
    if name:
        patient = resources.cohort("DEMO").values.index[0]
        renamed = session.expression().values.set_axis([patient])
        session.upload = replace(session.upload, expression=Expression(renamed))
        session.sample = patient
    job = explain_demo_cohort(session.drug)
    assert job.state == "done", job.error
    app = open_page("explanation", session)
    app.session_state["why_sections"] = "Against the cohort"
    app.session_state["beeswarm_cohort"] = "DEMO"
    fine(app.run())
    assert "The cohort is synthetic" in words(app)
    assert app.get("plotly_chart")


@pytest.mark.parametrize("same", [True, False])
def test_only_an_explanation_of_the_patients_that_are_installed_is_shown(
    same: bool, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    ended = job_states.end(job_states.run("Explain", jobs.TASK), "done")
    digest = resources.cohort("DEMO").expression.digest() if same else "0" * 64
    monkeypatch.setattr(
        service, "find_job", lambda *_: replace(ended, data_digests={EXPRESSION: digest})
    )
    service.job_folder(ended.id).mkdir(parents=True)
    pd.DataFrame({"gene": ["A"]}).to_parquet(service.job_folder(ended.id) / RESULT_FILE)
    offered: list[bool] = []
    monkeypatch.setattr(jobs, "_offer", lambda _, again: offered.append(again))
    table = jobs.cohort_attribution("DEMO", "Gefitinib", "elastic_net")
    assert (table is not None, offered) == ((True, []) if same else (False, [False]))


def at_the_cohort(open_page, session: Session) -> AppTest:
    app = open_page("explanation", session)
    app.session_state["why_sections"] = "Against the cohort"
    app.session_state["beeswarm_cohort"] = "DEMO"
    return fine(app.run())


def offer_of(app: AppTest) -> list[bool]:
    """Return whether the button that starts the job is disabled; nothing where it is not there."""
    return [button.disabled for button in app.button if "Explain every patient" in button.label]


def test_a_cohort_that_was_not_explained_is_offered_and_started(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    app = at_the_cohort(open_page, demo(model="elastic_net"))
    assert offer_of(app) == [False]
    next(button for button in app.button if "Explain every" in button.label).click()
    fine(app.run())
    assert offer_of(app) == []
    (job,) = service.list_jobs(task=jobs.TASK)
    assert (job.state, job.submitted_by) == ("queued", SINGLE_USER.name)
    service.cancel(job.id, actor=SINGLE_USER)
    fine(app.run())
    assert any(button.label == "Try again" for button in app.button)


def test_who_may_not_start_a_job_sees_why(open_page, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    monkeypatch.setattr(permissions, "current_actor", lambda: Actor("vera", "viewer", "sign-in"))
    app = at_the_cohort(open_page, demo(model="elastic_net"))
    assert offer_of(app) == [True]
    assert "Only the role analyst or steward may score and explain cohorts" in words(app)
