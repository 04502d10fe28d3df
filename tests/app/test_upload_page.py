"""The upload wizard: from nothing to a verdict, its overrides, and how a sample is let go."""

from __future__ import annotations

import gc
import importlib
import io
import json
import logging
import pkgutil
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pandas as pd
import pytest
from openpyxl import Workbook
from streamlit.testing.v1 import AppTest

import pages.components
from pages.components import intake, predictions, resources, wizard
from pages.components.state import KEY, Intake, Session
from resvae_core.data.uploads import Upload
from resvae_core.data.uploads.template import EXAMPLE_SHEET, template_workbook
from resvae_core.tables import Expression

PLANTED = ("Jane Doe", "1961-04-23", "48291733", "jane.doe@clinic.org", "jane_doe.csv")


@pytest.fixture(scope="module")
def profiles() -> pd.DataFrame:
    """Synthetic tumours on the genes that the models read: few enough to be fast."""
    values = resources.demo_upload().expression.values
    return values[sorted(resources.model_set().genes)].iloc[:2]


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.title, *app.error, *app.warning, *app.success]
    return "\n".join(str(part.value) for part in parts)


def csv(profiles: pd.DataFrame, *names: str) -> bytes:
    named = profiles.set_axis(list(names), axis=0)
    return named.T.rename_axis("gene").to_csv().encode()


def give(app: AppTest, name: str, content: bytes) -> AppTest:
    app.file_uploader[0].set_value((name, content, "text/csv"))
    return app.run()


def session_of(app: AppTest) -> Session:
    session: Session = app.session_state[KEY]
    return session


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label == label)


CARD = {
    "types": ["LUAD", "GBM"],
    "figures": {
        "out_of_fold": [{"type": "all", "n": 1000, "right": 0.9, "wrong": 0.04, "unclear": 0.06}],
        "left_out": [{"left_out": "GBM", "unclear": 0.8}],
    },
}


@dataclass(frozen=True)
class TypeModel:
    """Suggests what it is told to."""

    suggestion: str

    def suggest(self, expression: Expression) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "sample": expression.samples,
                "suggestion": self.suggestion,
                "probability": 0.91,
                "runner_up": "GBM",
                "runner_up_probability": 0.05,
                "n_genes": 600,
                "note": "Nearest is LUAD." if self.suggestion == "unclear" else "",
            }
        )


@pytest.fixture
def suggest(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that installs a model with one answer; the default is none at all."""

    def install(suggestion: str) -> None:
        monkeypatch.setattr(resources, "cancer_type_digest", lambda: suggestion)
        monkeypatch.setattr(resources, "cancer_type_model", lambda: TypeModel(suggestion))
        monkeypatch.setattr(resources, "cancer_type_card", lambda: CARD)

    monkeypatch.setattr(resources, "cancer_type_digest", lambda: "")
    return install


@pytest.mark.usefixtures("suggest")
def test_nothing_says_what_is_read_and_offers_template_and_demo(open_page) -> None:
    app = open_page("upload")
    assert "What is read." in words(app)
    labels = [b.label for b in app.get("download_button")]
    assert labels == ["Template (XLSX)", "Template (CSV)"]
    assert not app.tabs
    assert not [b for b in app.button if b.proto.type == "primary"]


@pytest.mark.usefixtures("suggest")
def test_a_file_gives_one_line_one_primary_action_and_three_steps(open_page, profiles) -> None:
    app = give(open_page("upload"), "two.csv", csv(profiles, "P1", "P2"))
    assert not app.exception
    assert not app.error
    line = next(m.value for m in app.markdown if "genes, looks like" in m.value)
    n = profiles.shape[1]
    assert line.startswith(f"**{n} of {n} genes, looks like log2(TPM + 1); cancer type not stated")
    assert [b.label for b in app.button if b.proto.type == "primary"] == ["See all drugs"]
    steps = [tab.label for tab in app.tabs]
    assert [step for step in steps if "·" in step] == ["1 · Detect", "2 · Map", "3 · Check"]
    assert "2 samples; this is P1" in words(app)


@pytest.mark.usefixtures("suggest")
def test_override_reads_the_kept_file_again_and_can_be_taken_back(open_page, profiles) -> None:
    app = give(open_page("upload"), "one.csv", csv(profiles.iloc[:1], "P1"))
    before = session_of(app).parsed().expression.digest()
    app.selectbox(key="override_unit").set_value("tpm").run()
    qc = session_of(app).parsed().qc
    assert (qc.unit.value, qc.unit.overridden) == ("tpm", True)
    assert session_of(app).parsed().expression.digest() != before
    assert "read as TPM" in words(app)
    app.selectbox(key="override_unit").set_value(None).run()
    assert session_of(app).intake.overrides is None
    assert session_of(app).parsed().expression.digest() == before


def workbook(**sheets: pd.DataFrame | list[list[object]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        if isinstance(rows, pd.DataFrame):
            rows = [["gene", *rows.index], *([g, *map(float, v)] for g, v in rows.items())]
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.usefixtures("suggest")
def test_sheet_of_a_workbook_can_be_chosen(open_page, profiles) -> None:
    first, second = (profiles.iloc[[i]].set_axis([f"P{i + 1}"]) for i in (0, 1))
    app = give(open_page("upload"), "two.xlsx", workbook(First=first, Second=second))
    assert session_of(app).samples == ["P1"]
    assert app.selectbox(key="override_sheet").options == ["First", "Second"]
    app.selectbox(key="override_sheet").set_value("Second").run()
    assert session_of(app).samples == ["P2"]


@pytest.mark.usefixtures("suggest")
def test_refused_workbook_offers_its_sheets_and_leaves_the_earlier_sample(
    open_page, profiles
) -> None:
    app = give(open_page("upload"), "one.csv", csv(profiles.iloc[:1], "P1"))
    patients = [["name", "stage"], ["Jane Doe", "II"], ["John Roe", "III"]]
    mixed = workbook(Patients=patients, Values=profiles.iloc[[1]].set_axis(["P2"]))
    give(app, "mixed.xlsx", mixed)
    assert "columns of numbers" in app.error[0].value
    assert "sample from before is still here: P1" in words(app)
    assert session_of(app).samples == ["P1"]
    app.selectbox(key="override_sheet").set_value("Values").run()
    assert not app.error
    assert session_of(app).samples == ["P2"]


@pytest.mark.usefixtures("suggest")
def test_overrides_of_one_file_do_not_reach_the_next(open_page, profiles) -> None:
    app = give(open_page("upload"), "one.csv", csv(profiles.iloc[:1], "P1"))
    app.selectbox(key="override_unit").set_value("tpm").run()
    give(app, "two.csv", csv(profiles.iloc[1:], "P2"))
    assert not session_of(app).parsed().qc.unit.overridden


@pytest.mark.parametrize(
    ("stated", "suggestion", "said", "can_take"),
    [
        ("", "LUAD", "The expression looks like Lung adenocarcinoma", True),
        ("LUAD", "LUAD", "The expression agrees with what is stated", False),
        ("GBM", "LUAD", "but the expression looks like Lung adenocarcinoma", True),
        ("BRCA", "LUAD", "The stated type is none of those that can be suggested", True),
        ("", "unclear", "**Unclear.** Nearest is LUAD.", False),
        ("GBM", "unclear", "**Unclear.** Nearest is LUAD.", False),
    ],
)
def test_suggested_cancer_type_stands_beside_the_stated_one(
    open_page, profiles, suggest, stated: str, suggestion: str, said: str, can_take: bool
) -> None:
    suggest(suggestion)
    app = open_page("upload", Session(cancer_type=stated))
    give(app, "one.csv", csv(profiles.iloc[:1], "P1"))
    assert said in words(app)
    take = [b for b in app.button if b.label == "Use lung adenocarcinoma"]
    assert bool(take) == can_take
    contradiction = bool(stated) and can_take
    assert any("Stated is" in w.value for w in app.warning) == contradiction
    assert ("another cancer type suggested" in words(app)) == contradiction
    assert "90.0 % named rightly, 4.0 % wrongly, 6.0 % unclear" in words(app)
    assert "at least 80 % unclear" in words(app)


def test_suggested_cancer_type_is_taken_over_by_one_click(open_page, profiles, suggest) -> None:
    suggest("LUAD")
    app = give(open_page("upload", cancer="GBM"), "one.csv", csv(profiles.iloc[:1], "P1"))
    button(app, "Use lung adenocarcinoma").click().run()
    assert session_of(app).cancer_type == "LUAD"
    assert app.query_params["cancer"] == ["LUAD"] or app.query_params["cancer"] == "LUAD"
    assert "agrees with what is stated" in words(app)


@pytest.mark.parametrize("page", ["overview", "drug", "similar", "report"])
def test_contradicted_type_is_warned_of_on_every_patient_page_until_it_is_settled(
    open_page, profiles, suggest, page: str
) -> None:
    suggest("GBM")
    upload = resources.demo_upload()
    session = Session(cancer_type="LUAD", drug="Cisplatin", model="ensemble")
    session.accept(replace(upload, expression=Expression(profiles.iloc[:1])))
    app = open_page(page, session)
    assert not app.exception
    warned = next(w.value for w in app.warning if "Expression resembles" in w.value)
    assert "glioblastoma" in warned
    assert "but lung adenocarcinoma is stated" in warned
    if page in ("overview", "drug"):
        assert "same cancer: held back, the expression resembles glioblastoma" in words(app)
        assert "Predicted resistance is" not in words(app)
    app.button(key="keep_type").click().run()
    assert not any("Expression resembles" in w.value for w in app.warning)
    assert "stated and kept, though the expression resembles" in words(app)
    if page in ("overview", "drug"):
        assert "Predicted resistance is" in words(app)


def test_contradicted_type_is_replaced_by_one_click_on_a_page_of_numbers(
    open_page, profiles, suggest
) -> None:
    suggest("GBM")
    session = Session(cancer_type="LUAD", drug="Cisplatin", model="ensemble")
    session.accept(replace(resources.demo_upload(), expression=Expression(profiles.iloc[:1])))
    app = open_page("drug", session)
    app.button(key="use_type").click().run()
    assert session_of(app).cancer_type == "GBM"
    assert not any("Expression resembles" in w.value for w in app.warning)


def test_stated_type_is_dropped_with_the_patient_it_was_stated_of(
    open_page, profiles, suggest
) -> None:
    suggest("GBM")
    app = open_page("upload", cancer="LUAD")
    give(app, "one.csv", csv(profiles.iloc[:1], "P1"))
    # from the link of a first visit
    assert session_of(app).cancer_type == "LUAD"
    app.selectbox(key="override_unit").set_value("tpm").run()
    assert session_of(app).cancer_type == "LUAD"
    give(app, "two.csv", csv(profiles.iloc[1:], "P2"))
    assert session_of(app).cancer_type == ""
    assert "cancer" not in app.query_params
    assert "cancer type not stated; expression resembles glioblastoma" in words(app)
    app.button(key="use_type").click().run()
    assert session_of(app).cancer_type == "GBM"
    button(app, "Clear this sample now").click().run()
    assert session_of(app).cancer_type == ""
    assert "cancer" not in app.query_params


@pytest.mark.usefixtures("suggest")
def test_refused_file_folds_the_earlier_sample_and_leaves_no_main_action(
    open_page, profiles
) -> None:
    app = give(open_page("upload"), "one.csv", csv(profiles.iloc[:1], "P1"))
    assert not [e for e in app.expander if "before" in e.label]
    give(app, "bad.csv", b"a,b\nc,d\n")
    assert app.error
    folded = [e for e in app.expander if "before" in e.label]
    assert [e.label for e in folded] == [
        "Still loaded from before: P1",
        "Details of P1, loaded from before",
    ]
    assert not any(e.proto.expanded for e in folded)
    assert app.button(key="to_overview").proto.type == "secondary"
    assert not [b for b in app.button if b.proto.type == "primary"]


@pytest.mark.usefixtures("suggest")
def test_refused_workbook_is_not_asked_for_separator_and_decimal_mark(open_page) -> None:
    app = give(open_page("upload"), "one.xlsx", workbook(Patients=[["name"], ["Jane Doe"]]))
    assert app.error
    labels = [box.label for box in app.selectbox]
    assert "Sheet" in labels
    assert not {"Separator", "Decimal mark"} & set(labels)


def test_several_samples_have_a_row_each_with_verdict_and_suggestion(
    open_page, profiles, suggest
) -> None:
    suggest("LUAD")
    app = give(open_page("upload"), "two.csv", csv(profiles, "P1", "P2"))
    table = next(t.value for t in app.dataframe if "suggestion" in t.value)
    assert table["sample"].tolist() == ["P1", "P2"]
    assert set(table["range"]) <= {"In range", "Borderline", "Out of range"}
    assert table["suggestion"].tolist() == ["LUAD", "LUAD"]


@pytest.mark.usefixtures("suggest")
def test_pseudonyms_outlast_another_reading_of_the_file(open_page, profiles) -> None:
    app = give(open_page("upload"), "two.csv", csv(profiles, "Jane Doe", "P2"))
    button(app, "Name the samples S1, S2, … instead").click().run()
    assert session_of(app).samples == ["S1", "S2"]
    app.selectbox(key="override_unit").set_value("tpm").run()
    assert session_of(app).samples == ["S1", "S2"]
    assert "Jane" not in json.dumps(session_of(app).parsed().qc.to_dict(), default=str)


@pytest.mark.usefixtures("suggest")
def test_identifiers_beside_expression_are_pointed_out_without_being_repeated(
    open_page, profiles
) -> None:
    table = profiles.set_axis(["P1", "P2"]).rename_axis("sample").reset_index()
    table.insert(1, "patient_name", ["Jane Doe", "John Roe"])
    app = give(open_page("upload"), "two.csv", table.to_csv(index=False).encode())
    assert "column 2: a person's name" in app.warning[0].value.replace("\\", "")
    assert "Jane" not in words(app)


def test_planted_identifiers_reach_no_log_link_or_cache_key(
    open_page,
    profiles,
    suggest,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suggest("LUAD")
    keys = recorded_keys(monkeypatch)
    caplog.set_level(logging.DEBUG)
    table = profiles.set_axis([PLANTED[0], "P2"]).rename_axis("sample").reset_index()
    table.insert(1, "birth", [PLANTED[1], "1970-02-03"])
    table.insert(2, "MRN", [int(PLANTED[2]), 5523311])
    table.insert(3, "contact", [PLANTED[3], "none"])
    app = give(open_page("upload"), PLANTED[4], table.to_csv(index=False).encode())
    broken = f"gene,{PLANTED[0]}\nTP53,{PLANTED[3]}\nEGFR,1.5\n".encode()
    give(app, PLANTED[4], broken)
    assert app.error
    for planted in PLANTED:
        assert planted not in caplog.text
        assert planted not in str(app.query_params)
        assert not any(planted in key for key in keys)
    assert keys


def recorded_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that fills with the arguments by which results of a patient are kept."""
    keys: list[str] = []

    def record(name: str) -> None:
        cached = getattr(predictions, name)

        def call(*arguments: object) -> object:
            # the last argument is the expression, which is no part of the key
            keys.extend(map(str, arguments[:-1]))
            return cached(*arguments)

        monkeypatch.setattr(predictions, name, call)

    for name, member in list(vars(predictions).items()):
        if hasattr(member, "_info"):
            record(name)
    return keys


def session_caches() -> list[object]:
    """Return all cached functions of the pages that hold something of a patient."""
    found = {}
    for module in pkgutil.iter_modules(pages.components.__path__):
        members = vars(importlib.import_module(f"pages.components.{module.name}"))
        for function in members.values():
            if getattr(getattr(function, "_info", None), "scope", "") == "session":
                found[id(function)] = function
    return list(found.values())


def test_all_that_was_computed_of_a_patient_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    cleared = []
    caches = session_caches()
    for cached in caches:
        monkeypatch.setattr(type(cached), "clear", lambda self, *_a: cleared.append(id(self)))
    predictions.forget_patient()
    assert sorted(cleared) == sorted(id(cached) for cached in caches)


@pytest.fixture
def _no_collection_by_itself() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class Circle:
    """Something with an upload that nothing else refers to, and that only a collection finds."""

    def __init__(self, upload: Upload) -> None:
        self.upload, self.itself = upload, self


@pytest.mark.usefixtures("suggest", "_no_collection_by_itself")
def test_clearing_leaves_nothing_of_the_sample_and_says_so(open_page, profiles) -> None:
    app = give(open_page("upload"), PLANTED[4], csv(profiles, "Jane Doe", "P2"))
    app.selectbox(key="override_unit").set_value("log2").run()
    first = app.file_uploader[0].proto.id
    kept = Circle(session_of(app).upload)
    upload, circle = weakref.ref(kept.upload), weakref.ref(kept)
    del kept
    assert circle() is not None  # it refers to itself, as much of what a run leaves does
    button(app, "Clear this sample now").click().run()
    assert circle() is None
    assert upload() is None
    session = session_of(app)
    assert session.upload is None
    assert session.intake == Intake(n_cleared=1, cleared=True)
    assert "Cleared: the sample" in words(app)
    assert app.file_uploader[0].proto.id != first
    assert app.file_uploader[0].value is None
    held = repr(app.session_state) + repr(vars(session))
    assert "Jane" not in held
    assert "jane" not in held
    app.run()
    assert app.session_state[KEY].upload is None


@pytest.mark.usefixtures("suggest")
def test_bytes_of_the_file_go_when_it_is_cleared_or_the_page_is_left(
    open_page, profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

    removed = []
    monkeypatch.setattr(
        MemoryUploadedFileManager, "remove_file", lambda self, session, file: removed.append(file)
    )
    app = give(open_page("upload"), "one.csv", csv(profiles.iloc[:1], "P1"))
    held = session_of(app).intake.file_id
    assert held
    button(app, "Clear this sample now").click().run()
    assert removed == [held]
    give(app, "one.csv", csv(profiles.iloc[:1], "P1"))
    held = session_of(app).intake.file_id
    app.switch_page("app.py").run()
    assert removed[1:] == [held]
    assert session_of(app).samples == ["P1"]


@pytest.mark.usefixtures("suggest")
def test_example_of_the_template_counts_as_synthetic(open_page, profiles) -> None:
    content = template_workbook(list(profiles.columns))
    app = give(open_page("upload"), "template.xlsx", content)
    assert app.error
    app.selectbox(key="override_sheet").set_value(EXAMPLE_SHEET).run()
    assert session_of(app).is_demo
    assert "synthetic_example" in session_of(app).sample


def test_every_override_is_a_setting_of_the_reader() -> None:
    from dataclasses import fields

    from resvae_core.data.uploads import UploadOverrides

    assert set(intake.WORDS) == {field.name for field in fields(UploadOverrides)}
    assert set(intake.CHOICES) | {"sheet"} == set(intake.WORDS)
    for name, choices in intake.CHOICES.items():
        for value in choices:
            UploadOverrides(**{name: value})


@pytest.mark.parametrize(("rows", "chosen"), [([1], "P2"), ([], "P1")])
def test_selected_row_becomes_the_sample_and_none_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, rows: list[int], chosen: str
) -> None:
    session = Session(sample="P1")
    monkeypatch.setattr(wizard, "load_session", lambda: session)
    monkeypatch.setitem(wizard.st.session_state, "rows", {"selection": {"rows": rows}})
    wizard._take_sample("rows", ["P1", "P2"])
    assert session.sample == chosen


def test_every_reason_of_the_range_check_has_its_fix() -> None:
    reference = resources.model_set().references[predictions.PATIENTS]
    lost = resources.demo_upload().expression.select(["DEMO-4"])
    genes = [gene for gene in reference.genes if gene in lost.values.columns]
    few = Expression(lost.values[genes[: len(genes) // 3]])
    reasons = {why for one in (lost, few) for why in reference.assess(one)["reasons"].iloc[0]}
    assert len({part for part in wizard.FIXES if any(part in why for why in reasons)}) == 3
    assert all(wizard._fixes([why]) for why in reasons)
