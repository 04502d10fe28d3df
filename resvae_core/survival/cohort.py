"""Outcome and groups (or values) of the same patients, brought together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.groups import MIN_PATIENTS, Groups
from resvae_core.tables import SurvivalOutcome

MIN_SHOWN = 10
"""Groups smaller than this hide the p-value: the test misleads, and patients are recognisable."""


@dataclass(frozen=True)
class Matched:
    """Patients who have both an outcome and a value or group.

    Parameters
    ----------
    outcome
        Times and events of those patients.
    values
        (n_patients,) their groups or values, in the same order.
    n_excluded
        How many patients have only one of the two.
    """

    outcome: SurvivalOutcome
    values: pd.Series[float] | pd.Series[str]
    n_excluded: int

    @property
    def n_events(self) -> int:
        """Number of events seen."""
        return int(self.outcome.event.to_numpy(bool).sum())


def match(outcome: SurvivalOutcome, values: pd.Series[float] | pd.Series[str]) -> Matched:
    """Keep the patients that both tables list, and count the others.

    Parameters
    ----------
    outcome
        Times and events.
    values
        (n_patients,) groups or values. Index: patients.

    Raises
    ------
    SurvivalDataError
        If a value is missing or the tables share no patient.
    """
    missing = int(values.isna().sum())
    if missing:
        raise SurvivalDataError(
            f"{missing} of {len(values)} patients have no value (NaN).",
            remedy="Leave them out first and say how many.",
        )
    known = outcome.time_days.index
    shared = [patient for patient in known if patient in values.index]
    if not shared:
        raise SurvivalDataError(
            f"None of {len(values)} patients with a value is among the {len(known)} patients with "
            "an outcome; the same names were expected in both.",
            remedy="Name patients the same way in both tables.",
        )
    n_excluded = len(known.union(values.index)) - len(shared)
    return Matched(outcome.select(shared), values.loc[shared], n_excluded)


def match_groups(outcome: SurvivalOutcome, groups: Groups) -> Matched:
    """Do as :func:`match` does, and check that each group still has enough patients.

    Raises
    ------
    SurvivalDataError
        As :func:`match`; or if a group has fewer than two patients with an outcome.
    """
    matched = match(outcome, groups.labels)
    for name in groups.names:
        size = int((matched.values == name).sum())
        if size < MIN_PATIENTS:
            raise SurvivalDataError(
                f"Group {name!r} has {size} patients with an outcome; at least {MIN_PATIENTS} are "
                "needed.",
                remedy="Choose another rule or variable, or a larger cohort.",
            )
    return matched


def check_events(matched: Matched) -> None:
    """Refuse a comparison of patients none of whom had an event.

    Raises
    ------
    SurvivalDataError
        If there is no event.
    """
    if matched.n_events == 0:
        raise SurvivalDataError(
            f"None of {len(matched.values)} patients had an event ({matched.outcome.endpoint}); "
            "at least one is needed.",
            remedy="Choose another endpoint or a cohort with longer follow-up.",
        )


def arrays(matched: Matched) -> tuple[np.ndarray, np.ndarray]:
    """Return times in days (float) and events (bool), each (n_patients,)."""
    outcome = matched.outcome
    return outcome.time_days.to_numpy(float), outcome.event.to_numpy(bool)
