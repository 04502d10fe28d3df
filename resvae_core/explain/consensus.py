"""Genes that several models name for the same sample and drug."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from resvae_core.errors import ConfigError, InputDataError
from resvae_core.explain.attribution import Attribution
from resvae_core.models.model_set import RESISTANT, SENSITIVE
from resvae_core.models.ranking import FIVE

N_TOP = 20
"""Genes that a model names: the largest of its attributions, whatever their sign."""
SHARED_BY = 3
"""Models of the five that must name a gene, with the same sign, for it to count as shared. Five
models that each named 20 of 682 genes with random signs would share one gene in 23 samples."""

COLUMNS = ["gene", "value", "n_models", "mean_attribution", "direction", "models"]


def shared_genes(
    attributions: Mapping[str, Attribution],
    sample: str,
    *,
    n_top: int = N_TOP,
    shared_by: int = SHARED_BY,
) -> pd.DataFrame:
    """Return the genes that at least three of the five models name for one sample and drug.

    A model names the genes with its `n_top` largest attributions. Models that name a gene with
    opposite signs are not counted together. Being named by several models says that the finding
    does not hang on one model, not that the gene is a cause: all learned from the same lines.
    Three of the five are networks of one design, so a gene that they alone name counts for less
    than one that a tree model names too; ``models`` says which it is.

    Parameters
    ----------
    attributions
        Kind to explanation, as `attribute_set` gives it; the five models are read, others are left
        aside.
    sample
        Whose score.
    n_top, shared_by
        See `N_TOP` and `SHARED_BY`.

    Returns
    -------
    DataFrame
        Most shared first, then the largest. Columns ``gene``; ``value`` (log2(TPM + 1), NaN where
        not measured); ``n_models``; ``mean_attribution`` (log-odds of resistance, over the models
        that name it); ``direction`` (resistant or sensitive: what the gene argues for);
        ``models`` (their kinds, separated by commas).

    Raises
    ------
    ConfigError
        If fewer of the five models were explained than must agree.
    InputDataError
        If the sample is not among those explained.
    """
    kinds = [kind for kind in FIVE if kind in attributions]
    if len(kinds) < shared_by:
        raise ConfigError(
            f"{len(kinds)} of the five models were explained; at least {shared_by} must agree.",
            remedy=f"Explain all of {', '.join(FIVE)}.",
        )
    named = pd.concat([_named(attributions[kind], sample, n_top) for kind in kinds])
    groups = named.groupby(["gene", "direction"], sort=False)
    table = groups.agg(
        value=("value", "first"),
        n_models=("model", "size"),
        mean_attribution=("attribution", "mean"),
        models=("model", ", ".join),
    ).reset_index()
    table = table[table["n_models"] >= shared_by]
    size = table["mean_attribution"].abs()
    order = table.assign(size=size).sort_values(
        ["n_models", "size", "gene"], ascending=[False, False, True]
    )
    return order[COLUMNS].reset_index(drop=True)


def _named(attribution: Attribution, sample: str, n_top: int) -> pd.DataFrame:
    """Return one model's leading genes: gene, value, attribution, direction, model."""
    table = attribution.table
    rows = table[(table["sample"] == sample) & (table["attribution"] != 0)]
    if not len(rows) and sample not in set(table["sample"]):
        raise InputDataError(
            f"The sample {sample!r} was not explained.",
            remedy="Choose one of those that were.",
        )
    order = rows["attribution"].abs().sort_values(ascending=False, kind="stable").index[:n_top]
    chosen = rows.loc[order, ["gene", "value", "attribution"]]
    direction = (chosen["attribution"] > 0).map({True: RESISTANT, False: SENSITIVE})
    return chosen.assign(direction=direction, model=attribution.model)
