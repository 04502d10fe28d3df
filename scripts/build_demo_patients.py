"""Draw the four synthetic demo patients from a generative model of real tumours.

    PYTHONPATH=. python scripts/build_demo_patients.py --data ../shared/data

A low-rank factor model is fitted on the lung adenocarcinomas of the development data; thousands of
profiles are drawn, the shipped models judge them, and the clearest example of each story is kept.
Nobody's profile is among them. The fourth is spoilt on purpose: half of its genes are lost, as in a
degraded sample.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.config import ASSETS
from resvae_core.data.cohorts import load_cohort
from resvae_core.data.synthetic import FactorModel
from resvae_core.models.model_set import ModelSet
from resvae_core.models.ranking import FIVE
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression

CANCER, DRUG = "LUAD", "Cisplatin"
N_BATCHES, BATCH, N_FACTORS, SEED = 8, 400, 20, 20261120
SHARE_LOST = 0.5
STORIES = {
    "resistant": "All five models call this synthetic tumour resistant to {drug}.",
    "sensitive": "{n} of the five models call this synthetic tumour sensitive to {drug}: rare.",
    "uncertain": "For this synthetic tumour and {drug} the interval is too wide for a call.",
    "out of range": "Half of this synthetic sample's genes are set to 0: believe no model here.",
}


def main() -> None:
    """Draw, judge, choose and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    real = load_cohort(data, CANCER, form="log2tpm").values.dropna(axis="columns")
    source = Source(FactorModel.fit(real, N_FACTORS), float((np.exp2(real) - 1).sum(1).median()))
    model_set = load_model_set()
    judged = pd.concat(
        judge(model_set, source.draw(batch)).assign(batch=batch) for batch in range(N_BATCHES)
    )
    chosen = choose(judged)
    patients = pd.concat(
        [source.draw(int(judged.loc[name, "batch"])).values.loc[[name]] for name in chosen]
    )
    patients.index = [f"DEMO-{number}" for number in range(1, len(chosen) + 1)]
    lost = np.random.default_rng(SEED).random(patients.shape[1]) < SHARE_LOST
    patients.iloc[-1, lost] = 0.0
    write(
        patients,
        models=story_models(model_set, patients),
        n_sensitive=int(judged.loc[chosen[1], "sensitive"]),
    )


@dataclass(frozen=True)
class Source:
    """The generative model, and the total TPM that a real profile of these genes has."""

    factors: FactorModel
    total: float

    def draw(self, batch: int) -> Expression:
        """Return one batch of synthetic tumours, the same on every call."""
        drawn = self.factors.sample(BATCH, SEED + batch, prefix=f"B{batch}").values
        tpm = np.exp2(drawn) - 1
        tpm = tpm.mul(self.total / tpm.sum(axis=1), axis=0)
        return Expression(np.log2(tpm + 1).astype(np.float32))


def judge(model_set: ModelSet, drawn: Expression) -> pd.DataFrame:
    """Count the five models' calls of each sample that is in range."""
    forecast = model_set.predict(drawn, cancer_type=CANCER, drugs=[DRUG], models=FIVE)
    table = forecast.table[forecast.table["range"] == "in range"]
    counts = pd.crosstab(table["sample"], table["call"]).reindex(
        columns=["resistant", "sensitive", "uncertain"], fill_value=0
    )
    return counts.assign(mean=table.groupby("sample")["probability"].mean())


def choose(judged: pd.DataFrame) -> list[str]:
    """Return the sample that tells each story best, in the order of `STORIES`."""
    print(judged[["resistant", "sensitive", "uncertain"]].value_counts().to_string())
    resistant = (judged["resistant"] + judged["mean"]).idxmax()
    sensitive = (judged["sensitive"] - judged["mean"]).idxmax()
    rest = judged.drop([resistant, sensitive])
    uncertain = (rest["uncertain"] - rest["mean"]).idxmax()
    ordinary = rest.drop(uncertain)["mean"].sub(rest["mean"].median()).abs().idxmin()
    return [str(name) for name in (resistant, sensitive, uncertain, ordinary)]


def story_models(model_set: ModelSet, patients: pd.DataFrame) -> list[str]:
    """Return the model that each patient opens with: one that tells the story."""
    forecast = model_set.predict(
        Expression(patients), cancer_type=CANCER, drugs=[DRUG], models=model_set.learned
    )
    models = []
    for sample, story in zip(patients.index, STORIES, strict=True):
        rows = forecast.table[forecast.table["sample"] == sample]
        tells = list(rows.loc[rows["call"] == story, "model"])
        usual = model_set.default_model
        models.append(usual if usual in tells or not tells else tells[-1])
    return models


def write(patients: pd.DataFrame, models: list[str], n_sensitive: int) -> None:
    """Write TPM with genes in rows, as an upload would come, and the stories beside it."""
    table = (np.exp2(patients) - 1).T.round(3)
    table.index.name = "gene"
    folder = ASSETS / "demo"
    table.to_csv(
        folder / "patients.csv.gz", compression={"method": "gzip", "compresslevel": 9, "mtime": 0}
    )
    records = [
        {
            "sample": sample,
            "story": story,
            "cancer_type": CANCER,
            "drug": DRUG,
            "model": model,
            "sentence": STORIES[story].format(drug=DRUG, n=n_sensitive),
            "synthetic": True,
        }
        for sample, story, model in zip(patients.index, STORIES, models, strict=True)
    ]
    text = json.dumps(records, indent=1, ensure_ascii=False) + "\n"
    (folder / "patients.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
