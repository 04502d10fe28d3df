from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from resvae_core.config import PROJECT_ROOT
from resvae_core.data.drugs import load_drugs
from resvae_core.data.inventory import load_manifest
from resvae_core.data.screens import EXPRESSION_FILE, relabel
from resvae_core.models.base import Samples
from resvae_core.models.floors import DrugMean
from resvae_core.registry.card import (
    OTHER_SETTINGS_LIMIT,
    SETTINGS_LIMIT,
    SYNTHETIC_LIMIT,
    write_card,
)
from resvae_core.registry.store import list_cards
from resvae_core.registry.training_request import TrainingRequest
from tests.core.registry.tiny_training import tiny_training_set

REQUEST = TrainingRequest("new", budget_hours=1.0, device="cpu")


def limits(request: TrainingRequest | None, *, development: bool = True) -> list[str]:
    """Return the limits on a card of the tiny lines, that stand for the development data or not."""
    training_set = tiny_training_set()
    if development:
        digest = next(f.sha256 for f in load_manifest().files if f.path == EXPRESSION_FILE)
        training_set = replace(training_set, digests={EXPRESSION_FILE: digest})
    samples = Samples(training_set.expression, training_set.screen.tissue)
    card = write_card(
        DrugMean().fit(samples, training_set.screen),
        training_set,
        {"summary": pd.DataFrame()},
        created="2026-01-01",
        references={},
        request=None if request is None else request.decisive(),
    )
    return list(card.document["limits"])


def test_shipped_request_on_the_development_data_says_what_the_shipped_cards_say() -> None:
    shipped = list_cards(PROJECT_ROOT / "models")
    assert all(SETTINGS_LIMIT in card.document["limits"] for card in shipped)
    for request in (None, REQUEST):
        assert SETTINGS_LIMIT in limits(request)
        assert OTHER_SETTINGS_LIMIT not in limits(request)


@pytest.mark.parametrize(
    "changes",
    [
        {"kinds": ("random_forest",)},
        {"drugs": ("Erlotinib",)},
        {"n_seeds": 1},
        {"label_rule": "lowest_share"},
        {"effort": "short"},
    ],
)
def test_another_request_claims_nothing_of_the_shipped_default_model(
    changes: dict[str, object],
) -> None:
    found = limits(replace(REQUEST, **changes))  # type: ignore[arg-type]
    assert SETTINGS_LIMIT not in found
    assert OTHER_SETTINGS_LIMIT in found


def test_other_data_claim_nothing_of_the_shipped_default_model() -> None:
    assert OTHER_SETTINGS_LIMIT in limits(REQUEST, development=False)
    assert SETTINGS_LIMIT not in limits(None, development=False)


@pytest.mark.parametrize("synthetic", [True, False])
def test_card_of_synthetic_data_says_so_first_and_no_other_card_does(synthetic: bool) -> None:
    training_set = replace(tiny_training_set(), synthetic=synthetic)
    samples = Samples(training_set.expression, training_set.screen.tissue)
    document = write_card(
        DrugMean().fit(samples, training_set.screen),
        training_set,
        {"summary": pd.DataFrame()},
        created="2026-01-01",
        references={},
    ).document
    assert document["training"].get("synthetic", False) is synthetic
    assert (document["limits"][0] == SYNTHETIC_LIMIT) is synthetic
    assert document["training"]["sources"].startswith("Synthetic data") is synthetic


def test_drug_is_shown_with_the_threshold_that_the_labels_were_made_with() -> None:
    drug = load_drugs()["Cisplatin"]
    shipped = list_cards()[0]
    assert shipped.labelled(drug) == drug
    training_set = relabel(tiny_training_set(), 0.3)
    samples = Samples(training_set.expression, training_set.screen.tissue)
    card = write_card(
        DrugMean().fit(samples, training_set.screen),
        training_set,
        {"summary": pd.DataFrame()},
        created="2026-01-01",
        references={},
        request=replace(REQUEST, label_rule="lowest_share", label_share=0.3).decisive(),
    )
    shown = card.labelled(drug)
    quantile = training_set.screen.ln_ic50["Cisplatin"].quantile(0.3)
    assert shown.threshold_ln_ic50 == pytest.approx(quantile, abs=0.1)
    assert shown.threshold_source.startswith("the lowest 30% of the lines")
    untrained = load_drugs()["Dabrafenib"]
    assert card.labelled(untrained) == untrained
