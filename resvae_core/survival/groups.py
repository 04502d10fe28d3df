"""Groups of patients, formed from what was known before the outcome.

No function here takes a time or an event: a cut cannot be chosen for its p-value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError

Rule: TypeAlias = Literal["median", "tertile", "quartile"] | tuple[Literal["fixed"], float]

MIN_PATIENTS = 2
FIXED_CUT = (
    "The cut was entered as a value; its p-value holds only if it was chosen before the outcome "
    "was seen."
)
"""What readers have to know of a cut that somebody entered."""
FIXED_AS_SEARCHED = (
    "The cut was entered as a value, but parts the patients as a search for the best-separating "
    "cut does, so its p-value is corrected as that of the search."
)
"""The same, of a cut that is the one a search finds."""

_NAMES: dict[str, tuple[str, ...]] = {
    "median": ("low", "high"),
    "tertile": ("low", "middle", "high"),
    "quartile": ("low", "lower middle", "upper middle", "high"),
    "fixed": ("low", "high"),
}


@dataclass(frozen=True)
class Groups:
    """Patients divided into groups, with what the division was based on.

    Parameters
    ----------
    labels
        (n_patients,) group name of each patient. Index: patients, unique.
    names
        Names of the groups, lowest expression first (or in the order of the categories).
    rule
        How the groups were formed, in words.
    cuts
        (n_groups - 1,) cut values in the unit of the values, rising; empty for categories.
        A value equal to a cut lies in the group below it.
    """

    labels: pd.Series[str]
    names: tuple[str, ...]
    rule: str
    cuts: tuple[float, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Number of patients of each group, in the order of ``names``."""
        return {name: int((self.labels == name).sum()) for name in self.names}

    @property
    def description(self) -> str:
        """Return rule, cut values, tie rule and sizes as one sentence."""
        sizes = ", ".join(f"{name} {size}" for name, size in self.sizes.items())
        if not self.cuts:
            return f"Groups by {self.rule}: {sizes}."
        *others, last = (format_cut(cut) for cut in self.cuts)
        if not others:
            tie = "a value equal to the cut counts as lower"
            return f"Cut at the {self.rule} ({last}; {tie}): {sizes}."
        tie = "a value equal to a cut counts as lower"
        return f"Cut at the {self.rule}s ({', '.join(others)} and {last}; {tie}): {sizes}."


def format_cut(cut: float) -> str:
    """Write a cut with three significant digits and a real minus sign, such as "−0.637"."""
    return f"{cut:.3g}".replace("-", "−")


def group_by_expression(values: pd.Series[float], rule: Rule = "median") -> Groups:
    """Divide patients by a continuous value such as the expression of a gene.

    Parameters
    ----------
    values
        (n_patients,) one finite value a patient, for expression in log2(TPM + 1). Index: patients.
    rule
        ``median``, ``tertile``, ``quartile`` (cut at those quantiles of `values`), or
        ``("fixed", cut)`` with a cut decided beforehand, in the unit of `values`.

    Returns
    -------
    Groups
        Values above a cut belong to the upper group, values equal to it to the lower one.

    Raises
    ------
    SurvivalDataError
        If a value is missing, a patient occurs twice, the rule is unknown, or a group would have
        fewer than two patients (as when most values are tied).
    """
    _check_values(values)
    name = rule if isinstance(rule, str) else rule[0]
    if name not in _NAMES:
        raise SurvivalDataError(
            f"Rule {name!r} is unknown; known are {', '.join(_NAMES)}.",
            remedy="Choose one of them.",
        )
    names = _NAMES[name]
    levels = np.arange(1, len(names)) / len(names)
    numbers = values.to_numpy(float)
    cuts = np.quantile(numbers, levels) if isinstance(rule, str) else np.array([float(rule[1])])
    position = np.searchsorted(cuts, numbers, side="left")
    labels = pd.Series(np.array(names)[position], index=values.index, dtype=object)
    groups = Groups(labels, names, "fixed value" if name == "fixed" else name, tuple(cuts.tolist()))
    _check_sizes(groups)
    return groups


def group_by_category(labels: pd.Series[str]) -> Groups:
    """Take a category that patients have already, such as the stage, as the groups.

    Parameters
    ----------
    labels
        (n_patients,) category of each patient; the groups stand in sorted order. Index: patients.

    Raises
    ------
    SurvivalDataError
        If a label is missing, a patient occurs twice, or a group has fewer than two patients.
    """
    _check_patients(labels)
    named = labels.astype(str).astype(object)
    groups = Groups(named, tuple(sorted(named.unique())), str(labels.name or "category"))
    _check_sizes(groups)
    return groups


def _check_values(values: pd.Series[float]) -> None:
    _check_patients(values)
    if not np.isfinite(values.to_numpy(float)).all():
        raise SurvivalDataError(
            "A value to group by is infinite; finite values were expected.",
            remedy="Use log2(TPM + 1).",
        )


def _check_patients(values: pd.Series[float] | pd.Series[str]) -> None:
    missing = int(values.isna().sum())
    if missing:
        raise SurvivalDataError(
            f"{missing} of {len(values)} patients have no value to group by (NaN).",
            remedy="Leave them out first and say how many.",
        )
    if values.index.has_duplicates:
        raise SurvivalDataError(
            "A patient occurs more than once; each may count once.",
            remedy="Keep one row a patient.",
        )


def _check_sizes(groups: Groups) -> None:
    if len(groups.names) < 2:
        raise SurvivalDataError(
            f"All {len(groups.labels)} patients are in one group; at least two groups are needed.",
            remedy="Choose another variable.",
        )
    for name, size in groups.sizes.items():
        if size < MIN_PATIENTS:
            raise SurvivalDataError(
                f"Group {name!r} would have {size} of {len(groups.labels)} patients; at least "
                f"{MIN_PATIENTS} are needed.",
                remedy="Choose another rule or variable; most values may be tied at one number.",
            )
