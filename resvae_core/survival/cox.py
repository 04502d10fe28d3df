"""Cox regression on one variable: how the hazard changes with it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import (
    MIN_SHOWN,
    Matched,
    arrays,
    check_events,
    match,
    match_groups,
)
from resvae_core.survival.groups import MIN_PATIENTS, Groups
from resvae_core.survival.log_rank import format_p
from resvae_core.tables import SurvivalOutcome


@dataclass(frozen=True)
class HazardRatio:
    """A hazard ratio with its interval.

    Parameters
    ----------
    hazard_ratio, lower, upper
        Ratio of hazards and its 95 % interval (Wald); above 1 means worse survival.
    p_value
        Two-sided Wald test of a ratio of 1.
    contrast
        What is compared, such as "per SD" or "high vs low".
    n, n_events
        Patients in the model, and events among them.
    n_excluded
        Patients left out because they lack an outcome or a value.
    smallest_group
        Size of the smallest group; of a continuous variable the patients who carry the signal
        (`n_informative`); None where it is not kept, for at least 10 by how it was made.
    proportional_hazards_p
        p-value of the test of scaled Schoenfeld residuals against time (Grambsch and Therneau
        1994); small values put the one ratio for all times in doubt.
    standard_deviation
        SD of the variable, in its own unit, for a ratio per SD; None otherwise.
    test_name
        What was computed.
    """

    hazard_ratio: float
    lower: float
    upper: float
    p_value: float
    contrast: str
    n: int
    n_events: int
    n_excluded: int
    smallest_group: int | None
    proportional_hazards_p: float
    standard_deviation: float | None = None
    test_name: str = "Cox proportional hazards, Efron ties"

    @property
    def p_hidden(self) -> bool:
        """Whether a group, or the signal, rests on fewer than 10 patients: p is not to be shown.

        The check of proportional hazards is not to be shown then either.
        """
        return self.smallest_group is not None and self.smallest_group < MIN_SHOWN

    @property
    def p_label(self) -> str:
        """Return the p-value for readers, or why it is not shown."""
        if self.p_hidden:
            return f"p not shown: {why_hidden(continuous=self.standard_deviation is not None)}"
        return format_p(self.p_value)

    @property
    def label(self) -> str:
        """Return ratio, interval and, where it may be shown, p-value for readers."""
        ratio = f"HR {self.hazard_ratio:.2f} ({self.lower:.2f}–{self.upper:.2f}) {self.contrast}"
        return ratio if self.p_hidden else f"{ratio}, {self.p_label}"


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model.

    Parameters
    ----------
    coefficients
        One row a column of the design, in its order: hazard_ratio, lower, upper (95 %, Wald),
        p_value, proportional_hazards_p (as in `HazardRatio`).
    concordance
        Harrell's C: the share of comparable pairs of patients whose order the model gets right.
    """

    coefficients: pd.DataFrame
    concordance: float


def n_informative(numbers: np.ndarray) -> int:
    """Count the patients who carry the signal of a continuous variable.

    Parameters
    ----------
    numbers
        (n_patients,) values, one or more.

    Returns
    -------
    int
        Patients above the lowest value or, if fewer, below the highest: of a gene that is silent
        in all but five, a ratio rests on those five, whatever its sign.
    """
    return int(min((numbers > numbers.min()).sum(), (numbers < numbers.max()).sum()))


def why_hidden(*, continuous: bool) -> str:
    """Return why p of a Cox regression is not shown, for readers."""
    if continuous:
        return f"fewer than {MIN_SHOWN} patients differ in value from the rest"
    return f"a group has fewer than {MIN_SHOWN} patients"


def cox_per_sd(outcome: SurvivalOutcome, values: pd.Series[float]) -> HazardRatio:
    """Relate survival to a continuous variable, without a cut.

    Parameters
    ----------
    outcome
        Times in days and events.
    values
        (n_patients,) one finite value a patient, for expression in log2(TPM + 1). Index: patients.

    Returns
    -------
    HazardRatio
        Per standard deviation of `values` among the patients with an outcome; Efron ties, as R's
        ``coxph(Surv(time, event) ~ scale(value))``.

    Raises
    ------
    SurvivalDataError
        If a value is missing or infinite, all are equal, fewer than four patients or nobody with
        an event is left, or the fit does not converge.
    """
    if values.index.has_duplicates:
        raise SurvivalDataError(
            "A patient occurs more than once; each may count once.",
            remedy="Keep one row a patient.",
        )
    matched = match(outcome, values)
    numbers = matched.values.to_numpy(float)
    check_spread(numbers)
    check_events(matched)
    spread = float(numbers.std(ddof=1))
    design = pd.DataFrame({"per SD": (numbers - numbers.mean()) / spread})
    return _fit(
        matched,
        design,
        "per SD",
        smallest_group=n_informative(numbers),
        standard_deviation=spread,
    )


def cox_high_vs_low(outcome: SurvivalOutcome, groups: Groups) -> HazardRatio:
    """Compare the hazard of the last group (high) with that of the first (low).

    Parameters
    ----------
    outcome
        Times in days and events.
    groups
        Two or more groups; those between first and last stay in the model as levels of their own.

    Raises
    ------
    SurvivalDataError
        If no patient has both an outcome and a group, a group has fewer than two patients or no
        event (its ratio would be 0 or infinite), or the fit does not converge.
    """
    matched = match_groups(outcome, groups)
    check_events(matched)
    _check_events_of_groups(matched, groups)
    first, *others = groups.names
    contrast = f"{others[-1]} vs {first}"
    columns = {f"{name} vs {first}": (matched.values == name).to_numpy(float) for name in others}
    smallest = int(matched.values.value_counts().min())
    return _fit(matched, pd.DataFrame(columns), contrast, smallest_group=smallest)


def check_spread(numbers: np.ndarray) -> None:
    """Refuse values that a hazard cannot be related to.

    Raises
    ------
    SurvivalDataError
        If there are fewer than four, one is infinite, or all are equal.
    """
    if len(numbers) < 2 * MIN_PATIENTS:
        raise SurvivalDataError(
            f"{len(numbers)} patients have a value and an outcome; at least {2 * MIN_PATIENTS} are "
            "needed.",
            remedy="Use a larger cohort.",
        )
    if not np.isfinite(numbers).all():
        raise SurvivalDataError(
            "A value is infinite; finite values were expected.", remedy="Use log2(TPM + 1)."
        )
    if np.ptp(numbers) == 0:
        raise SurvivalDataError(
            f"All {len(numbers)} patients have the same value; values that differ are needed.",
            remedy="Choose another gene or variable.",
        )


def _check_events_of_groups(matched: Matched, groups: Groups) -> None:
    _, events = arrays(matched)
    for name in groups.names:
        if not events[(matched.values == name).to_numpy()].any():
            raise SurvivalDataError(
                f"Group {name!r} has no event, so its hazard ratio would be 0 or infinite; "
                "at least one event in each group is needed.",
                remedy="Choose another rule or endpoint; the Kaplan-Meier curves stay valid.",
            )


def _fit(
    matched: Matched,
    design: pd.DataFrame,
    contrast: str,
    *,
    smallest_group: int,
    standard_deviation: float | None = None,
) -> HazardRatio:
    """Fit and read off one coefficient."""
    fit = fit_cox(matched, design)
    row = fit.coefficients.loc[contrast]
    return HazardRatio(
        hazard_ratio=float(row["hazard_ratio"]),
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        p_value=float(row["p_value"]),
        contrast=contrast,
        n=len(design),
        n_events=matched.n_events,
        n_excluded=matched.n_excluded,
        smallest_group=smallest_group,
        proportional_hazards_p=float(row["proportional_hazards_p"]),
        standard_deviation=standard_deviation,
    )


def fit_cox(matched: Matched, design: pd.DataFrame) -> CoxFit:
    """Fit by lifelines: Efron ties, proportional hazards checked coefficient by coefficient.

    Parameters
    ----------
    matched
        Outcomes of the patients.
    design
        (n_patients, n_coefficients) numbers of the same patients in the same order.

    Raises
    ------
    SurvivalDataError
        If the fit does not converge.
    """
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning
    from lifelines.statistics import proportional_hazard_test
    from scipy.linalg import LinAlgWarning

    days, events = arrays(matched)
    # numbered columns: names of groups may be anything, also "event"
    table = design.set_axis([f"x{number}" for number in range(design.shape[1])], axis=1)
    table = table.reset_index(drop=True).assign(time_days=days, event=events)
    try:
        with warnings.catch_warnings():
            # lifelines warns of separation and returns a ratio without a meaning
            warnings.simplefilter("error", ConvergenceWarning)
            warnings.simplefilter("error", LinAlgWarning)
            fitter = CoxPHFitter().fit(table, "time_days", "event")
        proportional = proportional_hazard_test(fitter, table, time_transform="km")
    except (ConvergenceError, ConvergenceWarning, LinAlgWarning) as error:
        raise SurvivalDataError(
            f"The Cox model of {len(table)} patients with {matched.n_events} events did not "
            "converge; values that separate patients with and without events do this, and "
            "variables that say the same.",
            remedy="Use the Kaplan-Meier curves and the log-rank test instead.",
        ) from error
    found = {
        "hazard_ratio": "exp(coef)",
        "lower": "exp(coef) lower 95%",
        "upper": "exp(coef) upper 95%",
        "p_value": "p",
    }
    coefficients = fitter.summary[list(found.values())].set_axis(list(found), axis=1)
    coefficients["proportional_hazards_p"] = np.atleast_1d(proportional.p_value)
    return CoxFit(coefficients.set_axis(design.columns, axis=0), float(fitter.concordance_index_))
