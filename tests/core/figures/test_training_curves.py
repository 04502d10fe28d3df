from __future__ import annotations

import math

import pandas as pd
import pytest

from resvae_core.config import RESEARCH_USE
from resvae_core.errors import InputDataError
from resvae_core.figures.palette import with_model_words
from resvae_core.figures.training_curves import (
    MOST_FITS,
    fit_word,
    fold_metrics,
    fold_takeaway,
    latest_report,
    loss_curves,
    loss_takeaway,
)


def curve_of(*rows: tuple[str, int, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["series", "epoch", "name", "value"])
    return table.assign(n=range(1, len(table) + 1))


@pytest.fixture
def curve() -> pd.DataFrame:
    return curve_of(
        ("drug_tissue_mean/0/0", 0, "roc_auc", 0.75),
        ("drug_mean/0/0", 0, "roc_auc", 0.5),
        *[("vae_ld/0/0", epoch, "loss", 3 - epoch / 10) for epoch in range(1, 11)],
        ("vae_ld/0/0", 10, "kl", 99.0),
        ("vae_ld/0/0", 0, "roc_auc", 0.80),
        *[("vae_ld/0/1", epoch, "loss", 2.5 - epoch / 10) for epoch in range(1, 4)],
        ("vae_ld/0/1", 0, "roc_auc", 0.82),
        ("xgboost/0/0", 0, "roc_auc", 0.79),
    )


def test_one_line_a_fit_and_the_last_of_a_model_is_the_strong_one(curve) -> None:
    lines = loss_curves(curve).data
    assert [len(line.x) for line in lines] == [10, 3]
    assert lines[1].customdata[0] == "VAE_LD, seed 0, fold 1"
    assert [line.showlegend for line in lines] == [False, True]
    assert lines[0].line.width < lines[1].line.width
    assert 99.0 not in lines[0].y


def test_takeaways_name_the_fit_its_loss_and_the_floor_beside(curve) -> None:
    assert loss_takeaway(curve) == ("VAE_LD, seed 0, fold 1: loss 2.4 at epoch 1, 2.2 at epoch 3.")
    assert fold_takeaway(curve) == (
        "ROC AUC so far: VAE_LD 0.810 over 2 folds against a floor of Drug × tissue mean 0.750."
    )
    floors = curve[curve["series"].str.startswith("drug")]
    assert "no learned model has finished" in fold_takeaway(floors)


def test_a_fit_that_reported_once_is_said_once_and_seen_as_a_point() -> None:
    once = curve_of(("vae_ls/0/4/2", 8, "loss", 0.381))
    assert loss_takeaway(once) == "VAE_LS, seed 0, fold 4, member 2: loss 0.381 at epoch 8."
    assert {trace.mode for trace in loss_curves(once).data} == {"lines+markers"}


def test_a_series_is_said_in_words() -> None:
    assert fit_word("vae_ll/2/4/1") == "VAE_LL, seed 2, fold 4, member 1"
    assert fit_word("vae_ll/0/final") == "VAE_LL, seed 0, fit on all lines"
    assert fit_word("vae_ll") == "VAE_LL"
    assert with_model_words("Fold 5 of 15: vae_ls") == "Fold 5 of 15: VAE_LS"


def test_the_last_report_names_its_model_fold_and_epoch(curve) -> None:
    assert latest_report(curve) == "XGBoost, seed 0, fold 0: ROC AUC 0.790"
    assert latest_report(curve.iloc[:-2]) == "VAE_LD, seed 0, fold 1, epoch 3: loss 2.200"


def test_the_best_floor_and_guessing_are_lines_on_the_metrics(curve) -> None:
    figure = fold_metrics(curve)
    assert sorted(shape.x0 for shape in figure.layout.shapes) == [0.5, 0.75]
    rows = list(figure.layout.yaxis.categoryarray)[::-1]
    assert rows == ["VAE_LD", "XGBoost", "Drug × tissue mean", "Drug mean"]


def test_a_fold_that_a_second_attempt_repeats_counts_once(curve) -> None:
    again = curve_of(("vae_ld/0/0", 0, "roc_auc", 0.80)).assign(n=99)
    assert fold_takeaway(pd.concat([curve, again])) == fold_takeaway(curve)


def test_of_many_fits_the_last_ones_are_drawn() -> None:
    rows = [(f"vae_ld/{n}/0", 1, "loss", float(n)) for n in range(MOST_FITS + 5)]
    past, last = loss_curves(curve_of(*rows)).data
    drawn = [*past.y, *last.y]
    assert {y for y in drawn if not math.isnan(y)} == {float(n) for n in range(5, MOST_FITS + 5)}
    assert sum(map(math.isnan, drawn)) == MOST_FITS - 2, "a gap between two fits"


def test_a_model_has_the_same_colour_whichever_others_are_in_a_chart(curve) -> None:
    ensemble = curve_of(("ensemble/0/0", 0, "roc_auc", 0.83)).assign(n=99)
    marks = fold_metrics(pd.concat([ensemble, curve])).data
    of_folds = next(mark.marker.color for mark in marks if mark.y[0] == "VAE_LD")
    assert loss_curves(curve).data[-1].line.color == of_folds


def test_figures_carry_the_research_use_line_and_no_colour_of_text(curve) -> None:
    for figure in (loss_curves(curve), fold_metrics(curve)):
        assert RESEARCH_USE in figure.layout.annotations[-1].text
        assert figure.layout.font.color is None


def test_without_rows_the_figures_refuse(curve) -> None:
    with pytest.raises(InputDataError, match=r"curves of loss has no rows"):
        loss_curves(curve[curve["name"] == "roc_auc"])
    with pytest.raises(InputDataError, match=r"finished folds has no rows"):
        fold_metrics(curve[curve["name"] == "loss"])
    with pytest.raises(InputDataError, match=r"training's curves lacks n"):
        loss_curves(curve.drop(columns="n"))
