from __future__ import annotations

import numpy as np
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.palette import CALLS
from resvae_core.figures.position import position_in_cohort, position_takeaway

WORDS = {"drug": "Gefitinib", "cohort": "LUAD"}


def text_of(figure) -> str:
    notes = " ".join(str(note.text) for note in figure.layout.annotations)
    return notes.replace("<br>", " ")


def named(figure, start: str):
    return next(trace for trace in figure.data if (trace.name or "").startswith(start))


@pytest.mark.parametrize("call", ["resistant", "uncertain", "sensitive"])
def test_patient_s_mark_is_the_call_in_shape_word_and_colour(cohort_scores, call) -> None:
    figure = position_in_cohort(cohort_scores, 0.4, call=call, **WORDS)
    mark = named(figure, "This patient")
    style = CALLS[call]
    assert mark.name == f"This patient: {style.label} 0.40"
    assert (mark.marker.symbol, mark.marker.color) == (style.marker, style.colour)
    assert list(mark.x) == [0.4]


def test_bands_median_and_floor_stand_where_the_table_says(cohort_scores) -> None:
    figure = position_in_cohort(cohort_scores, 0.4, call="uncertain", floor=0.9, **WORDS)
    assert (min(named(figure, "90 %").x), max(named(figure, "90 %").x)) == (0.1, 0.8)
    assert max(named(figure, "Middle half").x) == pytest.approx(0.5)
    assert list(named(figure, "Median").x) == [0.4]
    assert list(named(figure, "Floor").x) == [0.9]
    bare = position_in_cohort(cohort_scores, 0.4, call="uncertain", **WORDS)
    assert not any((trace.name or "").startswith("Floor") for trace in bare.data)
    assert figure.layout.xaxis.title.text.endswith("(0 sensitive → 1 resistant)")


def test_a_band_beyond_the_known_levels_is_not_drawn(cohort_scores) -> None:
    inner = cohort_scores.iloc[1:-1]
    figure = position_in_cohort(inner, 0.4, call="uncertain", **WORDS)
    assert not any((trace.name or "").startswith("90 %") for trace in figure.data)


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.45, "about 62 of 100 patients"),
        (0.05, "fewer than 5 of 100 patients"),
        (0.95, "more than 95 of 100 patients"),
    ],
)
def test_share_is_read_off_the_quantiles_and_never_beyond_them(
    cohort_scores, probability, words
) -> None:
    assert words in position_takeaway(cohort_scores, probability, call="uncertain", **WORDS)


def test_a_given_percentile_and_size_are_said_as_they_are(cohort_scores) -> None:
    takeaway = position_takeaway(
        cohort_scores, 0.45, call="sensitive", percentile=61.4, n_patients=513, **WORDS
    )
    assert takeaway == (
        "Gefitinib: ▼ Sensitive, probability of resistance 0.45, above the scores of 61 of 100 "
        "patients of LUAD (n = 513)."
    )


def test_a_patient_without_a_probability_gets_no_mark_and_no_place(cohort_scores) -> None:
    figure = position_in_cohort(cohort_scores, np.nan, call="not assessable", **WORDS)
    assert not any((trace.name or "").startswith("This patient") for trace in figure.data)
    assert "⊘ Not assessable, so this patient has no place" in figure.layout.meta["takeaway"]


def test_scores_from_z_scores_are_said_to_be_approximate(cohort_scores) -> None:
    figure = position_in_cohort(cohort_scores, 0.4, call="uncertain", approximate=True, **WORDS)
    assert "its scores are approximate" in text_of(figure)
    assert "no chance of response" in text_of(figure)


def test_quantiles_that_fall_or_are_too_few_are_refused(cohort_scores) -> None:
    falling = cohort_scores.assign(value=cohort_scores["value"].to_numpy()[::-1])
    for table in (falling, cohort_scores.iloc[:1]):
        with pytest.raises(InputDataError, match="at least two that rise"):
            position_in_cohort(table, 0.4, call="uncertain", **WORDS)
    with pytest.raises(InputDataError, match="is 40; 0 to 1 was expected"):
        position_in_cohort(cohort_scores, 40.0, call="uncertain", **WORDS)
