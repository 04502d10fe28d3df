"""Build the synthetic cohort of assets/demo from a factor model of real lung adenocarcinomas.

    python scripts/build_demo_cohort.py --data ../shared/data

Writes cohort_expression.parquet, cohort_clinical.csv and cohort.md. The same data and seed give the
same files. No real patient's values are written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.compute import derive_seed
from resvae_core.config import ASSETS
from resvae_core.data.symbols import current_symbols
from resvae_core.data.synthetic import FactorModel

N_PATIENTS = 300
N_FACTORS = 20
SEED = derive_seed("demo cohort", 1)
EXTRA_GENES = ["TFF1", "SLFN11", "MGMT", "OPALIN", "LTF", "IL2RA", "SLC17A7", "ABCB1"]
STEP = 1 / 64  # of log2(TPM + 1): finer than the noise of sequencing, and half the size of a float

TFF1_HAZARD_RATIO = 1.5  # per standard deviation
STAGE_HAZARD_RATIOS = {"I": 1.0, "II": 1.8, "III": 2.6, "IV": 4.0}
STAGE_SHARES = {"I": 0.54, "II": 0.24, "III": 0.17, "IV": 0.05}
SHARE_FEMALE = 0.54
AGE_MEAN, AGE_SD, AGE_LIMITS = 65.0, 10.0, (35, 88)
WEIBULL_SHAPE = 1.2
WEIBULL_SCALE_DAYS = 3400.0  # of stage I at mean TFF1
CENSORING_MEAN_DAYS = 2200.0  # exponential, independent of everything else

README = """# The synthetic cohort

**These {n} patients do not exist.** `cohort_expression.parquet` and `cohort_clinical.csv` are drawn
from a generative model, so that every page works before real data are installed. Nothing found in
them is a finding on cancer.

- **Expression:** {n} × {n_genes} genes, log2(TPM + 1) in steps of 1/64, float32; columns are
  current gene symbols: those of the training panel, and {extra}.
- **Model:** mean, {n_factors} factors and a residual spread per gene of {n_real} TCGA lung
  adenocarcinomas (`FactorModel` in `resvae_core/data/synthetic.py`); normal, clipped at 0.
- **Age, sex, stage:** drawn independently of expression and of each other, in proportions near
  those of the real cohort.
- **`os_time_days`, `os_event`:** Weibull, shape {shape}, scale {scale:.0f} days for stage I at mean
  TFF1; censored at random, exponential with mean {censoring:.0f} days.
- **Planted effects:** hazard × {tff1} per standard deviation of TFF1; stage II × {ii}, III × {iii},
  IV × {iv} against stage I; nothing else.
- **Seed:** {seed}.

Limits: genes are normal before clipping, so genes that are silent in most patients come out less
skewed than they are; sex does not show in the expression; there is no link between any drug and
survival.

Made by `python scripts/build_demo_cohort.py --data ../shared/data`. The model
keeps means, {n_factors} directions and spreads, not profiles; a test compares every synthetic
patient with every real one and finds none nearer to a real patient than real patients are to each
other. Real data behind the model: TCGA level 3, open access.
"""


def main() -> None:
    """Read the real cohort, fit, sample, simulate, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the development data")
    parser.add_argument("--out", type=Path, default=ASSETS / "demo")
    arguments = parser.parse_args()
    real = read_real(arguments.data)
    values = sample_expression(real)
    clinical = simulate_clinical(values["TFF1"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    write(values, clinical, arguments.out)
    (arguments.out / "cohort.md").write_text(describe(len(real), values), encoding="utf-8")
    print(f"{len(values)} synthetic patients, {values.shape[1]} genes, seed {SEED}")
    print(f"{int(clinical['os_event'].sum())} events")


def read_real(data: Path) -> pd.DataFrame:
    """Return (n_patients, n_genes) log2(TPM + 1) of the panel and the extra genes."""
    panel = current_symbols(pd.read_parquet(data / "gdsc" / "expression_panel.parquet"))
    tumours = current_symbols(pd.read_parquet(data / "tcga" / "LUAD_expression.parquet"))
    genes = list(dict.fromkeys([*panel.columns, *EXTRA_GENES]))
    return tumours[genes]


def sample_expression(real: pd.DataFrame) -> pd.DataFrame:
    """Return synthetic expression, rounded to steps that pack well."""
    drawn = FactorModel.fit(real, N_FACTORS).sample(N_PATIENTS, SEED).values
    return (np.round(drawn / STEP) * STEP).astype(np.float32)


def simulate_clinical(tff1: pd.Series) -> pd.DataFrame:
    """Return age, sex, stage and overall survival with the planted effects."""
    generator = np.random.default_rng(derive_seed("demo cohort clinical", SEED))
    n = len(tff1)
    stage = generator.choice(list(STAGE_SHARES), size=n, p=list(STAGE_SHARES.values()))
    age = np.clip(np.round(generator.normal(AGE_MEAN, AGE_SD, n)), *AGE_LIMITS).astype(int)
    sex = np.where(generator.random(n) < SHARE_FEMALE, "female", "male")
    standardised = ((tff1 - tff1.mean()) / tff1.std()).to_numpy(float)
    hazard = TFF1_HAZARD_RATIO**standardised * pd.Series(stage).map(STAGE_HAZARD_RATIOS).to_numpy()
    # a Weibull time with hazard ratio h has scale * h ** (-1 / shape)
    death = (
        WEIBULL_SCALE_DAYS
        * hazard ** (-1 / WEIBULL_SHAPE)
        * generator.weibull(WEIBULL_SHAPE, size=n)
    )
    end = generator.exponential(CENSORING_MEAN_DAYS, size=n)
    return pd.DataFrame(
        {
            "age": age,
            "sex": sex,
            "stage": [f"Stage {name}" for name in stage],
            "stage_simple": stage,
            "os_time_days": np.ceil(np.minimum(death, end)).astype(int),
            "os_event": (death <= end).astype(int),
        },
        index=tff1.index,
    )


def write(values: pd.DataFrame, clinical: pd.DataFrame, out: Path) -> None:
    """Write both tables; byte-stream split packs rounded floats to a third."""
    values.to_parquet(
        out / "cohort_expression.parquet",
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        use_byte_stream_split=values.columns.tolist(),
        write_statistics=False,
    )
    clinical.to_csv(out / "cohort_clinical.csv")


def describe(n_real: int, values: pd.DataFrame) -> str:
    """Fill in the README of the cohort."""
    return README.format(
        n=len(values),
        n_genes=values.shape[1],
        n_real=n_real,
        n_factors=N_FACTORS,
        extra=", ".join(EXTRA_GENES),
        shape=WEIBULL_SHAPE,
        scale=WEIBULL_SCALE_DAYS,
        censoring=CENSORING_MEAN_DAYS,
        tff1=TFF1_HAZARD_RATIO,
        ii=STAGE_HAZARD_RATIOS["II"],
        iii=STAGE_HAZARD_RATIOS["III"],
        iv=STAGE_HAZARD_RATIOS["IV"],
        seed=SEED,
    )


if __name__ == "__main__":
    main()
