"""Draw the four synthetic demo patients from a generative model of real tumours.

    python scripts/build_demo_patients.py --data ../shared/data

A low-rank factor model is fitted on the lung adenocarcinomas of the development data; many profiles
are drawn, the shipped models judge them, and the clearest example of each story is kept. Nobody's
profile is among them. The fourth is spoilt on purpose: its genes are shuffled among one another.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.config import ASSETS
from resvae_core.data.cohorts import load_cohort
from resvae_core.data.synthetic import FactorModel
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression

CANCER, DRUG = "LUAD", "Erlotinib"
N_DRAWN, N_FACTORS, SEED = 400, 20, 20261120
STORIES = {
    "resistant": "Every model calls this synthetic tumour resistant to {drug}.",
    "sensitive": "The models place this synthetic tumour on the sensitive side for {drug}.",
    "uncertain": "The models disagree, or their intervals straddle the threshold, for {drug}.",
    "out of range": "The genes of this profile were shuffled: no model should be believed.",
}


def main() -> None:
    """Draw, judge, choose and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    real = load_cohort(data, CANCER, form="log2tpm").values.dropna(axis="columns")
    drawn = FactorModel.fit(real, N_FACTORS).sample(N_DRAWN, SEED)
    chosen = choose(load_model_set(), drawn)
    patients = drawn.values.loc[list(chosen.values())]
    patients.index = [f"DEMO-{number}" for number in range(1, len(chosen) + 1)]
    patients.iloc[-1] = np.random.default_rng(SEED).permutation(patients.iloc[-1].to_numpy())
    write(patients, list(chosen))


def choose(model_set: ModelSet, drawn: Expression) -> dict[str, str]:
    """Return the drawn sample that tells each story best."""
    forecast = model_set.predict(
        drawn, cancer_type=CANCER, drugs=[DRUG], models=model_set.learned
    )
    in_range = forecast.ranges.index[forecast.ranges["range"] == "in range"]
    table = forecast.table[forecast.table["sample"].isin(in_range)]
    counts = pd.crosstab(table["sample"], table["call"]).reindex(
        columns=["resistant", "sensitive", "uncertain"], fill_value=0
    )
    mean = table.groupby("sample")["probability"].mean()
    spread = table.groupby("sample")["probability"].std()
    print(counts.value_counts().head(12))
    resistant = (counts["resistant"] + mean).idxmax()
    sensitive = (counts["sensitive"] - mean).idxmax()
    uncertain = (counts["uncertain"] + spread).drop([resistant, sensitive]).idxmax()
    spoilt = next(name for name in in_range if name not in {resistant, sensitive, uncertain})
    return dict(zip(STORIES, map(str, (resistant, sensitive, uncertain, spoilt)), strict=True))


def write(patients: pd.DataFrame, stories: list[str]) -> None:
    """Write TPM with genes in rows, as an upload would come, and the stories beside it."""
    tpm = np.exp2(patients) - 1
    tpm = tpm.div(tpm.sum(axis=1), axis=0) * 1e6
    table = tpm.T.round(3)
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
            "sentence": STORIES[story].format(drug=DRUG),
            "synthetic": True,
        }
        for sample, story in zip(patients.index, stories, strict=True)
    ]
    text = json.dumps(records, indent=1, ensure_ascii=False) + "\n"
    (folder / "patients.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
