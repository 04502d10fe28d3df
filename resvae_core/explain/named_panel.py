"""The genes that the paper names, and whether our models find them too.

Source: Curr. Issues Mol. Biol. 2025, 47(9), 753, abstract. It says of TFF1 that high expression
goes with resistance to gefitinib in lung adenocarcinoma, and of the other four that they are
implicated in resistance to temozolomide in glioblastoma, which is read here as the same direction.

None of the five is among the genes that the models read, so none can be attributed: they are
associated, as every gene outside the panel is. Only two patients of TCGA have a recorded response
to gefitinib, and one of GBM: whether a claim holds for response cannot be tested here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from resvae_core.explain.associations import (
    Correlations,
    false_discovery,
)
from resvae_core.explain.cohort_reading import ENSEMBLE, CohortReading, adjusted_correlations

Array = NDArray[np.float64]

CONFIRMED, NOT_CONFIRMED = "confirmed", "not confirmed"
OPPOSITE, NOT_ASSESSABLE = "opposite direction", "not assessable"
SIGNIFICANT = 0.05
ENOUGH_MODELS = 4
RULE = (
    f"Confirmed: in the ensemble q < {SIGNIFICANT} over all measured genes in the direction that "
    f"the paper names, at least {ENOUGH_MODELS} of the five models alone agree (same direction, "
    f"p < {SIGNIFICANT}), and the direction holds with p < {SIGNIFICANT} given tumour purity "
    "(where recorded) and given the patient's resistance to all other drugs. Opposite direction: "
    "all of that, the other way. Not assessable: not measured, or varying in fewer than ten "
    "patients. Else not confirmed."
)
COLUMNS = (
    "cohort",
    "drug",
    "gene",
    "claimed_direction",
    "in_panel",
    "model",
    "effect",
    "lower",
    "upper",
    "p_value",
    "q_value",
    "rank",
    "n_genes",
    "effect_purity",
    "p_purity",
    "effect_general",
    "p_general",
    "n_patients",
    "votes",
    "n_models",
    "verdict",
    "reason",
)


@dataclass(frozen=True)
class Claim:
    """What the paper says of one gene.

    Parameters
    ----------
    cohort, drug, gene
        TCGA code; name in the drug catalogue; symbol.
    direction
        What high expression is said to go with.
    """

    cohort: str
    drug: str
    gene: str
    direction: str = "resistant"


CLAIMS = (
    Claim("LUAD", "Gefitinib", "TFF1"),
    Claim("GBM", "Temozolomide", "OPALIN"),
    Claim("GBM", "Temozolomide", "LTF"),
    Claim("GBM", "Temozolomide", "IL2RA"),
    Claim("GBM", "Temozolomide", "SLC17A7"),
)


def named_panel(
    readings: Mapping[str, CohortReading], claims: tuple[Claim, ...] = CLAIMS
) -> pd.DataFrame:
    """Hold the paper's genes against what our models predict.

    Parameters
    ----------
    readings
        Cohort to reading; a claim on a cohort that is not there is left out.
    claims
        What is held against it.

    Returns
    -------
    pd.DataFrame
        One row a claim and model (the ensemble first, then each of the five); columns `COLUMNS`.
        ``effect`` with its 95 % interval: correlation of the gene with the model's log-odds;
        ``q_value`` over all measured genes for this drug and model; ``rank`` of ``n_genes`` by the
        size of the correlation; ``effect_purity`` and ``effect_general`` given tumour purity and
        given the patient's resistance to all other drugs. ``votes`` of ``n_models``, ``verdict``
        (by `RULE`) and ``reason`` are of the claim, the same in all its rows.
    """
    tables = []
    for cohort, drug in dict.fromkeys((claim.cohort, claim.drug) for claim in claims):
        if cohort in readings:
            genome = _genome(readings[cohort], drug)
            tables += [
                _claim_rows(claim, readings[cohort], genome)
                for claim in claims
                if (claim.cohort, claim.drug) == (cohort, drug)
            ]
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def panel_sentence(rows: pd.DataFrame) -> str:
    """Say in one sentence what our models find of a claim.

    Parameters
    ----------
    rows
        The rows of one claim in the table of `named_panel`.
    """
    row = rows[rows["model"] == ENSEMBLE].iloc[0]
    start = f"{row['gene']} ({row['cohort']}, {row['drug']}): {row['verdict']}"
    if row["verdict"] == NOT_ASSESSABLE:
        return f"{start}; {row['reason']}."
    found = "resistant" if row["effect"] > 0 else "sensitive"
    why = f"; {row['reason']}" if row["reason"] else ""
    return (
        f"{start}{why}. High expression goes with {found} scores: r = {row['effect']:.2f} "
        f"({row['lower']:.2f} to {row['upper']:.2f}), q = {row['q_value']:.2g}, rank "
        f"{row['rank']:,.0f} of {row['n_genes']:,} genes; {row['votes']} of {row['n_models']} "
        "models alone point the way the paper names."
    )


def _genome(reading: CohortReading, drug: str) -> pd.DataFrame:
    """Correlate every measured gene with every model's log-odds of one drug."""
    kinds = list(reading.log_odds)
    scores = np.column_stack([reading.scores(kind, [drug])[:, 0] for kind in kinds])
    found = adjusted_correlations(reading, scores, reading.general([drug])[:, 0])
    plain = found.plain
    tables = []
    for number, kind in enumerate(kinds):
        p_value = plain.p_value[:, number]
        table = pd.DataFrame(
            {
                "model": kind,
                "effect": plain.effect[:, number],
                "lower": plain.lower[:, number],
                "upper": plain.upper[:, number],
                "p_value": p_value,
                "q_value": false_discovery(p_value),
                "rank": _ranks(plain.effect[:, number]),
                "n_genes": int(np.isfinite(p_value).sum()),
                **_column(found.purity, number, "purity", len(p_value)),
                **_column(found.general, number, "general", len(p_value)),
            },
            index=reading.values.columns,
        )
        tables.append(table)
    return pd.concat(tables)


def _ranks(effect: Array) -> Array:
    """Rank by size, 1 = the strongest; NaN where not assessable."""
    rank: Array = rankdata(-np.abs(effect), method="min", nan_policy="omit")
    return rank


def _column(found: Correlations | None, number: int, name: str, n_genes: int) -> dict[str, Array]:
    missing = np.full(n_genes, np.nan)
    return {
        f"effect_{name}": missing if found is None else found.effect[:, number],
        f"p_{name}": missing if found is None else found.p_value[:, number],
    }


def _claim_rows(claim: Claim, reading: CohortReading, genome: pd.DataFrame) -> pd.DataFrame:
    if claim.gene in reading.values:
        rows = genome.loc[[claim.gene]].reset_index(drop=True)
    else:
        rows = pd.DataFrame({"model": list(reading.log_odds)}).reindex(columns=genome.columns)
        rows["n_genes"] = 0
    verdict, reason = _judge(rows, claim, measured=claim.gene in reading.values)
    return rows.assign(
        cohort=claim.cohort,
        drug=claim.drug,
        gene=claim.gene,
        claimed_direction=claim.direction,
        in_panel=claim.gene in reading.genes,
        n_patients=len(reading.values),
        votes=_votes(rows, claim),
        n_models=len(reading.parts),
        verdict=verdict,
        reason=reason,
    )


def _signs(rows: pd.DataFrame, claim: Claim, suffix: str = "") -> NDArray[np.int_]:
    """Return 1 where an effect is significant as claimed, −1 the other way, 0 if neither."""
    effect, p_value = rows[f"effect{suffix}"], rows[f"p{suffix or '_value'}"]
    sign = np.sign(effect) * (1 if claim.direction == "resistant" else -1)
    signs: NDArray[np.int_] = (sign * (p_value < SIGNIFICANT)).fillna(0).to_numpy(int)
    return signs


def _votes(rows: pd.DataFrame, claim: Claim, way: int = 1) -> int:
    """Count the models, the ensemble aside, that point the way the paper names, or the other."""
    return int((_signs(rows[rows["model"] != ENSEMBLE], claim) == way).sum())


def _judge(rows: pd.DataFrame, claim: Claim, *, measured: bool) -> tuple[str, str]:
    """Return verdict and reason by `RULE`."""
    ensemble = rows[rows["model"] == ENSEMBLE]
    row = ensemble.iloc[0]
    if not np.isfinite(row["effect"]):
        return NOT_ASSESSABLE, "too few patients express it" if measured else "it is not measured"
    if row["q_value"] >= SIGNIFICANT:
        return NOT_CONFIRMED, "no clear correlation with the ensemble's score"
    way = int(_signs(ensemble, claim)[0])
    doubts = _doubts(rows, claim, way)
    if doubts and way < 0:
        doubts = ["the ensemble points the other way", *doubts]
    if doubts:
        return NOT_CONFIRMED, "; ".join(doubts)
    return (CONFIRMED, "") if way > 0 else (OPPOSITE, "")


def _doubts(rows: pd.DataFrame, claim: Claim, way: int) -> list[str]:
    """Say what speaks against a correlation in one direction."""
    ensemble = rows[rows["model"] == ENSEMBLE]
    given = {"_purity": "tumour purity", "_general": "the resistance to other drugs"}
    failed = [
        words
        for suffix, words in given.items()
        if ensemble[f"effect{suffix}"].notna().all() and _signs(ensemble, claim, suffix)[0] != way
    ]
    doubts = [f"it does not hold given {' and given '.join(failed)}"] if failed else []
    votes = _votes(rows, claim, way)
    if votes < ENOUGH_MODELS:
        doubts.append(f"only {votes} of {len(rows) - 1} models alone agree")
    return doubts
