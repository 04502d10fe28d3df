from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.errors import ConfigError
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import COLUMNS, Forecast
from resvae_core.models.ranking import (
    FIVE,
    Agreement,
    count_leans,
    rank_drugs,
    read_agreement,
    read_headline,
)

LIMITS = dict.fromkeys((*FIVE, "ensemble", "elastic_net"), 0.7)


def forecast(cancer_type: str | None = "LUAD") -> Forecast:
    """Return two drugs of two samples: on Cisplatin four of five lean resistant."""
    rows = [
        ("A", "Cisplatin", "vae_ll", 0.9, 0.85, 0.95, "resistant"),
        ("A", "Cisplatin", "vae_ls", 0.8, 0.75, 0.9, "resistant"),
        ("A", "Cisplatin", "vae_ld", 0.7, 0.6, 0.9, "uncertain"),
        ("A", "Cisplatin", "random_forest", 0.8, 0.7, 0.9, "resistant"),
        ("A", "Cisplatin", "xgboost", 0.5, 0.3, 0.75, "uncertain"),
        ("A", "Cisplatin", "elastic_net", 0.1, 0.05, 0.2, "sensitive"),
        ("A", "Cisplatin", "ensemble", 0.78, 0.7, 0.9, "resistant"),
        ("A", "Cisplatin", "drug_tissue_mean", 0.75, 0.6, 0.85, "baseline"),
        ("A", "Erlotinib", "vae_ll", 0.2, 0.1, 0.3, "sensitive"),
        ("A", "Erlotinib", "vae_ls", 0.9, 0.8, 0.95, "resistant"),
        ("A", "Erlotinib", "vae_ld", 0.3, 0.1, 0.4, "sensitive"),
        ("A", "Erlotinib", "random_forest", 0.3, 0.1, 0.4, "sensitive"),
        ("A", "Erlotinib", "xgboost", 0.3, 0.1, 0.4, "sensitive"),
        ("A", "Erlotinib", "elastic_net", 0.9, 0.8, 0.95, "resistant"),
        ("A", "Erlotinib", "ensemble", 0.4, 0.3, 0.5, "sensitive"),
        ("A", "Erlotinib", "drug_tissue_mean", 0.7, 0.6, 0.8, "baseline"),
        ("B", "Cisplatin", "vae_ll", 0.1, 0.0, 0.2, "not assessable"),
    ]
    full = [(*row[:6], "both", row[6], "in range", "") for row in rows]
    table = pd.DataFrame(full, columns=COLUMNS)
    return Forecast(table, pd.DataFrame(), "set", "tumours", cancer_type)


def rows_of(drug: str, sample: str = "A") -> pd.DataFrame:
    table = forecast().table
    return table[(table["drug"] == drug) & (table["sample"] == sample)]


def test_the_five_are_those_that_the_ensemble_averages() -> None:
    assert Ensemble.needs == FIVE
    assert len(FIVE) == 5


def test_most_sensitive_drug_comes_first_with_leans_floor_and_set() -> None:
    ranking = rank_drugs(forecast(), "A", "ensemble", LIMITS)
    assert ranking["drug"].tolist() == ["Erlotinib", "Cisplatin"]
    assert ranking["n_resistant"].tolist() == [1, 4]
    assert ranking["n_sensitive"].tolist() == [4, 1]
    assert ranking["n_models"].tolist() == [5, 5]
    assert ranking["opposed"].tolist() == [True, False]
    assert ranking["floor"].tolist() == [0.7, 0.75]
    assert ranking["conformal"].tolist() == ["both", "both"]


def test_ensemble_and_elastic_net_have_no_vote() -> None:
    table = forecast().table
    without = table[~table["model"].isin(["ensemble", "elastic_net"])]
    of_a, of_a_without = (t[t["sample"] == "A"] for t in (table, without))
    pd.testing.assert_frame_equal(count_leans(of_a, LIMITS), count_leans(of_a_without, LIMITS))


def test_a_model_leans_by_its_own_limit_and_at_the_limit_resistant() -> None:
    assert read_agreement(rows_of("Cisplatin"), LIMITS).n_resistant == 4  # vae_ld is at 0.7
    assert read_agreement(rows_of("Cisplatin"), {**LIMITS, "vae_ld": 0.71}).n_resistant == 3
    assert read_agreement(rows_of("Cisplatin"), {**LIMITS, "xgboost": 0.4}).n_resistant == 5


@pytest.mark.parametrize(
    ("counts", "words", "disagree"),
    [
        ((4, 1, 5, False), "4 of 5 models lean resistant, 1 leans sensitive", False),
        ((5, 0, 5, False), "5 of 5 models lean resistant", False),
        ((2, 3, 5, False), "3 of 5 models lean sensitive, 2 lean resistant", True),
        ((1, 4, 5, True), "4 of 5 models lean sensitive, 1 leans resistant", True),
        ((4, 0, 5, False), "4 of 5 models lean resistant, 1 of 5 cannot tell", False),
        ((0, 0, 5, False), "none of 5 models can tell", False),
        ((0, 0, 0, False), "none of the five models was asked", False),
    ],
)
def test_agreement_in_words_and_the_flag(counts, words: str, disagree: bool) -> None:
    agreement = Agreement(*counts)
    assert agreement.words == words
    assert agreement.models_disagree == disagree


def test_agreement_of_several_drugs_at_once_is_refused() -> None:
    with pytest.raises(ConfigError, match="the rows are of 2"):
        read_agreement(forecast().table, LIMITS)


def test_first_line_is_of_the_cancer_type_and_empty_without_one() -> None:
    assert rank_drugs(forecast("LUAD"), "A", "xgboost", LIMITS)["first_line"].all()
    assert not rank_drugs(forecast(None), "A", "xgboost", LIMITS)["first_line"].any()


def test_headline_carries_interval_agreement_and_floor() -> None:
    headline = read_headline(forecast(), "A", "vae_ll", "Cisplatin", LIMITS)
    assert (headline.call, headline.probability, headline.floor) == ("resistant", 0.9, 0.75)
    assert headline.agreement == Agreement(4, 1, 5, False)
    assert headline.conformal == "both"
    assert not headline.models_disagree
    assert read_headline(forecast(), "A", "vae_ll", "Erlotinib", LIMITS).models_disagree


def test_refusal_is_no_disagreement() -> None:
    headline = read_headline(forecast(), "B", "vae_ll", "Cisplatin", LIMITS)
    assert headline.call == "not assessable"
    assert headline.agreement.words == "none of 1 models can tell"
    assert not headline.models_disagree


def test_ranking_by_a_floor_or_an_unknown_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing of model 'drug_tissue_mean'"):
        rank_drugs(forecast(), "A", "drug_tissue_mean", LIMITS)


def test_headline_of_a_drug_that_was_not_predicted_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing of 'Docetaxel'"):
        read_headline(forecast(), "A", "xgboost", "Docetaxel", LIMITS)
