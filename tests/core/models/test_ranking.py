from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.errors import ConfigError
from resvae_core.models.model_set import COLUMNS, Forecast
from resvae_core.models.ranking import rank_drugs, read_headline


def forecast(cancer_type: str | None = "LUAD") -> Forecast:
    """Return two drugs of two samples: on Cisplatin two of three learned models agree."""
    rows = [
        ("A", "Cisplatin", "elastic_net", 0.9, 0.85, 0.95, "resistant"),
        ("A", "Cisplatin", "xgboost", 0.8, 0.7, 0.9, "resistant"),
        ("A", "Cisplatin", "resvae", 0.5, 0.3, 0.7, "uncertain"),
        ("A", "Cisplatin", "drug_tissue_mean", 0.75, 0.6, 0.85, "baseline"),
        ("A", "Erlotinib", "elastic_net", 0.2, 0.1, 0.3, "sensitive"),
        ("A", "Erlotinib", "xgboost", 0.6, 0.4, 0.8, "uncertain"),
        ("A", "Erlotinib", "resvae", 0.9, 0.8, 0.95, "resistant"),
        ("A", "Erlotinib", "drug_tissue_mean", 0.7, 0.6, 0.8, "baseline"),
        ("B", "Cisplatin", "elastic_net", 0.1, 0.0, 0.2, "not assessable"),
    ]
    table = pd.DataFrame([(*row, "in range", "") for row in rows], columns=COLUMNS)
    return Forecast(table, pd.DataFrame(), "set", "tumours", cancer_type)


def test_most_sensitive_drug_comes_first_with_agreement_and_floor() -> None:
    ranking = rank_drugs(forecast(), "A", "elastic_net")
    assert ranking["drug"].tolist() == ["Erlotinib", "Cisplatin"]
    assert ranking["n_agree"].tolist() == [1, 2]
    assert ranking["n_models"].tolist() == [3, 3]
    assert ranking["floor"].tolist() == [0.7, 0.75]


def test_agreement_is_with_the_chosen_model() -> None:
    ranking = rank_drugs(forecast(), "A", "resvae").set_index("drug")
    assert ranking.loc["Cisplatin", "n_agree"] == 1


def test_first_line_is_of_the_cancer_type_and_empty_without_one() -> None:
    assert rank_drugs(forecast("LUAD"), "A", "xgboost")["first_line"].all()
    assert not rank_drugs(forecast(None), "A", "xgboost")["first_line"].any()


def test_headline_carries_interval_agreement_and_floor() -> None:
    headline = read_headline(forecast(), "A", "elastic_net", "Cisplatin")
    assert (headline.call, headline.probability, headline.floor) == ("resistant", 0.9, 0.75)
    assert (headline.n_agree, headline.n_models) == (2, 3)
    assert not headline.models_disagree
    assert read_headline(forecast(), "A", "elastic_net", "Erlotinib").models_disagree


def test_refusal_is_no_disagreement() -> None:
    headline = read_headline(forecast(), "B", "elastic_net", "Cisplatin")
    assert headline.call == "not assessable"
    assert not headline.models_disagree


def test_ranking_by_a_floor_or_an_unknown_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing of model 'drug_tissue_mean'"):
        rank_drugs(forecast(), "A", "drug_tissue_mean")


def test_headline_of_a_drug_that_was_not_predicted_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing of 'Docetaxel'"):
        read_headline(forecast(), "A", "xgboost", "Docetaxel")
