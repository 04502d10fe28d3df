from __future__ import annotations

import pandas as pd
import pytest

from pages.components.evaluations import SPLITS
from resvae_core.errors import InputDataError
from resvae_core.figures.frame import NARROW_NOTE
from resvae_core.figures.model_sets import (
    MOST_DRUGS,
    drift_by_drug,
    drift_takeaway,
    set_metrics,
    set_metrics_takeaway,
)
from resvae_core.registry.comparison import SPLIT_WORDS
from tests.core.figures.test_every_figure import of_model_sets

HONEST = {"split": "leave_cell_line_out", "metric": "roc_auc"}


@pytest.fixture
def judged() -> pd.DataFrame:
    return of_model_sets()["set metrics"][2][0]


@pytest.fixture
def moved() -> pd.DataFrame:
    return of_model_sets()["drift"][2][0]


def test_each_set_has_a_mark_of_its_own_for_each_model(judged: pd.DataFrame) -> None:
    traces = {trace.name: trace for trace in set_metrics(judged, **HONEST).data}
    assert list(traces) == ["Candidate", "Candidate, floors", "Active", "Active, floors"]
    assert list(traces["Candidate"].y) == ["VAE_LD"]
    assert list(traces["Active"].y) == ["VAE_LD", "Random forest"]
    assert traces["Active"].error_x.array == pytest.approx([0.04, 0.04])


def test_axis_does_not_begin_at_nought(judged: pd.DataFrame) -> None:
    low, high = set_metrics(judged, **HONEST).layout.xaxis.range
    assert 0.45 < low < 0.5
    assert 0.76 < high < 0.8


def test_leading_model_of_each_set_is_named(judged: pd.DataFrame) -> None:
    sentence = set_metrics_takeaway(judged, **HONEST)
    assert "VAE_LD 0.720 leads the candidate set; VAE_LD 0.700 leads the active set" in sentence
    lower = judged.assign(metric="brier")
    sentence = set_metrics_takeaway(lower, split="leave_cell_line_out", metric="brier")
    assert "Random forest 0.690 leads the active set" in sentence


def test_what_is_not_comparable_is_said_first(judged: pd.DataFrame) -> None:
    caution = "Not comparable: other lines and drugs."
    figure = set_metrics(judged, **HONEST, caution=caution)
    assert figure.layout.meta["takeaway"].startswith(f"{caution} ROC AUC")
    assert caution in figure.layout.annotations[-1].text


def test_set_that_is_no_candidate_is_not_called_one(judged: pd.DataFrame) -> None:
    figure = set_metrics(judged, **HONEST, compared="shipped")
    assert [trace.name for trace in figure.data][:2] == ["Shipped", "Shipped, floors"]
    assert "leads the shipped set" in figure.layout.meta["takeaway"]
    seen = [figure.layout.annotations[-1].text, *(trace.hovertemplate for trace in figure.data)]
    assert "andidate" not in " ".join(seen)


def test_legend_and_notes_fit_a_narrow_page(judged: pd.DataFrame, moved: pd.DataFrame) -> None:
    """Two entries stand in one line beneath the toolbar, and no line of the notes is cut."""
    figure = set_metrics(judged, **HONEST)
    assert [trace.name for trace in figure.data if trace.showlegend] == ["Candidate", "Active"]
    for one in (figure, drift_by_drug(moved, model="default")):
        lines = one.layout.annotations[-1].text.split("<br>")
        assert max(map(len, lines)) <= NARROW_NOTE


def test_split_is_in_the_words_of_the_models_page(judged: pd.DataFrame) -> None:
    assert SPLIT_WORDS == SPLITS
    note = set_metrics(judged, **HONEST).layout.annotations[-1].text
    assert note.startswith("New cell lines; ")


def test_set_without_a_judged_model_is_said(judged: pd.DataFrame) -> None:
    judged["mean_candidate"] = float("nan")
    words = "no learned model of the candidate set was judged"
    assert words in set_metrics_takeaway(judged, **HONEST)


def test_drift_is_the_mean_over_cohorts_by_their_patients(moved: pd.DataFrame) -> None:
    size, mean = drift_by_drug(moved, model="default").data
    assert list(mean.y) == ["Erlotinib", "Cisplatin"]
    assert mean.x == pytest.approx([(0.1 * 100 - 0.1 * 300) / 400, 0.0125])
    assert size.customdata == pytest.approx([0.35, 0.05])
    assert "Most movement: Erlotinib, ± 0.35 (" in drift_takeaway(moved, model="default")


def test_size_of_a_change_has_no_sign_so_its_bar_reaches_to_both_sides(moved: pd.DataFrame) -> None:
    size, _ = drift_by_drug(moved, model="default").data
    assert list(size.base) == pytest.approx([-0.35, -0.05])
    assert list(size.base + size.x) == pytest.approx([0.35, 0.05])
    assert "%{x" not in size.hovertemplate


def test_drugs_that_move_most_are_shown_and_counted(moved: pd.DataFrame) -> None:
    many = pd.concat(
        [moved.assign(drug=f"D{n}", p95_change=n / 100) for n in range(MOST_DRUGS + 5)]
    )
    figure = drift_by_drug(many, model="default")
    assert len(figure.data[0].y) == MOST_DRUGS
    assert figure.data[0].y[0] == f"D{MOST_DRUGS + 4}"
    assert f"{MOST_DRUGS} drugs of {MOST_DRUGS + 5}" in figure.layout.annotations[-1].text


def test_what_is_not_there_is_refused(judged: pd.DataFrame, moved: pd.DataFrame) -> None:
    with pytest.raises(InputDataError, match="comparison by pearson of leave_cell_line_out"):
        set_metrics(judged, split="leave_cell_line_out", metric="pearson")
    with pytest.raises(InputDataError, match="drift of nobody"):
        drift_by_drug(moved, model="nobody")
