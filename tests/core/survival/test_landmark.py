from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import kaplan_meier, landmark, survival_at
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH
from resvae_core.tables import SurvivalOutcome


def outcome_of(rows: list[tuple[float, bool]]) -> SurvivalOutcome:
    table = pd.DataFrame(rows, columns=["time", "event"]).rename("P{}".format)
    return SurvivalOutcome(table["time"].astype(float), table["event"])


def test_who_had_an_event_or_left_by_the_landmark_is_left_out_and_counted() -> None:
    rows = [(5, True), (10, True), (10, False), (11, True), (20, False), (30, True), (40, True)]
    kept = landmark(outcome_of(rows), 10)
    assert kept.outcome.patients == ["P3", "P4", "P5", "P6"]
    assert kept.outcome.time_days.tolist() == [1, 10, 20, 30]
    assert (kept.n_events_before, kept.n_censored_before) == (2, 1)
    assert "4 patients, time counted from there; left out: 2 with an event and 1" in (
        kept.description
    )


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=12, max_size=40),
    st.integers(0, 15),
)
def test_survival_from_the_landmark_is_conditional_survival(rows, day) -> None:
    outcome = outcome_of(rows)
    if (outcome.time_days > day).sum() < 4:
        return
    whole = kaplan_meier(outcome).curve.set_index("time_days")["survival"]
    later = kaplan_meier(landmark(outcome, day).outcome).curve.set_index("time_days")["survival"]
    before = whole[whole.index <= day].iloc[-1]
    for time, survival in later.items():
        at = whole[whole.index <= time + day].iloc[-1]
        assert survival == pytest.approx(at / before)


@pytest.mark.parametrize("day", [-1.0, np.nan, np.inf])
def test_a_landmark_that_is_no_day_is_refused(day) -> None:
    with pytest.raises(SurvivalDataError, match="is not a day"):
        landmark(outcome_of([(5, True)] * 6), day)


def test_a_landmark_that_leaves_too_few_is_refused() -> None:
    with pytest.raises(SurvivalDataError, match="0 of 6 patients are followed beyond day 5"):
        landmark(outcome_of([(5, True)] * 6), 5)


def test_survival_at_matches_r_summary_survfit_on_aml(aml) -> None:
    # summary(survfit(Surv(time, status) ~ x, data = aml)): maintained 0.716 after week 18, 0.491
    # after 31; not maintained 0.5833 after 8 and 0 after 45; here read off between those weeks
    months = [20 / DAYS_PER_MONTH, 33 / DAYS_PER_MONTH, 60 / DAYS_PER_MONTH]
    table = survival_at(*aml, months)
    kept = table[table["group"] == "Maintained"]
    np.testing.assert_allclose(kept["survival"].iloc[:2], [0.716, 0.491], atol=5e-4)
    assert kept["at_risk"].tolist() == [7, 4, 1]
    assert table[table["group"] == "Nonmaintained"]["survival"].iloc[2] == 0


def test_survival_is_not_known_after_the_last_patient_left() -> None:
    rows = [(30, True), (60, False), (60, False), (90, False)]
    table = survival_at(outcome_of(rows), None, [0, 2, 12])
    assert table["survival"].iloc[:2].tolist() == pytest.approx([1, 0.75])
    assert np.isnan(table["survival"].iloc[2])
    assert table["at_risk"].tolist() == [4, 1, 0]


def test_a_time_before_the_start_is_refused() -> None:
    with pytest.raises(SurvivalDataError, match=r"The times \[-1\] have one that is negative"):
        survival_at(outcome_of([(5, True)] * 4), None, [-1])
