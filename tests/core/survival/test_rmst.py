from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import group_by_category, rmst_difference
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH
from resvae_core.tables import SurvivalOutcome
from tests.core.survival.conftest import read_reference

YEAR = 365.25


def halves(days: list[float], events: list[bool]) -> tuple[SurvivalOutcome, object]:
    names = [f"P{n:03d}" for n in range(len(days))]
    labels = pd.Series(["A" if n % 2 else "B" for n in range(len(days))], names)
    outcome = SurvivalOutcome(pd.Series(days, names, dtype=float), pd.Series(events, names))
    return outcome, group_by_category(labels)


def test_difference_matches_r_survrm2_on_pbc() -> None:
    # rmst2(time, status, arm, tau = 10), years; vignette of survRM2 (Uno 2017), section 3.1: RMST
    # of D-penicillamine 7.15; against placebo -0.137 (-0.939 to 0.665), p = 0.738
    result = rmst_difference(*read_reference("pbc"), tau_days=10 * YEAR)
    assert result.contrast == "placebo vs D-penicillamine"
    assert result.table["rmst_days"].iloc[0] / YEAR == pytest.approx(7.15, abs=5e-3)
    assert result.difference_months / 12 == pytest.approx(0.137, abs=5e-4)
    assert result.lower_months / 12 == pytest.approx(-0.665, abs=5e-4)
    assert result.upper_months / 12 == pytest.approx(0.939, abs=5e-4)
    assert result.p_value == pytest.approx(0.738, abs=5e-4)
    assert (result.n, result.n_excluded) == (312, 0)


def test_means_and_errors_match_r_print_rmean_on_aml(aml) -> None:
    # print(survfit(Surv(time, status) ~ x, data = aml), print.rmean = TRUE), upper limit 161:
    # rmean 52.6 (se 19.83) maintained, 22.7 (se 4.18) not
    table = rmst_difference(*aml, tau_days=161).table
    np.testing.assert_allclose(table["rmst_days"], [52.6, 22.7], atol=0.05)
    np.testing.assert_allclose(table["se_days"], [19.83, 4.18], atol=0.005)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 500), min_size=8, max_size=40), st.integers(1, 600))
def test_without_censoring_it_is_the_mean_of_times_cut_off_at_tau(days, tau) -> None:
    cut_off = np.minimum(days, tau)
    assume(np.ptp(cut_off[::2]) > 0 or np.ptp(cut_off[1::2]) > 0)
    outcome, groups = halves(days, [True] * len(days))
    table = rmst_difference(outcome, groups, tau_days=tau).table.set_index("group")
    for name, row in table.iterrows():
        times = np.minimum(outcome.time_days[groups.labels == name], tau)
        assert row["rmst_days"] == pytest.approx(times.mean())
        assert row["se_days"] == pytest.approx(times.std(ddof=0) / np.sqrt(len(times)), abs=1e-9)


@settings(deadline=None, max_examples=8)
@given(
    st.lists(st.tuples(st.integers(1, 300), st.booleans()), min_size=8, max_size=30),
    st.sampled_from([0.5, 2.0, 10.0]),
)
def test_it_scales_with_time(rows, factor) -> None:
    days, events = ([row[part] for row in rows] for part in (0, 1))
    days, events = [400, 1, 400, 2, *days], [False, True, False, False, *events]
    one = rmst_difference(*halves(days, events))
    other = rmst_difference(*halves([factor * day for day in days], events))
    assert other.tau_days == pytest.approx(factor * one.tau_days)
    assert other.difference_months == pytest.approx(factor * one.difference_months, abs=1e-9)
    assert other.p_value == pytest.approx(one.p_value)


def test_default_tau_is_the_last_day_that_both_curves_reach() -> None:
    censored = halves([5, 9, 20, 30, 40, 41], [True, True, True, True, False, False])
    assert rmst_difference(*censored).tau_days == 40
    # the curve of B ends at 0 on day 40, so it is known (to be 0) up to A's end
    ended = halves([5, 9, 20, 30, 40, 90], [True, True, True, True, True, False])
    assert rmst_difference(*ended).tau_days == 90


def test_the_curve_is_not_drawn_beyond_its_end() -> None:
    data = halves([5, 9, 20, 30, 40, 41], [True, True, True, True, False, False])
    with pytest.raises(SurvivalDataError, match="The day 41 is not above 0 and at most 40"):
        rmst_difference(*data, tau_days=41)
    with pytest.raises(SurvivalDataError, match="The day 0 is not above 0"):
        rmst_difference(*data, tau_days=0)


def test_label_says_direction_and_hides_p_where_a_group_is_small() -> None:
    days = [float(day) for day in range(10, 50)]
    shown = rmst_difference(*halves(days, [True] * 40), tau_days=2 * DAYS_PER_MONTH)
    assert shown.label.startswith("−0.0 months (")
    assert shown.label.endswith("B vs A within the first 2 months, p = 0.78")
    hidden = rmst_difference(*halves(days[:18], [True] * 18))
    assert hidden.p_hidden
    assert "p = " not in hidden.label


def test_groups_without_an_event_cannot_be_compared_instead_of_p_1() -> None:
    with pytest.raises(SurvivalDataError, match="No event up to day 7 in the groups 'B' and 'A'"):
        rmst_difference(*halves([5, 6, 7, 8], [False] * 4))
    late = halves([50, 60, 70, 80, 90, 95], [True] * 6)
    with pytest.raises(SurvivalDataError, match="No event up to day 40 in the groups"):
        rmst_difference(*late, tau_days=40)


def test_groups_that_die_each_on_one_day_cannot_be_compared_instead_of_p_1() -> None:
    with pytest.raises(SurvivalDataError, match="6 events up to day 9 in the groups 'B' and 'A'"):
        rmst_difference(*halves([5, 9, 5, 9, 5, 9], [True] * 6))
