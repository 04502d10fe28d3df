from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.contrast import contrast
from resvae_core.figures.palette import CALLS
from resvae_core.figures.transfer import (
    alignment_shift,
    alignment_shift_takeaway,
    distributions,
    distributions_takeaway,
    response_intervals,
    response_intervals_takeaway,
    sample_matrix,
    sample_matrix_takeaway,
    task_heatmap,
    task_heatmap_takeaway,
)


def traces(figure) -> dict[str, object]:
    return {trace.name: trace for trace in figure.data}


def notes(figure) -> str:
    return " ".join(str(note.text).replace("<br>", " ") for note in figure.layout.annotations)


def test_a_cell_is_empty_where_the_drug_is_not_among_those_of_the_cohort(tasks) -> None:
    cells, words = task_heatmap(tasks).data
    found = pd.DataFrame(np.array(cells.z, float), cells.y, cells.x)
    assert list(found.columns) == ["LUAD<br>n 100", "GBM<br>n 110", "PAAD<br>n 120, z"]
    assert found.notna().sum().sum() == 4
    assert found.loc["Temozolomide", "GBM<br>n 110"] == pytest.approx(0.3)
    assert len(words.text) == 4
    assert "0.30" in words.text


def test_drugs_of_several_cohorts_stand_on_top(tasks) -> None:
    order = list(task_heatmap(tasks).layout.yaxis.categoryarray)[::-1]
    assert order == ["Cisplatin", "Gefitinib", "Temozolomide"]


def test_one_cohort_is_shown_by_model(tasks) -> None:
    cells = task_heatmap(tasks, cohort="LUAD").data[0]
    assert list(cells.x)[:2] == ["Ensemble of five", "VAE_LL"]
    assert list(cells.y) == ["Cisplatin", "Gefitinib"]


def test_numbers_stand_out_on_every_colour_of_a_cell_in_both_modes(tasks) -> None:
    for value in ("median", "q90"):
        cells, words = task_heatmap(tasks, value=value).data
        for _, ground in cells.colorscale:
            assert contrast(words.textfont.color[0], ground) >= 6


def test_a_share_has_a_scale_of_one_colour(tasks) -> None:
    bar = task_heatmap(tasks, value="share_resistant").data[0].colorbar
    assert bar.ticktext == ("0", "0.5", "1")


def test_z_scores_are_said_not_to_tell_a_level(tasks) -> None:
    assert "the level of the cohort does not" in notes(task_heatmap(tasks))
    assert "the level of the cohort does not" in notes(distributions(tasks, cohort="PAAD"))
    assert "the level of the cohort" not in notes(distributions(tasks, cohort="LUAD"))
    assert "the level of the cohort" not in notes(task_heatmap(tasks, cohort="LUAD"))


def test_takeaway_of_the_tasks_names_both_ends(tasks) -> None:
    assert task_heatmap_takeaway(tasks) == (
        "Ensemble of five: median probability of resistance from 0.20 (Cisplatin, LUAD) to 0.30 "
        "(Temozolomide, GBM) over 3 cells."
    )
    unknown = task_heatmap_takeaway(tasks.assign(median=np.nan))
    assert unknown.endswith("is not known for any drug.")


def test_models_or_columns_that_are_not_there_are_refused(tasks) -> None:
    with pytest.raises(InputDataError, match="no rows of model 'mine'; it has ensemble"):
        task_heatmap(tasks, model="mine")
    with pytest.raises(InputDataError, match="lacks in_range_share"):
        task_heatmap(tasks, value="in_range_share")
    with pytest.raises(InputDataError, match="two rows of one drug and cohort"):
        task_heatmap(pd.concat([tasks, tasks]))


def test_box_and_whiskers_are_the_quantiles_of_the_table(tasks) -> None:
    box = distributions(tasks, cohort="LUAD", model="xgboost").data[0]
    assert (box.type, box.orientation) == ("box", "h")
    at = list(box.y).index("Gefitinib")
    parts = (box.lowerfence[at], box.q1[at], box.median[at], box.q3[at], box.upperfence[at])
    np.testing.assert_allclose(parts, [0.2, 0.25, 0.3, 0.35, 0.7])


def test_floor_and_cell_lines_stand_beside_the_patients(tasks) -> None:
    found = traces(distributions(tasks, cohort="LUAD"))
    np.testing.assert_allclose(found["Floor: drug × tissue mean"].x, [0.22, 0.22])
    assert list(found["Resistant share of cell lines of the type"].x) == [0.8, 0.8]
    without = traces(distributions(tasks, cohort="GBM"))
    assert "Resistant share of cell lines of the type" not in without


def test_takeaway_of_the_distributions_names_ends_and_widest(tasks) -> None:
    assert distributions_takeaway(tasks, cohort="LUAD") == (
        "Ensemble of five in LUAD: median probability of resistance from 0.20 (Cisplatin) to 0.20 "
        "(Gefitinib); patients differ most for Gefitinib (80 % of them from 0.10 to 0.60)."
    )


def test_an_axis_of_probabilities_that_does_not_start_at_0_says_so(tasks) -> None:
    high = tasks.assign(**(0.5 + tasks[["q10", "q25", "median", "q75", "q90", "floor"]] / 2))
    figure = distributions(high, cohort="LUAD")
    assert figure.layout.xaxis.range[0] == pytest.approx(0.49)
    assert "The axis starts at 0.50, not at 0." in notes(figure)
    assert "The axis starts" not in notes(distributions(tasks, cohort="LUAD"))
    unaligned = high.assign(median_unaligned=0.95)
    assert "The axis starts at 0.50" in notes(alignment_shift(unaligned))


def test_both_readings_stand_on_the_row_of_their_task(tasks) -> None:
    found = traces(alignment_shift(tasks))
    labels = ["LUAD · Cisplatin", "LUAD · Gefitinib", "GBM · Temozolomide"]
    assert list(found["Not aligned"].y) == labels
    np.testing.assert_allclose(found["Not aligned"].x, [0.5, 0.5, 0.6])


def test_cohorts_known_as_z_scores_are_left_out_and_said(tasks) -> None:
    assert "Not in the figure: PAAD (z-scores)" in notes(alignment_shift(tasks))
    with pytest.raises(InputDataError, match="No task of PAAD was read without alignment"):
        alignment_shift(tasks, cohort="PAAD")


def test_takeaway_of_the_alignment_says_how_far_and_whether_order_is_kept(tasks) -> None:
    assert alignment_shift_takeaway(tasks, cohort="GBM") == (
        "Ensemble of five: alignment moves the median by −0.30 in the middle of 1 task, most for "
        "Temozolomide (−0.30); the order of patients is kept to a median ρ of 0.90."
    )


def test_every_pair_has_a_row_with_its_patients_largest_first(responses) -> None:
    figure = response_intervals(responses)
    labels = list(figure.layout.yaxis.ticktext)
    assert labels[0].startswith("LGG · Temozolomide")
    assert "n 126, 120 responded · only 6 in one group" in labels[0]
    assert "n 51, 30 responded<" in labels[1]


def test_marks_are_filled_where_q_is_clear_and_not_by_the_interval_alone(responses) -> None:
    found = traces(response_intervals(responses))
    ensemble, ridge = found["Ensemble of five"], found["Plain ridge"]
    assert dict(zip(ensemble.y, ensemble.marker.symbol, strict=True)) == {
        "LGG · Temozolomide": "circle",
        "LUAD · Cisplatin": "circle-open",
    }
    assert list(ridge.marker.symbol) == ["square", "square-open"]
    np.testing.assert_allclose(ensemble.error_x.array, [0.10, 0.15])


def test_without_q_the_interval_fills_a_mark_and_the_note_says_so(responses) -> None:
    figure = response_intervals(responses.drop(columns="q_value"))
    assert list(traces(figure)["Plain ridge"].marker.symbol) == ["square", "square"]
    assert "Filled: the whole interval on one side of 0.5" in notes(figure)
    assert "q <" not in figure.layout.meta["takeaway"]


def test_line_stands_at_what_guessing_gives(responses) -> None:
    assert [line.x0 for line in response_intervals(responses).layout.shapes] == [0.5]


def test_one_pair_is_shown_by_model_floors_last(responses) -> None:
    figure = response_intervals(responses, cohort_drug=("LUAD", "Cisplatin"))
    rows = list(figure.layout.yaxis.ticktext)
    assert rows == ["Ensemble of five", "VAE_LD", "Plain ridge", "Drug × tissue mean"]
    assert "51 patients, 30 of them responders" in notes(figure)


def test_takeaway_of_the_responses_counts_and_never_pools(responses) -> None:
    assert response_intervals_takeaway(responses) == (
        "ROC AUC against recorded response: Ensemble of five has its whole interval above 0.5 in 1 "
        "of 2 pairs and below in 0, q < 0.05 in 1; Plain ridge has its whole interval above 0.5 in "
        "1 of 2 pairs and below in 1, q < 0.05 in 1."
    )
    assert response_intervals_takeaway(responses, cohort_drug=("LUAD", "Cisplatin")) == (
        "Cisplatin in LUAD (51 patients, 30 responders), ROC AUC for non-response: Ensemble of "
        "five 0.60 (0.45–0.75), VAE_LD 0.40, Plain ridge 0.70 (0.55–0.85)."
    )


def test_a_pair_that_is_not_there_is_refused_with_those_that_are(responses) -> None:
    with pytest.raises(InputDataError, match="no rows of cohort 'GBM'; it has LGG, LUAD"):
        response_intervals(responses, cohort_drug=("GBM", "Temozolomide"))
    with pytest.raises(InputDataError, match="no rows of model 'mine'"):
        response_intervals(responses, model="mine")


def several(forecast) -> pd.DataFrame:
    return pd.concat([forecast.assign(sample=f"P{n}") for n in range(5)], ignore_index=True)


def test_matrix_has_no_colour_and_a_sign_where_not_assessable(forecast) -> None:
    cells, signs = sample_matrix(several(forecast), model="vae_ld").data
    found = pd.DataFrame(np.array(cells.z, float), cells.y, cells.x)
    assert list(found.index) == ["P0", "P1", "P2", "P3", "P4"]
    assert found["Docetaxel"].isna().all()
    written = dict(zip(zip(signs.y, signs.x, strict=True), signs.text, strict=True))
    assert written["P0", "Docetaxel"] == CALLS["not assessable"].symbol
    assert written["P0", "Cisplatin"] == "▲ 0.92"
    assert written["P0", "Erlotinib"] == "◆ 0.35"


def test_the_longer_of_samples_and_drugs_runs_downwards(forecast) -> None:
    cells = sample_matrix(forecast, model="vae_ld").data[0]
    assert list(cells.y) == ["Erlotinib", "Cisplatin", "Docetaxel"]
    assert list(cells.x) == ["P1"]


def test_matrix_shows_the_drugs_that_are_asked_for_in_their_order(forecast) -> None:
    drugs = ["Docetaxel", "Erlotinib"]
    cells = sample_matrix(several(forecast), model="vae_ld", drugs=drugs).data[0]
    assert list(cells.x) == drugs
    with pytest.raises(InputDataError, match="no rows of drug 'Aspirin'"):
        sample_matrix(forecast, model="vae_ld", drugs=["Aspirin"])


def test_a_large_matrix_writes_only_what_has_no_colour(forecast) -> None:
    one = forecast[forecast["model"] == "vae_ld"]
    many = pd.concat([one.assign(sample=f"P{n}") for n in range(900)], ignore_index=True)
    signs = sample_matrix(many, model="vae_ld").data[1]
    assert len(signs.text) == 900
    assert {text.strip() for text in signs.text} == {CALLS["not assessable"].symbol}


def test_takeaway_of_the_matrix_counts_calls(forecast) -> None:
    assert sample_matrix_takeaway(several(forecast), model="vae_ld") == (
        "VAE_LD, 5 samples and 3 drugs: 5 resistant, 5 uncertain, 5 not assessable."
    )


def test_a_sample_with_a_drug_twice_is_refused(forecast) -> None:
    with pytest.raises(InputDataError, match="two rows of one sample and drug"):
        sample_matrix(pd.concat([forecast, forecast]), model="vae_ld")
