"""What a forecast says of one sample, drug by drug: calls, agreement and the floor beside them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.drugs import load_drugs
from resvae_core.errors import ConfigError
from resvae_core.models.floors import DrugTissueMean
from resvae_core.models.model_set import BASELINE, NOT_ASSESSABLE, Forecast

TISSUE_FLOOR = DrugTissueMean.kind
"""The floor that a forecast is held against: what a guess from drug and tissue would say."""


@dataclass(frozen=True)
class Headline:
    """What one model says of one drug, and whether the others agree.

    Parameters
    ----------
    drug, model
        Names.
    call
        ``resistant``, ``sensitive``, ``uncertain`` or ``not assessable``.
    probability, lower, upper
        P(resistant) in [0, 1] and its 90 % interval.
    n_agree, n_models
        Learned models that make the same call, this one included; and all of them.
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
    n_agree: int
    n_models: int
    floor: float
    note: str

    @property
    def models_disagree(self) -> bool:
        """Whether at most half of the models make this call."""
        return self.call != NOT_ASSESSABLE and 2 * self.n_agree <= self.n_models


def rank_drugs(forecast: Forecast, sample: str, model: str) -> pd.DataFrame:
    """Rank all drugs of one sample by one model, most sensitive first.

    Parameters
    ----------
    forecast
        Of all models, so that agreement can be counted.
    sample
        Name of the sample.
    model
        The learned model that ranks.

    Returns
    -------
    DataFrame
        One row a drug: ``drug``, ``drug_class``, ``call``, ``probability``, ``lower``, ``upper``,
        ``n_agree`` (learned models with the same call), ``n_models``, ``floor`` (probability of
        the tissue floor), ``first_line`` (standard first treatment of the forecast's cancer type,
        often of a subgroup only), ``low_confidence``, ``note``. Sorted by probability.

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
    same = learned["call"] == learned["drug"].map(chosen["call"])
    floor = table[table["model"] == TISSUE_FLOOR].set_index("drug")["probability"]
    drugs = load_drugs()
    kind = find_cancer_type(forecast.cancer_type) if forecast.cancer_type else None
    first_line = kind.first_line_drugs if kind else ()
    ranking = chosen.assign(
        drug_class=[drugs[name].drug_class for name in chosen.index],
        n_agree=same.groupby(learned["drug"]).sum(),
        n_models=learned.groupby("drug")["model"].nunique(),
        floor=floor.reindex(chosen.index),
        first_line=[name in first_line for name in chosen.index],
        low_confidence=[drugs[name].low_confidence for name in chosen.index],
    )
    ranking = ranking.sort_values("probability", kind="stable").reset_index()
    return ranking[
        [
            *("drug", "drug_class", "call", "probability", "lower", "upper"),
            *("n_agree", "n_models", "floor", "first_line", "low_confidence", "note"),
        ]
    ]


def read_headline(forecast: Forecast, sample: str, model: str, drug: str) -> Headline:
    """Return what one model says of one drug for a sample.

    Raises
    ------
    ConfigError
        If the forecast has no such row.
    """
    ranking = rank_drugs(forecast, sample, model).set_index("drug")
    if drug not in ranking.index:
        raise ConfigError(
            f"The forecast has nothing of {drug!r}.", remedy="Predict with all drugs, or this one."
        )
    row = ranking.loc[drug]
    return Headline(
        drug=drug,
        model=model,
        call=str(row["call"]),
        probability=float(row["probability"]),
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        n_agree=int(row["n_agree"]),
        n_models=int(row["n_models"]),
        floor=float(row["floor"]),
        note=str(row["note"]),
    )
