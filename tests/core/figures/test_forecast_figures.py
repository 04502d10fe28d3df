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
    floor = traces(drug_ranking(forecast, model="resvae"))["Floor: drug × tissue mean"]
    assert dict(zip(floor.y, floor.x, strict=True)) == {
        "Erlotinib": 0.70,
        "Cisplatin": 0.85,
        "Docetaxel": 0.80,
    }


def test_highlighted_drug_is_bold(forecast) -> None:
    figure = drug_ranking(forecast, model="resvae", highlight="Cisplatin")
    assert "<b>Cisplatin</b>" in figure.layout.yaxis.ticktext


def test_axis_says_which_end_is_resistant(forecast) -> None:
    title = drug_ranking(forecast, model="resvae").layout.xaxis.title.text
    assert "0 sensitive → 1 resistant" in title


def test_takeaway_of_the_ranking_counts_calls(forecast) -> None:
    assert drug_ranking_takeaway(forecast, model="resvae") == (
        "Res VAE, 3 drugs: 1 resistant, 1 uncertain, 1 not assessable; lowest probability of "
        "resistance for Erlotinib (0.35, 0.25–0.60)."
    )


def test_models_stand_above_the_floors_in_the_order_given(forecast) -> None:
    figure = models_on_one_axis(forecast[forecast["drug"] == "Cisplatin"][::-1])
    rows = list(figure.layout.yaxis.categoryarray)[::-1]
    assert rows == ["Res VAE", "Elastic net", "Drug × tissue mean"]


def test_tissue_floor_is_a_line_over_all_models(forecast) -> None:
    figure = models_on_one_axis(forecast[forecast["drug"] == "Cisplatin"])
    assert [line.x0 for line in figure.layout.shapes] == [0.85]


def test_zones_are_shaded_only_when_given(forecast) -> None:
    rows = forecast[forecast["drug"] == "Cisplatin"]
    shaded = models_on_one_axis(rows, zones=(0.4, 0.8)).layout.shapes
    assert [(zone.x0, zone.x1) for zone in shaded if zone.type == "rect"] == [
        (0.0, 0.4),
        (0.4, 0.8),
        (0.8, 1.0),
    ]
    assert all(shape.type == "line" for shape in models_on_one_axis(rows).layout.shapes)


def test_thresholds_are_marked_on_their_models_rows(forecast) -> None:
    rows = forecast[forecast["drug"] == "Cisplatin"]
    marks = traces(models_on_one_axis(rows, thresholds={"resvae": 0.8}))["Threshold of the calls"]
    assert (list(marks.x), list(marks.y)) == ([0.8], ["Res VAE"])


def test_takeaway_of_the_models_counts_agreement(forecast) -> None:
    assert models_on_one_axis_takeaway(forecast[forecast["drug"] == "Cisplatin"]) == (
        "Cisplatin, 2 models: 2 resistant, probabilities 0.90 to 0.92; Drug × tissue mean 0.85."
    )


def test_two_samples_in_one_figure_are_refused(forecast) -> None:
    two = pd.concat([forecast, forecast.assign(sample="P2")])
    with pytest.raises(InputDataError, match="holds 2 values of 'sample'"):
        drug_ranking(two, model="resvae")
    with pytest.raises(InputDataError, match="holds 3 values of 'drug'"):
        models_on_one_axis(forecast)


def test_a_model_that_is_not_there_is_refused_with_those_that_are(forecast) -> None:
    with pytest.raises(InputDataError, match="no rows of model 'xgboost'; it has drug_tissue_mean"):
        drug_ranking(forecast, model="xgboost")
    with pytest.raises(InputDataError, match="Drug × tissue mean reads no expression"):
        drug_ranking(forecast, model="drug_tissue_mean")


def test_tables_without_a_column_or_a_row_are_refused(forecast) -> None:
    with pytest.raises(InputDataError, match="lacks upper"):
        drug_ranking(forecast.drop(columns="upper"), model="resvae")
    with pytest.raises(InputDataError, match="has no rows"):
        drug_ranking(forecast[:0], model="resvae")
