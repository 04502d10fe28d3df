from __future__ import annotations

import csv
import inspect
import io
import re
from dataclasses import replace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.components import predictions, resources
from pages.components.downloads import csv_text
from pages.components.frame import PAGES
from pages.components.state import KEY, Session
from pages.components.validation import set_in_words
from resvae_core.config import RESEARCH_USE
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.drugs import load_drugs
from resvae_core.data.uploads import Upload, UploadOverrides
from resvae_core.errors import InputDataError
from resvae_core.figures.palette import FIVE, model_word
from resvae_core.tables import Expression

SECTIONS = (
    "Leaderboard",
    "Paired tests",
    "Are probabilities right?",
    "Do the 90 % sets hold?",
    "Other measurements",
    "What each part is worth",
    "Cards",
)
STORIES = {story["story"]: story for story in resources.demo_stories()}
DRUG = STORIES["resistant"]["drug"]


@pytest.fixture(scope="module")
def patients() -> Upload:
    return resources.demo_upload()


def demo(patients: Upload, story: str) -> Session:
    session = Session()
    session.accept_demo(patients, STORIES[story])
    return session


def several(patients: Upload) -> Session:
    session = Session(drug=DRUG, cancer_type="LUAD")
    session.accept(patients)
    return session


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.error, *app.warning]
    return "\n".join(str(part.value) for part in parts)


def test_there_is_a_synthetic_patient_for_each_story() -> None:
    assert set(STORIES) == {"resistant", "sensitive", "uncertain", "out of range"}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("story", ["resistant", "out of range"])
def test_every_page_opens_with_a_demo_patient(open_page, patients, name: str, story: str) -> None:
    app = open_page(name, demo(patients, story))
    assert not app.exception
    unexpected = [error.value for error in app.error if "Not assessable" not in error.value]
    assert unexpected == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_with_several_samples(open_page, patients, name: str) -> None:
    app = open_page(name, several(patients))
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="choose_sample").options == patients.expression.samples


@pytest.mark.parametrize("name", ["upload", "overview", "drug", "explanation"])
def test_demo_patient_is_called_synthetic(open_page, patients, name: str) -> None:
    assert "Synthetic patient" in words(open_page(name, demo(patients, "resistant")))


@pytest.mark.parametrize("name", ["overview", "drug", "explanation"])
def test_out_of_range_comes_first_and_hides_the_call(open_page, patients, name: str) -> None:
    app = open_page(name, demo(patients, "out of range"))
    assert "Not assessable" in app.error[0].value
    assert "Probability of resistance" not in words(app)


def test_headline_shows_call_interval_agreement_and_floor(open_page, patients) -> None:
    shown = words(open_page("overview", demo(patients, "resistant")))
    assert f"{DRUG}: :orange[▲ Resistant]" in shown
    assert "90 % interval" in shown
    assert re.search(r"\d of 5 models leans? (resistant|sensitive)", shown)
    assert "90 % set: " in shown
    assert "Drug and tissue alone" in shown


def test_ranking_has_all_drugs_in_order_of_probability(open_page, patients) -> None:
    app = open_page("overview", demo(patients, "resistant"))
    ranking = app.dataframe[0].value
    assert sorted(ranking["drug"]) == sorted(load_drugs())
    assert ranking["probability"].is_monotonic_increasing


def test_ranking_has_a_chart_of_the_same_drugs(open_page, patients) -> None:
    app = open_page("overview", demo(patients, "resistant"))
    app.session_state["ranking_tabs"] = "Chart"
    app.run()
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == 1


def test_explanation_adds_up_to_the_probability_that_the_headline_shows(
    open_page, patients
) -> None:
    session = demo(patients, "resistant")
    app = open_page("explanation", session)
    app.session_state["tabs_explanation"] = "Table"
    app.run()
    chosen = app.session_state[KEY]
    table = next(part.value for part in app.dataframe if "attribution" in part.value)
    score = table["base"].iloc[0] + table["attribution"].sum()
    probability = 1 / (1 + 2.718281828459045**-score)
    assert f"Probability of resistance {probability:.2f}" in words(app)
    assert chosen.model == STORIES["resistant"]["model"]


def test_sensitive_call_above_one_half_says_that_resistance_is_still_more_likely(
    open_page, patients
) -> None:
    shown = words(open_page("drug", demo(patients, "sensitive")))
    probability = float(re.search(r"Probability of resistance (0\.\d+)", shown)[1])
    assert ("still the more likely outcome" in shown) == (probability >= 0.5)
    assert "below this model's limit" in shown


def test_changing_the_model_changes_the_headline(open_page, patients) -> None:
    app = open_page("drug", demo(patients, "resistant"))
    app.selectbox(key="choose_model").select("elastic_net").run()
    assert "Elastic net)" in words(app)
    assert app.query_params["model"] == "elastic_net"


def test_predicting_a_sample_alone_equals_predicting_it_among_others(open_page, patients) -> None:
    alone = open_page("overview", demo(patients, "resistant")).dataframe[0].value
    session = several(patients)
    session.sample = STORIES["resistant"]["sample"]
    among = open_page("overview", session).dataframe[0].value
    assert alone.equals(among)


def test_basis_of_result_names_model_digest_and_floor(open_page, patients) -> None:
    shown = words(open_page("overview", demo(patients, "resistant")))
    assert resources.installed_models().name in shown
    assert patients.qc.file_digest[:16] in shown
    assert "Not for" in shown


def test_demo_button_leads_to_the_overview(open_page) -> None:
    app = open_page("home")
    button = next(b for b in app.button if b.label == f"Load {STORIES['sensitive']['sample']}")
    button.click().run()
    session = app.session_state[KEY]
    assert session.sample == STORIES["sensitive"]["sample"]
    assert session.is_demo
    assert app.title[0].value == "Overview"


def test_survival_says_that_the_shipped_cohort_is_synthetic(open_page) -> None:
    app = open_page("survival", cohort="DEMO", gene="TFF1")
    shown = words(app)
    assert "Synthetic cohort" in shown
    assert "log-rank test p" in shown
    assert "T ≥ t" in shown


@pytest.mark.data
def test_survival_of_a_real_cohort_gives_the_known_p_value(open_page, data) -> None:
    shown = words(open_page("survival", cohort="LUAD", gene="TFF1"))
    assert "p = 0.019" in shown
    assert "Synthetic cohort" not in shown


def models_section(open_page, name: str) -> AppTest:
    app = open_page("models")
    app.session_state["models_sections"] = name
    return app.run()


def test_models_page_shows_the_floor_beside_the_models_and_the_published_order(open_page) -> None:
    shown = words(open_page("models"))
    assert "a floor of" in shown
    assert re.search("published order, VAE_LD best of the five, (holds|does not hold) here", shown)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_of_the_models_page_opens(open_page, name: str) -> None:
    app = models_section(open_page, name)
    assert not app.exception
    assert not app.error
    # the split, and something to read: a chart, a card or what is missing
    assert app.get("plotly_chart") or app.dataframe or "not" in words(app)


@pytest.mark.parametrize(
    ("name", "chart"),
    [
        ("Leaderboard", "leaderboard"),
        ("Paired tests", "paired-tests"),
        ("Are probabilities right?", "reliability"),
        ("Do the 90 % sets hold?", "coverage"),
    ],
)
def test_every_chart_of_the_models_page_has_a_sentence_and_a_table(open_page, name, chart) -> None:
    app = models_section(open_page, name)
    assert len(app.get("plotly_chart")) == 1
    app.session_state[f"tabs_{chart}"] = "Table"
    app.run()
    assert not app.exception
    assert len(app.dataframe[0].value) > 1
    assert any(str(part.value).endswith(".") for part in app.markdown)


def test_reliability_is_of_the_chosen_model_and_cancer_type(open_page) -> None:
    app = models_section(open_page, "Are probabilities right?")
    app.selectbox(key="judged").select("vae_ld").run()
    tissue = app.selectbox(key="reliability_tissue").options[1]
    app.selectbox(key="reliability_tissue").select(tissue).run()
    shown = words(app)
    assert f"{tissue}: mean gap between predicted and observed resistance: VAE_LD" in shown
    assert re.search(r"pairs, \d+ lines\)", shown)


def test_cards_are_of_every_model_and_encoder(open_page) -> None:
    app = models_section(open_page, "Cards")
    cards = app.selectbox(key="card")
    encoders = resources.encoder_cards()
    assert len(cards.options) == len(resources.cards()) + len(encoders)
    assert cards.value == app.session_state[KEY].model
    cards.set_value("drug_tissue_mean").run()
    assert "Diagnosis, or choosing" in words(app)
    app.selectbox(key="card").set_value("small").run()
    assert not app.exception
    assert encoders["small"]["purpose"][:40] in words(app)


def test_the_set_s_default_model_speaks_where_nobody_chose_one(open_page, patients) -> None:
    app = open_page("overview", several(patients))
    default = resources.installed_models().default_model
    assert app.session_state[KEY].model == default
    assert "90 % interval" in words(app)
    assert model_word(default) in words(app)


def test_agreement_is_counted_over_the_five_alone(open_page, patients) -> None:
    ranking = open_page("overview", demo(patients, "resistant")).dataframe[0].value
    assert set(ranking["n_models"]) == {5}
    assert ranking["agreement"].str.fullmatch(r"[0-5] of 5 [▲▼]( split)?|").all()


def test_drug_page_says_how_the_five_lean_and_what_the_set_holds(open_page, patients) -> None:
    app = open_page("drug", demo(patients, "resistant"))
    shown = words(app)
    session = app.session_state[KEY]
    rows = resources.model_set().predict(session.expression(), cancer_type="LUAD").table
    row = rows[(rows["drug"] == DRUG) & (rows["model"] == session.model)].iloc[0]
    assert set_in_words(row["conformal"]) in shown
    five = rows[(rows["drug"] == DRUG) & rows["model"].isin(FIVE)]
    limits = five["model"].map(resources.model_set().threshold)
    n_resistant = int((five["probability"] >= limits).sum())
    most = max(n_resistant, 5 - n_resistant)
    assert f"{DRUG}: {most} of 5 models" in shown


def test_drug_page_shows_coverage_in_the_patient_s_cancer_type(open_page, patients) -> None:
    app = open_page("drug", demo(patients, "resistant"))
    here = next(part.value for part in app.dataframe if "where" in part.value)
    assert set(here["where"]) == {"LUAD", DRUG, "All"}
    assert here["n_lines"].min() >= 1
    assert "Lung adenocarcinoma: mean gap" in words(app)


def test_a_set_that_misses_too_often_in_the_cancer_type_says_so(open_page, patients) -> None:
    session = demo(patients, "resistant")
    app = open_page("drug", session)
    rows = resources.evaluation("coverage_by_tissue")
    here = rows[
        (rows["model"] == app.session_state[KEY].model)
        & (rows["tissue"] == "LUAD")
        & (rows["true_class"] == "sensitive")
        & (rows["split"] == "leave_cell_line_out")
    ].iloc[0]
    excluded = "90 % set: **resistant only**" in words(app)
    assert ("Take it with care" in words(app)) == (excluded and here["upper"] < 0.9)


def test_a_cancer_type_without_cell_lines_is_said_to_be_not_assessed(open_page, patients) -> None:
    session = demo(patients, "resistant")
    without = next(kind for kind in load_cancer_types().values() if not kind.gdsc_tissue)
    session.cancer_type = without.code
    shown = words(open_page("drug", session))
    assert "not assessed in this cancer type: 0 cell lines" in shown
    assert "no cell line of it was measured" in shown


def test_a_cancer_type_of_few_lines_is_not_assessed_and_says_how_many(open_page, patients) -> None:
    session = demo(patients, "resistant")
    few = next(kind for kind in load_cancer_types().values() if 0 < kind.n_lines < 10)
    session.cancer_type = few.code
    shown = words(open_page("drug", session))
    assert f"not assessed in this cancer type: {few.n_lines} cell lines" in shown


def test_without_a_cancer_type_nothing_is_said_of_how_it_holds_there(open_page, patients) -> None:
    session = demo(patients, "resistant")
    session.cancer_type = ""
    shown = words(open_page("drug", session))
    assert "Choose a cancer type above" in shown
    assert "No cancer type is stated" in shown


@pytest.mark.parametrize("name", ["overview", "drug", "explanation"])
def test_every_prediction_has_its_basis(open_page, patients, name: str) -> None:
    shown = words(open_page(name, demo(patients, "resistant")))
    for part in (
        "**Not for**",
        "**For.**",
        "**Model:**",
        f"`{resources.set_digest()[:16]}`",
        "**Reads:**",
        "**Genes:**",
        "**Learned from:**",
        "**Limit of the calls:**",
        f"**Resistant to {DRUG}** is a cell line with ln IC50 above",
        "**Validation in this cancer type**",
        "**Limits**",
    ):
        assert shown.count(part) == 1, part


@pytest.mark.parametrize(
    ("model", "reads"),
    [
        ("vae_ll", "the embedding of the large expression encoder"),
        ("vae_ld", "the ranks of these genes"),
        ("xgboost", "the expression of"),
        ("ensemble", "the mean score of VAE_LL, VAE_LS, VAE_LD, Random forest, XGBoost"),
    ],
)
def test_basis_says_which_channels_the_model_reads(open_page, patients, model, reads) -> None:
    session = demo(patients, "resistant")
    session.model = model
    assert reads in words(open_page("drug", session))


def test_refused_file_leaves_the_earlier_sample(open_page, patients) -> None:
    session = demo(patients, "resistant")
    with pytest.raises(InputDataError) as refusal:
        resources.read_upload(io.BytesIO(b""), "empty.csv", UploadOverrides())
    session.refusal = refusal.value
    shown = words(open_page("upload", session))
    assert refusal.value.remedy[:20] in shown
    assert "sample from before is still here" in shown
    assert session.sample == STORIES["resistant"]["sample"]


def test_identifying_sample_names_are_pointed_out_and_can_be_replaced(open_page, patients) -> None:
    session = several(patients)
    values = patients.expression.values.copy()
    values.index = ["Jane Doe", "P2", "1961-04-23", "P4"]
    session.accept(replace(patients, expression=Expression(values)))
    app = open_page("upload", session)
    assert "2 of 4 sample names" in app.warning[0].value
    assert "Jane" not in app.warning[0].value
    next(b for b in app.button if b.label.startswith("Name the samples")).click().run()
    assert app.session_state[KEY].samples == ["S1", "S2", "S3", "S4"]
    assert not app.warning


def test_upload_can_be_forgotten(open_page, patients) -> None:
    app = open_page("upload", several(patients))
    next(b for b in app.button if b.label == "Clear this sample now").click().run()
    assert app.session_state[KEY].samples == []
    assert "No sample yet" in words(app)


def test_download_opens_with_the_research_use_line(patients) -> None:
    table = patients.expression.values.iloc[:2, :3]
    lines = csv_text(table, notes=("Models: a set",)).splitlines()
    assert lines[:2] == [f"# {RESEARCH_USE}", "# Models: a set"]
    assert next(csv.reader(lines[2:])) == list(table.columns)


def test_download_holds_no_formula_and_says_where_one_was_marked() -> None:
    table = pd.DataFrame({"sample": ["=1+1", "S-2"], "effect": [-0.5, -1.0]})
    lines = csv_text(table, notes=("Sample: a,=1+1",)).splitlines()
    assert lines[1:3] == [
        "# Sample: a,'=1+1",
        "# Text that a spreadsheet would take for a formula has an apostrophe (') in front.",
    ]
    assert lines[3:] == ["sample,effect", "'=1+1,-0.5", "S-2,-1.0"]
    assert "apostrophe" not in csv_text(table[1:])


def test_patient_caches_are_of_the_session_and_hold_nothing_on_disk() -> None:
    cached_of_patients = [
        function for function in vars(predictions).values() if hasattr(function, "_info")
    ]
    assert len(cached_of_patients) == 6
    for cached in cached_of_patients:
        assert cached._info.scope == "session"
        assert cached._info.persist is None
        assert cached._info.max_entries is not None


def test_what_all_sessions_share_is_nothing_of_a_patient() -> None:
    shared = [function for function in vars(resources).values() if hasattr(function, "_info")]
    assert shared
    for cached in shared:
        names = inspect.signature(cached).parameters
        assert not {"session", "_expression", "_upload", "sample"} & set(names)
