"""Covariates of the clinical record, made ready for a Cox model."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from resvae_core.survival.cohort import MIN_SHOWN

MIN_RECORDED = 0.7
"""Share of a cohort for whom a covariate must be known: a model uses complete patients only, and
those left out are rarely left out at random."""
STAGES = ("I", "II", "III", "IV")
AGE, SEX, STAGE, PURITY = "age per 10 years", "sex", "stage", "purity per 0.1"
_STAGE = re.compile(r"^(?:stage\s+)?(iv|iii|ii|i)(?:[abcs]\d?)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Covariates:
    """What a survival model of a cohort can be adjusted for.

    Parameters
    ----------
    table
        (n_patients, n_covariates) age in tens of years, sex and stage as categories (the first
        one is the reference), tumour purity in tenths; NaN where a patient's is not known.
        Columns are named with their unit, such as "age per 10 years". Index: patients.
    not_recorded
        Name of each covariate that is missing in `table`, with the reason.
    """

    table: pd.DataFrame
    not_recorded: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Names without units, such as "age"."""
        return tuple(str(column).split(" per ")[0] for column in self.table.columns)

    @property
    def note(self) -> str:
        """Return what cannot be adjusted for and why as a sentence; "" if nothing is missing."""
        if not self.not_recorded:
            return ""
        missing = "; ".join(f"{name} ({reason})" for name, reason in self.not_recorded.items())
        return f"Not adjusted for: {missing}."

    def select(self, names: tuple[str, ...] | list[str]) -> pd.DataFrame:
        """Return the columns of the named covariates, such as "age", in the order of `table`."""
        kept = [name in names for name in self.names]
        chosen: pd.DataFrame = self.table.loc[:, kept]
        return chosen


def covariates_of(clinical: pd.DataFrame) -> Covariates:
    """Take age, sex, stage and tumour purity from a clinical record, as far as they are known.

    Parameters
    ----------
    clinical
        One row a patient; any of age (years), sex, stage_simple or stage (AJCC, such as "Stage
        IIIA"; substages are joined), purity_CPE (consensus estimate, 0 to 1; Aran et al. 2015).
        Index: patients.

    Returns
    -------
    Covariates
        With those that are known for at least 70 % of patients and differ between them.
    """
    found: dict[str, pd.Series] = {
        AGE: _numbers(clinical, "age") / 10,
        SEX: _categories(_texts(clinical, "sex"), ("female", "male")),
        STAGE: _categories(_stages(clinical), STAGES),
        PURITY: _numbers(clinical, "purity_CPE") * 10,
    }
    reasons = {column: _reason(values) for column, values in found.items()}
    kept = {column: values for column, values in found.items() if not reasons[column]}
    return Covariates(
        pd.DataFrame(kept, index=clinical.index),
        {column.split(" per ")[0]: reason for column, reason in reasons.items() if reason},
    )


def _reason(values: pd.Series) -> str:
    """Say why a covariate cannot be used; "" if it can."""
    known, n = values.dropna(), len(values)
    if known.empty:
        return "not recorded"
    if len(known) < MIN_RECORDED * n:
        return f"recorded for {len(known)} of {n} patients"
    if known.nunique() < 2:
        return f"the same for all: {known.iloc[0]}"
    if isinstance(known.dtype, pd.CategoricalDtype):
        sizes = known.value_counts()
        if sizes.iloc[1:].sum() < MIN_SHOWN:
            return f"{sizes.index[0]} for all but {int(sizes.iloc[1:].sum())}"
    return ""


def _numbers(clinical: pd.DataFrame, column: str) -> pd.Series[float]:
    if column not in clinical:
        return pd.Series(float("nan"), index=clinical.index)
    return pd.to_numeric(clinical[column], errors="coerce").astype(float)


def _texts(clinical: pd.DataFrame, column: str) -> pd.Series[str]:
    if column not in clinical:
        return pd.Series(None, index=clinical.index, dtype=object)
    texts = clinical[column].astype(object)
    return texts.where(texts.isna(), texts.astype(str).str.strip().str.lower())


def _stages(clinical: pd.DataFrame) -> pd.Series[str]:
    """Return I to IV; what is no stage of these (0, X, not otherwise specified) is not known."""
    column = "stage_simple" if "stage_simple" in clinical else "stage"
    texts = _texts(clinical, column)
    matches = texts.map(lambda text: _STAGE.match(text) if isinstance(text, str) else None)
    return matches.map(lambda found: found.group(1).upper() if found else None)


def _categories(texts: pd.Series[str], known: tuple[str, ...]) -> pd.Series[str]:
    """Make ordered categories of the known levels that occur; others are not known."""
    levels = [level for level in known if (texts == level).any()]
    return pd.Series(
        pd.Categorical(texts, categories=levels, ordered=True), index=texts.index, name=texts.name
    )
