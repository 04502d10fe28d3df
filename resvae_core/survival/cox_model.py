"""Cox regression on a variable of interest, adjusted for covariates."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN, Matched, arrays, check_events, match
from resvae_core.survival.cox import check_spread, fit_cox, n_informative, why_hidden
from resvae_core.survival.groups import MIN_PATIENTS, Groups
from resvae_core.survival.log_rank import format_p
from resvae_core.tables import SurvivalOutcome

EVENTS_PER_COEFFICIENT = 10
"""Fewer events a coefficient make ratios and intervals unreliable (Peduzzi et al. 1995)."""
JOINED = " + "
PER_SD = "per SD"
DOUBTFUL = 0.05
"""Level of the check of proportional hazards below which a note is added."""
COLUMNS = [
    "term",
    "label",
    "contrast",
    "n",
    "n_events",
    "hazard_ratio",
    "lower",
    "upper",
    "p_value",
    "proportional_hazards_p",
    "reference",
]


@dataclass(frozen=True)
class CoxModel:
    """A Cox model with several variables.

    Parameters
    ----------
    table
        One row a coefficient, those of the variable of interest first, and after the coefficients
        of a category one row of its reference level: `COLUMNS`. term names the coefficient, label
        says it for an axis, contrast is "per SD", "per 10 years" or "II vs I" ("reference" for the
        reference level); n and n_events are those of the level, for a number those of the model;
        hazard_ratio with its 95 % interval (Wald) and two-sided p; proportional_hazards_p as in
        `HazardRatio`. In reference rows the ratio is 1 and the rest NaN; both p are NaN also in
        the rows of the variable of interest where `p_hidden`.
    concordance
        Harrell's C of the whole model, on the patients it was fitted on.
    n, n_events
        Patients in the model, and events among them.
    n_excluded
        Patients left out, the sum of `left_out`.
    left_out
        Reason to the number of patients left out for it; each counts once, for the first reason.
    adjusted_for
        Names of the covariates in the model.
    notes
        What to say beside it: levels joined, covariates dropped, few events, doubtful hazards.
    name
        Name of the variable of interest.
    smallest_group
        Size of the smallest of its groups, or of a continuous variable the patients who carry the
        signal (`n_informative`).
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.
    test_name
        What was computed.
    """

    table: pd.DataFrame
    concordance: float
    n: int
    n_events: int
    n_excluded: int
    left_out: dict[str, int]
    adjusted_for: tuple[str, ...]
    notes: tuple[str, ...]
    name: str
    smallest_group: int
    endpoint: str = "OS"
    test_name: str = "Cox proportional hazards, Efron ties"

    @property
    def p_hidden(self) -> bool:
        """Whether a group, or the signal, rests on fewer than 10 patients: p is not to be shown."""
        return self.smallest_group < MIN_SHOWN

    @property
    def of_interest(self) -> pd.Series:
        """Row of the variable of interest: per SD, or the last group against the first."""
        if self.table["contrast"].iloc[0] == PER_SD:
            return self.table.iloc[0]
        return self.table.iloc[int(self.table["reference"].to_numpy().argmax()) - 1]

    @property
    def label(self) -> str:
        """Return the adjusted ratio, interval and, where it may be shown, p-value for readers."""
        row = self.of_interest
        others = ", ".join(self.adjusted_for) or "nothing"
        ratio = f"HR {row['hazard_ratio']:.2f} ({row['lower']:.2f}–{row['upper']:.2f})"
        text = f"{ratio} {row['contrast']}, adjusted for {others}"
        return text if self.p_hidden else f"{text}, {format_p(float(row['p_value']))}"


@dataclass(frozen=True)
class _Term:
    """A coefficient, or a reference level, of a variable."""

    variable: str
    contrast: str
    column: np.ndarray
    """(n_patients,) its column of the design."""
    members: np.ndarray
    """(n_patients,) who belongs to the level; everybody for a number."""
    level: str = ""
    reference: bool = False

    @property
    def name(self) -> str:
        return f"{self.variable}: {self.level}" if self.level else self.variable

    @property
    def label(self) -> str:
        return f"{self.variable} {self.level}".strip()


def cox_adjusted(
    outcome: SurvivalOutcome,
    values_or_groups: pd.Series[float] | Groups,
    covariates: pd.DataFrame,
    *,
    name: str,
) -> CoxModel:
    """Relate survival to a variable, with other variables in the same model.

    Parameters
    ----------
    outcome
        Times in days and events.
    values_or_groups
        (n_patients,) one finite value a patient, taken per SD; or groups, each compared with the
        first.
    covariates
        (n_patients, n_covariates) as `covariates_of` gives them: numbers, or ordered categories
        whose first level is the reference. A column named "age per 10 years" is shown as "age",
        "per 10 years". Patients with a NaN are left out and counted. May have no column.
    name
        What the variable of interest is called, such as "TFF1".

    Returns
    -------
    CoxModel
        As R's ``coxph(Surv(time, event) ~ value + covariates)``. Levels of a covariate with fewer
        than 10 patients or no event are joined with the next one; a covariate that does not differ
        among the patients left is dropped. Both are said in the notes.

    Raises
    ------
    SurvivalDataError
        If a value is missing, nobody is left, a group has no event, or the fit does not converge.
    """
    groups, labels = _divide(values_or_groups)
    matched, complete, left_out = _complete(outcome, labels, covariates, name)
    check_events(matched)
    own = [_per_sd(matched, name)] if groups is None else _group_terms(matched, groups, name)
    others, notes = _covariate_terms(matched, complete)
    terms = [*own, *others]
    design = {term.name: term.column for term in terms if not term.reference}
    fit = fit_cox(matched, pd.DataFrame(design))
    smallest = _smallest(own)
    table = _tabulate(matched, terms, fit.coefficients)
    if smallest < MIN_SHOWN:  # before the cautions, which tell of p-values
        table.loc[: len(own) - 1, ["p_value", "proportional_hazards_p"]] = np.nan
    notes += _cautions(matched, table)
    if smallest < MIN_SHOWN:
        notes.append(f"p of {name} not shown: {why_hidden(continuous=groups is None)}.")
    return CoxModel(
        table=table,
        concordance=fit.concordance,
        n=len(matched.values),
        n_events=matched.n_events,
        n_excluded=matched.n_excluded,
        left_out=left_out,
        adjusted_for=tuple(dict.fromkeys(term.variable for term in others)),
        notes=tuple(notes),
        name=name,
        smallest_group=smallest,
        endpoint=outcome.endpoint,
    )


def _divide(values_or_groups: pd.Series[float] | Groups) -> tuple[Groups | None, pd.Series]:
    """Return the groups, if these are groups, and what each patient has."""
    if isinstance(values_or_groups, Groups):
        return values_or_groups, values_or_groups.labels
    return None, values_or_groups


def _complete(
    outcome: SurvivalOutcome, labels: pd.Series, covariates: pd.DataFrame, name: str
) -> tuple[Matched, pd.DataFrame, dict[str, int]]:
    """Keep patients of whom everything is known; count the others by the first thing missing."""
    _check_names(labels, covariates, name)
    shared = match(outcome, labels).values.index
    counts = {
        "no outcome": int((~labels.index.isin(shared)).sum()),
        f"no value of {name}": int((~outcome.time_days.index.isin(shared)).sum()),
    }
    complete = covariates.reindex(shared)
    for column in covariates.columns:
        known = complete[column].notna()
        counts[f"{_split(column)[0]} not known"] = int((~known).sum())
        complete = complete[known]
    if len(complete) == 0:  # not `empty`: a table without columns is empty too
        raise SurvivalDataError(
            f"Of none of {len(shared)} patients are all covariates known.",
            remedy="Adjust for fewer covariates.",
        )
    left_out = {reason: count for reason, count in counts.items() if count}
    kept = labels.loc[complete.index]
    matched = Matched(outcome.select(list(complete.index)), kept, sum(left_out.values()))
    return matched, complete, left_out


def _check_names(labels: pd.Series, covariates: pd.DataFrame, name: str) -> None:
    if labels.index.has_duplicates or covariates.index.has_duplicates:
        raise SurvivalDataError(
            "A patient occurs more than once; each may count once.",
            remedy="Keep one row a patient.",
        )
    if name in {_split(column)[0] for column in covariates.columns}:
        raise SurvivalDataError(
            f"The variable of interest, {name}, is among the covariates too.",
            remedy="Leave it out of the covariates.",
        )


def _split(column: Hashable) -> tuple[str, str]:
    """Divide "age per 10 years" into "age" and "per 10 years"; "per unit" where nothing is said."""
    variable, _, unit = str(column).partition(" per ")
    return variable, f"per {unit or 'unit'}"


def _per_sd(matched: Matched, name: str) -> _Term:
    numbers = matched.values.to_numpy(float)
    check_spread(numbers)
    scaled = (numbers - numbers.mean()) / numbers.std(ddof=1)
    return _Term(name, PER_SD, scaled, np.ones(len(numbers), dtype=bool))


def _smallest(own: list[_Term]) -> int:
    """Return the smallest level of the variable of interest, or who carries the signal."""
    if own[0].level:
        return int(min(term.members.sum() for term in own))
    return n_informative(own[0].column)


def _group_terms(matched: Matched, groups: Groups, name: str) -> list[_Term]:
    """Compare each group with the first; refuse a group that is gone or has no event."""
    labels = matched.values.to_numpy()
    _, events = arrays(matched)
    for group in groups.names:
        members = labels == group
        if members.sum() < MIN_PATIENTS or not events[members].any():
            raise SurvivalDataError(
                f"Group {group!r} has {int(members.sum())} patients of whom everything is known, "
                f"with {int(events[members].sum())} events; at least {MIN_PATIENTS} and one event "
                "are needed.",
                remedy="Choose another rule, endpoint or fewer covariates.",
            )
    return _level_terms(name, labels, groups.names)


def _level_terms(variable: str, labels: np.ndarray, levels: tuple[str, ...]) -> list[_Term]:
    """Return a term for each level but the first, and the first as the reference behind them."""
    first, *others = levels
    members = {level: labels == level for level in levels}
    terms = [
        _Term(variable, f"{level} vs {first}", members[level].astype(float), members[level], level)
        for level in others
    ]
    none = np.zeros(len(labels))
    return [*terms, _Term(variable, "reference", none, members[first], first, reference=True)]


def _covariate_terms(matched: Matched, covariates: pd.DataFrame) -> tuple[list[_Term], list[str]]:
    """Return the terms of all covariates, and notes on what was joined or dropped."""
    _, events = arrays(matched)
    terms: list[_Term] = []
    notes: list[str] = []
    for column in covariates.columns:
        values = covariates[column]
        variable, unit = _split(column)
        if isinstance(values.dtype, pd.CategoricalDtype) or not is_numeric_dtype(values):
            labels, levels = _join_levels(values, events)
            joined = [level for level in levels if JOINED in level]
            if joined:
                notes.append(
                    f"{variable}: {', '.join(joined)} joined, for a level needs {MIN_SHOWN} "
                    "patients and an event."
                )
            added = _level_terms(variable, labels, levels) if len(levels) > 1 else []
        else:
            numbers = values.to_numpy(float)
            everybody = np.ones(len(numbers), dtype=bool)
            added = [_Term(variable, unit, numbers, everybody)] if np.ptp(numbers) > 0 else []
        if not added:
            notes.append(f"{variable} left out: too few of these patients differ in it.")
        terms += added
    return terms, notes


def _join_levels(values: pd.Series, events: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Join neighbouring levels until each has ten patients and an event."""
    categories = values.astype("category").cat.remove_unused_categories()
    codes = categories.cat.codes.to_numpy().astype(int)
    parts = [[position] for position in range(len(categories.cat.categories))]
    while len(parts) > 1:
        members = [np.isin(codes, part) for part in parts]
        sizes = [int(member.sum()) for member in members]
        small = [
            place
            for place, member in enumerate(members)
            if sizes[place] < MIN_SHOWN or not events[member].any()
        ]
        if not small:
            break
        place = small[0]
        neighbours = [other for other in (place - 1, place + 1) if 0 <= other < len(parts)]
        other = min(neighbours, key=lambda neighbour: sizes[neighbour])
        first, second = sorted((place, other))
        parts[first : second + 1] = [parts[first] + parts[second]]
    names = [str(name) for name in categories.cat.categories]
    levels = tuple(JOINED.join(names[position] for position in part) for part in parts)
    level_of = {
        position: level for part, level in zip(parts, levels, strict=True) for position in part
    }
    return np.array([level_of[code] for code in codes], dtype=object), levels


def _tabulate(matched: Matched, terms: list[_Term], coefficients: pd.DataFrame) -> pd.DataFrame:
    """Return one row a term, reference levels with a ratio of 1."""
    _, events = arrays(matched)
    unknown = dict.fromkeys(coefficients.columns, np.nan) | {"hazard_ratio": 1.0}
    rows = [
        {
            "term": term.name,
            "label": term.label,
            "contrast": term.contrast,
            "n": int(term.members.sum()),
            "n_events": int(events[term.members].sum()),
            **(unknown if term.reference else coefficients.loc[term.name].to_dict()),
            "reference": term.reference,
        }
        for term in terms
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _cautions(matched: Matched, table: pd.DataFrame) -> list[str]:
    """Say where events are too few for the coefficients, or hazards not proportional."""
    notes = []
    n_coefficients = int((~table["reference"]).sum())
    if matched.n_events < EVENTS_PER_COEFFICIENT * n_coefficients:
        notes.append(
            f"{matched.n_events} events for {n_coefficients} coefficients: fewer than "
            f"{EVENTS_PER_COEFFICIENT} each, so ratios and intervals are unreliable."
        )
    doubtful = table[table["proportional_hazards_p"] < DOUBTFUL]
    if len(doubtful):
        found = zip(doubtful["label"], doubtful["proportional_hazards_p"], strict=True)
        terms = ", ".join(f"{label} ({format_p(float(p_value))})" for label, p_value in found)
        notes.append(f"Hazards are not proportional, so a ratio is an average over time: {terms}.")
    return notes
