from __future__ import annotations

import logging

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import messages, state
from pages.components.frame import PAGES
from pages.components.state import KEY, Session
from resvae_core.config import RESEARCH_USE
from resvae_core.errors import InputDataError


def texts(app: AppTest) -> str:
    """Return all words of a page."""
    parts = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.error, *app.warning]
    return "\n".join(str(part.value) for part in parts)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_with_nothing_and_carries_the_frame(open_page, name: str) -> None:
    app = open_page(name)
    assert not app.exception
    assert not app.error
    assert RESEARCH_USE in texts(app)
    assert [box.label for box in app.selectbox][:4] == ["Sample", "Cancer type", "Drug", "Model"]
    assert len(app.title) == 1


@pytest.mark.parametrize("name", ["upload", "overview", "drug", "explanation"])
def test_empty_state_says_what_to_choose(open_page, name: str) -> None:
    app = open_page(name)
    assert "No sample yet" in texts(app)
    footer = [part.value for part in app.caption if part.value.startswith("ResVAE ")]
    assert footer, "the footer follows an empty page too"


def test_link_sets_the_choices(open_page) -> None:
    app = open_page("home", cancer="luad", drug="iressa", model="xgboost")
    session = app.session_state[KEY]
    assert (session.cancer_type, session.drug, session.model) == ("LUAD", "Gefitinib", "xgboost")
    # the address is brought into its canonical form
    assert app.query_params["drug"] == "Gefitinib"
    assert app.query_params["cancer"] == "LUAD"


def test_model_that_nobody_chose_stands_in_no_link(open_page) -> None:
    app = open_page("home")
    session = app.session_state[KEY]
    default = session.model
    assert session.model_is_default
    assert "model" not in app.query_params
    app.selectbox(key="choose_model").select("elastic_net").run()
    assert app.query_params["model"] == "elastic_net" != default
    assert not session.model_is_default
    link = Session(model="elastic_net", model_is_default=True)
    assert link.read_link({"model": default}) == []
    assert (link.model, link.model_is_default) == (default, False)


def test_link_with_unknown_names_says_so_and_drops_them(open_page) -> None:
    app = open_page("home", drug="Nosuchdrugum", model="oracle")
    assert "Nosuchdrugum" in texts(app)
    assert "oracle" in texts(app)
    assert "drug" not in app.query_params


def test_choice_outlives_a_page_change(open_page) -> None:
    app = open_page("home")
    app.selectbox(key="choose_drug").select("Cisplatin").run()
    app.selectbox(key="choose_cancer_type").select("GBM").run()
    app.switch_page(PAGES["models"].script).run()
    app.switch_page("app.py").run()
    assert app.selectbox(key="choose_drug").value == "Cisplatin"
    assert app.selectbox(key="choose_cancer_type").value == "GBM"
    assert app.query_params["drug"] == "Cisplatin"


def test_choice_can_be_taken_back(open_page) -> None:
    app = open_page("home", drug="Cisplatin")
    app.selectbox(key="choose_drug").set_value(None).run()
    assert app.session_state[KEY].drug == ""
    assert "drug" not in app.query_params


def test_link_holds_nothing_of_a_patient() -> None:
    session = Session(sample="Jane Doe", drug="Cisplatin", story="secret", attempt="jane.csv")
    assert session.link() == {"drug": "Cisplatin"}
    assert {field for field, _ in state.LINKED.values()}.isdisjoint(
        {"sample", "upload", "attempt", "story"}
    )


def _page_that_fails() -> None:
    """A page whose body meets an error with a patient's value in its text."""
    import streamlit as st

    from pages.components.messages import Guarded

    with Guarded():
        raise KeyError("Jane Doe")
    st.markdown("The rest of the page is there.")


def test_unexpected_error_gives_a_reference_and_a_log_without_values(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, logger="resvae.pages"):
        app = AppTest.from_function(_page_that_fails).run()
    reference = app.error[0].value.split("reference ")[1].split(")")[0]
    assert reference in caplog.text
    assert "KeyError" in caplog.text
    assert "Jane" not in caplog.text + app.error[0].value
    assert "The rest of the page" in texts(app)


def _page_that_refuses() -> None:
    from pages.components.messages import Guarded
    from resvae_core.errors import InputDataError

    with Guarded():
        raise InputDataError("Sample *A* is empty.", remedy="Remove [it].")


def test_known_error_is_shown_with_its_remedy_as_plain_text() -> None:
    shown = AppTest.from_function(_page_that_refuses).run().error[0].value
    assert r"Sample \*A\* is empty." in shown
    assert r"Remove \[it\]" in shown


def test_streamlit_signals_pass_the_guard() -> None:
    class Signal(BaseException):
        pass

    with pytest.raises(Signal), messages.Guarded():
        raise Signal
    with messages.Guarded():
        raise InputDataError("x", remedy="y")
