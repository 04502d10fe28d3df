"""The numbers behind a beeswarm: how a cohort's attributions spread, gene by gene."""

from __future__ import annotations

import pandas as pd

from resvae_core.figures.frame import require_columns

LEVELS = {"q10": 0.10, "q25": 0.25, "median": 0.50, "q75": 0.75, "q90": 0.90}


def swarm_table(table: pd.DataFrame, *, patient: str | None = None) -> pd.DataFrame:
    """Summarise the attributions of many samples by gene.

    Parameters
    ----------
    table
        As :func:`resvae_core.figures.beeswarm.beeswarm` takes it: sample, gene, attribution.
    patient
        The sample that stands beside the others, not among them; None for none.

    Returns
    -------
    pd.DataFrame
        One row a gene, by falling mean absolute attribution over all samples: gene, q10, q25,
        median, q75, q90 of the others (log-odds of resistance), n_patients, and own, the
        patient's (NaN where there is none).

    Raises
    ------
    InputDataError
        If a column is missing or there is no row.
    """
    require_columns(table, ("sample", "gene", "attribution"), "the table of the beeswarm")
    order = table["attribution"].abs().groupby(table["gene"]).mean().sort_values(ascending=False)
    is_patient = table["sample"] == patient
    by_gene = table[~is_patient].groupby("gene")["attribution"]
    spread = by_gene.quantile(pd.Index(LEVELS.values())).unstack().set_axis(list(LEVELS), axis=1)
    own = table[is_patient].set_index("gene")["attribution"]
    summary = spread.assign(n_patients=by_gene.count(), own=own)
    return summary.reindex(order.index).rename_axis("gene").reset_index()
