"""What a forecast says of one sample, drug by drug: calls, agreement and the floor beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.drugs import load_drugs
from resvae_core.errors import ConfigError
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.floors import DrugTissueMean
from resvae_core.models.model_set import (
    BASELINE,
    NOT_ASSESSABLE,
    RESISTANT,
    SENSITIVE,
    Forecast,
)

TISSUE_FLOOR = DrugTissueMean.kind
"""The floor that a forecast is held against: what a guess from drug and tissue would say."""

FIVE = Ensemble.needs
"""The models whose agreement is counted: not the ensemble, which is their mean, nor others."""
CLEAR_MAJORITY = 0.8
"""Share of the models that must lean one way, or they disagree: four of five."""


@dataclass(frozen=True)
class Agreement:
    """Which way the five models lean on one drug of one sample.

    A model leans resistant where its probability is at or above its own threshold, the one that
    its calls are made at, and sensitive below; it does not lean where it makes no call at all. A
    lean is weaker than a call, whose whole interval lies on one side.

    Parameters
    ----------
    n_resistant, n_sensitive
        Models that lean that way.
    n_models
        Models that were asked, of the five.
    opposed
        Whether one of them calls the sample resistant and another one sensitive.
    """

    n_resistant: int
    n_sensitive: int
    n_models: int
    opposed: bool

    @property
    def n_agree(self) -> int:
        """Models that lean as most do."""
        return max(self.n_resistant, self.n_sensitive)

    @property
    def models_disagree(self) -> bool:
        """Whether calls are opposed, or fewer than four fifths of those that lean agree."""
        n_lean = self.n_resistant + self.n_sensitive
        return self.opposed or self.n_agree < CLEAR_MAJORITY * n_lean

    @property
    def words(self) -> str:
        """Return for example ``4 of 5 models lean resistant, 1 leans sensitive``."""
        if not self.n_models:
            return "none of the five models was asked"
        counts = ((self.n_resistant, RESISTANT), (self.n_sensitive, SENSITIVE))
        leans = [(n, word) for n, word in sorted(counts, reverse=True, key=lambda pair: pair[0])]
        parts = [f"{n} {'leans' if n == 1 else 'lean'} {word}" for n, word in leans[1:] if n]
        n_silent = self.n_models - self.n_resistant - self.n_sensitive
        parts += [f"{n_silent} of {self.n_models} cannot tell"] if n_silent else []
        n, word = leans[0]
        first = f"{n} of {self.n_models} models {'leans' if n == 1 else 'lean'} {word}"
        return ", ".join([first, *parts] if n else [f"none of {self.n_models} models can tell"])


@dataclass(frozen=True)
class Headline:
    """What one model says of one drug, and whether the five agree.

    Parameters
    ----------
    drug, model
        Names.
    call
        ``resistant``, ``sensitive``, ``uncertain`` or ``not assessable``.
    probability, lower, upper
        P(resistant) in [0, 1] and its 90 % interval.
    conformal
        Classes that are not excluded at 90 %, in the words of `conformal.WORDS`.
    agreement
        Of the five models.
    floor
        P(resistant) that the tissue floor gives; NaN where the forecast has none.
    note
        What to add, "" for nothing.
    """

    drug: str
    model: str
    call: str
    probability: float
    lower: float
    upper: float
    conformal: str
    agreement: Agreement
    floor: float
    note: str

    @property
    def models_disagree(self) -> bool:
        """Whether the five models disagree, where there is a call at all."""
        return self.call != NOT_ASSESSABLE and self.agreement.models_disagree


def count_leans(table: pd.DataFrame, thresholds: Mapping[str, float]) -> pd.DataFrame:
    """Count drug by drug which way the five models lean.

    Parameters
    ----------
    table
        Forecast rows of one sample.
    thresholds
        Model to the probability at which its calls part (`ModelSet.threshold`).

    Returns
    -------
    DataFrame
        Index: drugs, in the order of the table. Columns ``n_resistant``, ``n_sensitive``,
        ``n_models``, ``opposed`` as in `Agreement`. Where none of the five is in the table
        all counts are 0.
    """
    five = table[table["model"].isin(FIVE)]
    drug = five["drug"]
    threshold = five["model"].map(thresholds)
    leans = five["call"].ne(NOT_ASSESSABLE)
    counts = pd.DataFrame(
        {
            "n_resistant": (leans & (five["probability"] >= threshold)).groupby(drug).sum(),
            "n_sensitive": (leans & (five["probability"] < threshold)).groupby(drug).sum(),
            "n_models": five.groupby(drug)["model"].nunique(),
            "opposed": five["call"].eq(RESISTANT).groupby(drug).any()
            & five["call"].eq(SENSITIVE).groupby(drug).any(),
        }
    )
    drugs = pd.Index(table["drug"].unique(), name="drug")
    counts = counts.reindex(drugs, fill_value=0)
    return counts.astype({"opposed": bool})


def read_agreement(table: pd.DataFrame, thresholds: Mapping[str, float]) -> Agreement:
    """Return which way the five models lean, from forecast rows of one sample and drug.

    Raises
    ------
    ConfigError
        If the rows are of several drugs, or of none.
    """
    counts = count_leans(table, thresholds)
    if len(counts) != 1:
        raise ConfigError(
            f"Agreement is counted for one drug; the rows are of {len(counts)}.",
            remedy="Choose one drug.",
        )
    return _agreement(counts.iloc[0])


def _agreement(row: pd.Series[int]) -> Agreement:
    return Agreement(
        int(row["n_resistant"]), int(row["n_sensitive"]), int(row["n_models"]), bool(row["opposed"])
    )


def rank_drugs(
    forecast: Forecast, sample: str, model: str, thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """Rank all drugs of one sample by one model, most sensitive first.

    Parameters
    ----------
    forecast
        Of all models, so that agreement can be counted.
    sample
        Name of the sample.
    model
        The learned model that ranks.
    thresholds
        Model to the probability at which its calls part (`ModelSet.threshold`).

    Returns
    -------
    DataFrame
        One row a drug: ``drug``, ``drug_class``, ``call``, ``probability``, ``lower``, ``upper``,
        ``conformal``; ``n_resistant``, ``n_sensitive``, ``n_models``, ``opposed`` (the five
        models, see `Agreement`); ``floor`` (probability of the tissue floor), ``first_line``
        (standard first treatment of the forecast's cancer type, often of a subgroup only),
        ``low_confidence``, ``note``. Sorted by probability.

    Raises
    ------
    ConfigError
        If the forecast has no rows of that sample and learned model.
    """
    table = forecast.table[forecast.table["sample"] == sample]
    learned = table[table["call"] != BASELINE]
    chosen = learned[learned["model"] == model].set_index("drug")
    if chosen.empty:
        raise ConfigError(
            f"The forecast has nothing of model {model!r} for this sample.",
            remedy="Choose a sample and a model that reads expression.",
        )
    floor = table[table["model"] == TISSUE_FLOOR].set_index("drug")["probability"]
    drugs = load_drugs()
    kind = find_cancer_type(forecast.cancer_type) if forecast.cancer_type else None
    first_line = kind.first_line_drugs if kind else ()
    ranking = chosen.join(count_leans(table, thresholds)).assign(
        drug_class=[drugs[name].drug_class for name in chosen.index],
        floor=floor.reindex(chosen.index),
        first_line=[name in first_line for name in chosen.index],
        low_confidence=[drugs[name].low_confidence for name in chosen.index],
    )
    ranking = ranking.sort_values("probability", kind="stable").reset_index()
    return ranking[
        [
            *("drug", "drug_class", "call", "probability", "lower", "upper", "conformal"),
            *("n_resistant", "n_sensitive", "n_models", "opposed"),
            *("floor", "first_line", "low_confidence", "note"),
        ]
    ]


def read_headline(
    forecast: Forecast, sample: str, model: str, drug: str, thresholds: Mapping[str, float]
) -> Headline:
    """Return what one model says of one drug for a sample; parameters as in `rank_drugs`.

    Raises
    ------
    ConfigError
        If the forecast has no such row.
    """
    ranking = rank_drugs(forecast, sample, model, thresholds).set_index("drug")
    if drug not in ranking.index:
        raise ConfigError(
            f"The forecast has nothing of {drug!r}.",
            remedy="Choose a drug of the model set, and predict with all drugs or this one.",
        )
    row = pd.Series(ranking.loc[drug])
    return Headline(
        drug=drug,
        model=model,
        call=str(row["call"]),
        probability=float(row["probability"]),
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        conformal=str(row["conformal"]),
        agreement=_agreement(row),
        floor=float(row["floor"]),
        note=str(row["note"]),
    )
