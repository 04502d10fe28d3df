"""A small synthetic screen that every model can be fitted on in a second or two."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.encoders.catalog import load_encoder
from resvae_core.encoders.shipped import ShippedEncoder
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.floors import AlwaysResistant, DrugMean, DrugTissueMean, TissueMean
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.random_forest import RandomForest
from resvae_core.models.resvae import VaeLD, VaeLL, VaeLS
from resvae_core.tables import Expression, Screen

DRUGS = ["Cisplatin", "Erlotinib", "Gemcitabine"]
N_LINES, N_GENES = 160, 40


def _typical_genes() -> tuple[str, ...]:
    """Return real genes whose expression in cell lines is like that of the synthetic lines.

    Encoders know no other names, and read values far from what they were trained on as clipped.
    """
    encoder = load_encoder("small")
    assert isinstance(encoder, ShippedEncoder)
    moments = encoder._moments["cell_lines"]
    typical = (np.abs(moments.mean - 4) < 1.2) & (np.abs(moments.sd - 1.5) < 0.6)
    return tuple(np.array(encoder.genes)[typical][:N_GENES].tolist())


GENES = _typical_genes()

SMALL_VAE = {"hidden": [64], "n_latent": 40}
SUPERVISED = {"n_epochs": 25, "response_weight": 1.0, "input_dropout": 0.2}
SMALL_MODELS = {
    "elastic_net": lambda: ElasticNet(alpha=0.2, n_members=3),
    "random_forest": lambda: RandomForest(n_trees=12, max_features=0.5, n_members=3),
    "xgboost": lambda: GradientBoosting(n_rounds=30, colsample_bynode=0.5, n_members=3),
    "vae_ll": lambda: VaeLL(
        SMALL_VAE | {"head": "multi_task", "training": SUPERVISED}, n_members=3
    ),
    "vae_ls": lambda: VaeLS(
        SMALL_VAE | {"head": "per_drug", "target": "label", "training": SUPERVISED}, n_members=3
    ),
    "vae_ld": lambda: VaeLD(SMALL_VAE, n_members=3),
    "ensemble": lambda: Ensemble(n_members=3),
    "drug_tissue_mean": DrugTissueMean,
    "tissue_mean": TissueMean,
    "drug_mean": DrugMean,
    "always_resistant": AlwaysResistant,
}
LEARNED = [name for name in SMALL_MODELS if not SMALL_MODELS[name]().is_floor]


def synthetic_screen(seed: int = 0) -> tuple[Samples, Screen]:
    """Return lines whose response follows two genes a drug, with a tissue effect and gaps."""
    rng = np.random.default_rng(seed)
    lines = [f"LINE-{number:03d}" for number in range(N_LINES)]
    tissue = pd.Series(rng.choice(["LUAD", "BRCA", "SKCM", "GBM"], N_LINES), index=lines)
    values = np.abs(rng.normal(4, 1.5, (N_LINES, N_GENES))).astype(np.float32)
    expression = Expression(pd.DataFrame(values, index=lines, columns=GENES))
    shift = tissue.map({"LUAD": 0.0, "BRCA": 0.5, "SKCM": -0.5, "GBM": 0.2}).to_numpy()
    ln_ic50 = pd.DataFrame(
        {
            drug: values[:, 2 * d] - values[:, 2 * d + 1] + shift + rng.normal(0, 0.7, N_LINES)
            for d, drug in enumerate(DRUGS)
        },
        index=lines,
    )
    ln_ic50 = ln_ic50.mask(rng.random(ln_ic50.shape) < 0.15)
    resistant = ln_ic50.gt(ln_ic50.quantile(0.25)).astype(float).where(ln_ic50.notna())
    return Samples(expression, tissue), Screen(ln_ic50, resistant, tissue)


@pytest.fixture(scope="session")
def screen() -> tuple[Samples, Screen]:
    """Synthetic samples and screen, the same for every test."""
    return synthetic_screen()


def fit_small(
    name: str, samples: Samples, screen: Screen, fitted: dict[str, ResponseModel] | None = None
) -> ResponseModel:
    """Fit a small model, and first what it is built from where `fitted` does not hold it."""
    model = SMALL_MODELS[name]()
    known = {} if fitted is None else fitted
    for part in model.needs:
        if part not in known:
            known[part] = fit_small(part, samples, screen, known)
    model.build_from({part: known[part] for part in model.needs})
    return model.fit(samples, screen)


@pytest.fixture(scope="session")
def fitted(screen: tuple[Samples, Screen]) -> dict[str, ResponseModel]:
    """Every kind of model, fitted on the first 120 lines."""
    samples, response = screen
    train = tuple(response.lines[:120])
    models: dict[str, ResponseModel] = {}
    for name in SMALL_MODELS:
        if name not in models:
            models[name] = fit_small(name, samples.select(train), response.select(train), models)
    return models
