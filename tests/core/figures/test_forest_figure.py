from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.forest import forest_plot, forest_takeaway
from resvae_core.survival import CoxModel, cox_adjusted, group_by_expression
from tests.core.figures.conftest import followed


def text_of(figure) -> str:
    notes = " ".join(str(note.text) for note in figure.layout.annotations)
    return notes.replace("<br>", " ")


def words_beside(figure) -> list[str]:
    return list(next(trace for trace in figure.data if trace.mode == "text").text)


def with_row(model: CoxModel, term: str, **values: object) -> CoxModel:
    table = model.table.copy()
    table.loc[table["term"] == term, list(values)] = list(values.values())
    return replace(model, table=table)


def test_each_coefficient_has_its_ratio_and_interval_on_a_log_axis(cox_model) -> None:
    figure = forest_plot(cox_model)
    rows = cox_model.table[~cox_model.table["reference"]]
    squares = next(trace for trace in figure.data if trace.name == "Hazard ratio")
    np.testing.assert_allclose(squares.x, rows["hazard_ratio"])
    np.testing.assert_allclose(squares.x + squares.error_x.array, rows["upper"])
    np.testing.assert_allclose(squares.x - squares.error_x.arrayminus, rows["lower"])
    assert list(squares.y) == list(rows.index)
    assert figure.layout.xaxis.type == "log"
    low, high = 10 ** np.array(figure.layout.xaxis.range)
    assert low < rows["lower"].min()
    assert high > rows["upper"].max()
    assert "shorter survival" in figure.layout.xaxis.title.text


def test_reference_levels_stand_at_one_without_a_p_value(cox_model) -> None:
    figure = forest_plot(cox_model)
    table = cox_model.table
    marks = next(trace for trace in figure.data if trace.name == "Reference")
    assert list(marks.x) == [1.0]
    assert table.loc[marks.y, "reference"].all()
    assert words_beside(figure)[marks.y[0]] == "reference"


def test_labels_say_what_is_compared_in_how_many_patients(cox_model) -> None:
    labels = forest_plot(cox_model).layout.yaxis.ticktext
    rows = cox_model.table.set_index("term")
    assert labels[0].startswith("GENE, per SD<br>")
    assert "Age, per 10 years" in labels[1]
    assert labels[2].startswith("Stage II vs I<br>")
    second = rows.loc["stage: II"]
    assert f"{second['n']} patients, {second['n_events']} events" in labels[2]
    assert labels[3].startswith("Stage I<br>")


def test_hazards_that_are_not_proportional_are_marked_hollow_and_named(cox_model) -> None:
    doubtful = with_row(cox_model, "age", proportional_hazards_p=0.01)
    figure = forest_plot(doubtful)
    squares = next(trace for trace in figure.data if trace.name == "Hazard ratio")
    assert list(squares.marker.symbol) == ["square", "square-open", "square"]
    assert ["†" in words for words in words_beside(figure)] == [False, True, False, False]
    assert "† and hollow: hazards are not proportional (p < 0.05)" in text_of(figure)
    assert "†" not in text_of(forest_plot(with_row(cox_model, "age", proportional_hazards_p=0.9)))
    own = with_row(cox_model, "GENE", proportional_hazards_p=0.01)
    assert forest_takeaway(own).endswith("hazards not proportional).")


def test_p_of_a_level_below_ten_patients_is_nowhere_on_the_figure(cox_model) -> None:
    small = with_row(cox_model, "stage: II", n=9, p_value=0.0123)
    figure = forest_plot(small)
    assert "p not shown" in words_beside(figure)[2]
    assert "0.012" not in figure.to_json()
    assert "fewer than 10 patients" in text_of(figure)


def test_who_was_left_out_the_model_s_notes_and_prognostic_are_on_the_figure(cox_model) -> None:
    said = replace(cox_model, left_out={"stage not known": 4}, notes=("Purity is not recorded.",))
    text = text_of(forest_plot(said))
    for words in (
        "left out: 4 (stage not known)",
        "Purity is not recorded.",
        "Prognostic",
        "C-index",
    ):
        assert words in text
    assert "left out: nobody" in text_of(forest_plot(replace(cox_model, left_out={})))


def test_an_endless_interval_is_cut_at_the_axis_and_said(cox_model) -> None:
    wide = with_row(cox_model, "stage: II", hazard_ratio=30.0, lower=0.001, upper=1e6)
    figure = forest_plot(wide)
    np.testing.assert_allclose(10 ** np.array(figure.layout.xaxis.range), [1 / 64, 64])
    assert "cut at its ends" in text_of(figure)


def test_takeaway_names_ratio_p_and_what_was_held_fixed(cox_model) -> None:
    row = cox_model.of_interest
    takeaway = forest_takeaway(cox_model)
    assert takeaway.startswith(f"GENE, per SD: hazard ratio {row['hazard_ratio']:.2f} (")
    assert "adjusted for age and stage" in takeaway
    assert "adjusted" not in forest_takeaway(replace(cox_model, adjusted_for=()))


def test_a_table_without_the_contract_s_columns_is_refused(cox_model) -> None:
    broken = replace(cox_model, table=cox_model.table.drop(columns="reference"))
    with pytest.raises(InputDataError, match="forest plot lacks reference"):
        forest_plot(broken)


def test_takeaway_of_groups_compares_the_last_with_the_first() -> None:
    outcome, value = followed(60)
    groups = group_by_expression(value, "tertile")
    model = cox_adjusted(outcome, groups, pd.DataFrame(index=value.index), name="GENE")
    assert forest_takeaway(model).startswith("GENE high vs low: hazard ratio ")
    assert words_beside(forest_plot(model))[-1] == "reference"
