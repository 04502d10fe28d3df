from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.forecasts import (
    drug_ranking,
    drug_ranking_takeaway,
    models_on_one_axis,
    models_on_one_axis_takeaway,
)


def traces(figure) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data}


def test_drugs_are_ranked_most_sensitive_on_top_and_unknown_last(forecast) -> None:
    figure = drug_ranking(forecast, model="elastic_net")
    assert list(figure.layout.yaxis.categoryarray)[::-1] == ["Erlotinib", "Cisplatin", "Docetaxel"]


def test_a_drug_without_a_number_is_named_in_words_and_gets_no_mark(forecast) -> None:
    figure = drug_ranking(forecast, model="elastic_net")
    marks = [drug for trace in figure.data if trace.mode == "markers" for drug in trace.y]
    words = next(trace for trace in figure.data if trace.mode == "text")
    # the only mark on its row is the floor's
    assert marks.count("Docetaxel") == 1
    assert list(words.y) == ["Docetaxel"]
    assert list(words.text) == ["⊘ Not assessable"]


def test_calls_set_shape_and_interval(forecast) -> None:
    resistant = traces(drug_ranking(forecast, model="elastic_net"))["▲ Resistant"]
    assert resistant.marker.symbol == "triangle-up"
    np.testing.assert_allclose(resistant.error_x.array, [0.05])
    np.testing.assert_allclose(resistant.error_x.arrayminus, [0.10])


def test_floor_stands_beside_every_drug(forecast) -> None:
    floor = traces(drug_ranking(forecast, model="vae_ld"))["Floor: drug × tissue mean"]
    assert dict(zip(floor.y, floor.x, strict=True)) == {
        "Erlotinib": 0.70,
        "Cisplatin": 0.85,
        "Docetaxel": 0.80,
    }


def test_highlighted_drug_is_bold(forecast) -> None:
    figure = drug_ranking(forecast, model="vae_ld", highlight="Cisplatin")
    assert "<b>Cisplatin</b>" in figure.layout.yaxis.ticktext


def test_axis_says_which_end_is_resistant(forecast) -> None:
    title = drug_ranking(forecast, model="vae_ld").layout.xaxis.title.text
    assert "0 sensitive → 1 resistant" in title


def test_takeaway_of_the_ranking_counts_calls(forecast) -> None:
    assert drug_ranking_takeaway(forecast, model="vae_ld") == (
        "VAE_LD, 3 drugs: 1 resistant, 1 uncertain, 1 not assessable; lowest probability of "
        "resistance for Erlotinib (0.35, 0.25–0.60)."
    )


def test_ensemble_stands_on_top_then_the_five_then_the_simple_model(forecast, limits) -> None:
    figure = models_on_one_axis(forecast[forecast["drug"] == "Cisplatin"][::-1], thresholds=limits)
    rows = list(figure.layout.yaxis.categoryarray)[::-1]
    assert rows == ["Ensemble of five", "VAE_LD", "XGBoost", "Elastic net"]
    labels = list(figure.layout.yaxis.ticktext)
    assert labels[0] == "<b>Ensemble of five</b>"
    assert labels[-1] == "Elastic net (simple model)"


def test_the_ensemble_s_mark_is_larger_than_all_others(forecast, limits) -> None:
    figure = models_on_one_axis(forecast[forecast["drug"] == "Cisplatin"], thresholds=limits)
    sizes = {
        row: size
        for trace in figure.data
        if trace.name in ("▲ Resistant", "◆ Uncertain")
        for row, size in zip(trace.y, trace.marker.size, strict=True)
    }
    assert sizes.pop("Ensemble of five") > max(sizes.values())
    assert len(sizes) == 3


def test_tissue_floor_is_a_line_and_other_floors_are_left_out(forecast, limits) -> None:
    figure = models_on_one_axis(forecast[forecast["drug"] == "Cisplatin"], thresholds=limits)
    upright = [line.x0 for line in figure.layout.shapes if line.x0 == line.x1]
    assert upright == [0.85]
    assert "Drug mean" not in figure.to_json()


def test_lines_part_ensemble_five_and_simple_model(forecast, limits) -> None:
    figure = models_on_one_axis(forecast[forecast["drug"] == "Cisplatin"], thresholds=limits)
    level = [line.y0 for line in figure.layout.shapes if line.y0 == line.y1]
    assert level == [2.5, 0.5]


def test_limits_are_marked_on_their_models_rows(forecast, limits) -> None:
    rows = forecast[forecast["drug"] == "Cisplatin"]
    marks = traces(models_on_one_axis(rows, thresholds=limits))["Limit of the model's calls"]
    found = dict(zip(marks.y, marks.x, strict=True))
    assert found["Ensemble of five"] == 0.72
    assert found["XGBoost"] == 0.65
    assert len(found) == 4


def test_takeaway_of_the_models_counts_the_five_alone(forecast, limits) -> None:
    rows = forecast[forecast["drug"] == "Erlotinib"]
    assert models_on_one_axis_takeaway(rows, thresholds=limits) == (
        "Erlotinib: 2 of 2 models lean sensitive (probability of resistance 0.35 to 0.60); "
        "ensemble of five 0.45; drug × tissue mean 0.70."
    )
    changed = models_on_one_axis_takeaway(rows, thresholds={**limits, "elastic_net": 0.0})
    assert "2 of 2 models lean sensitive" in changed


def test_no_model_that_can_tell_is_said_in_words(forecast, limits) -> None:
    rows = forecast[forecast["drug"] == "Docetaxel"]
    assert "none of 2 models can tell" in models_on_one_axis_takeaway(rows, thresholds=limits)


def test_two_samples_in_one_figure_are_refused(forecast) -> None:
    two = pd.concat([forecast, forecast.assign(sample="P2")])
    with pytest.raises(InputDataError, match="holds 2 values of 'sample'"):
        drug_ranking(two, model="vae_ld")
    with pytest.raises(InputDataError, match="holds 3 values of 'drug'"):
        models_on_one_axis(forecast, thresholds={})


def test_a_model_that_is_not_there_is_refused_with_those_that_are(forecast) -> None:
    with pytest.raises(InputDataError, match="no rows of model 'vae_ll'; it has drug_mean"):
        drug_ranking(forecast, model="vae_ll")
    with pytest.raises(InputDataError, match="Drug × tissue mean reads no expression"):
        drug_ranking(forecast, model="drug_tissue_mean")


def test_tables_without_a_column_or_a_row_are_refused(forecast) -> None:
    with pytest.raises(InputDataError, match="lacks upper"):
        drug_ranking(forecast.drop(columns="upper"), model="vae_ld")
    with pytest.raises(InputDataError, match="has no rows"):
        drug_ranking(forecast[:0], model="vae_ld")
