"""Means with intervals, and paired tests, from the tidy table of `benchmark`.

`evaluation_tables` gives all that a model set keeps of its evaluation.

Folds share training lines, so their spread understates the uncertainty of the mean. Intervals and
tests use the corrected resampled t (Nadeau and Bengio, Machine Learning 52, 2003): the variance
of a mean over J folds is multiplied by 1/J + n_test/n_train instead of 1/J.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student_t

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.evaluation.benchmark import ALL_DRUGS, PERMUTED
from resvae_core.evaluation.coverage import (
    coverage_by_drug,
    coverage_by_tissue,
    reliability_by_tissue,
)
from resvae_core.evaluation.held_out import HeldOut
from resvae_core.evaluation.metrics import WEIGHTED_BY_N
from resvae_core.models.catalog import KINDS
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.floors import DrugTissueMean
from resvae_core.models.random_forest import RandomForest
from resvae_core.tables import Screen

Array = NDArray[np.float64]

INTERVAL = 0.95
NO_SPREAD = 1e-12
"""Standard errors up to here are rounding: the folds agree, and there is nothing to test."""
WITHIN_ONE = (
    "roc_auc",
    "within_tissue_roc_auc",
    "average_precision_sensitive",
    "balanced_accuracy",
    "f1_resistant",
    "f1_sensitive",
    "brier",
    "ece",
    "coverage_resistant",
    "coverage_sensitive",
    "set_single",
    "set_both",
    "set_neither",
)
"""Metrics that lie within 0 and 1."""
CORRELATIONS = ("mcc", "pearson", "spearman")
"""Metrics that lie within -1 and 1."""
DISTILLED = "vae_ld"
REFERENCES = (DrugTissueMean.kind, ElasticNet.kind, RandomForest.kind, DISTILLED)
"""What every model is tested against: the strongest floor, two models to beat, and the model that
the source work found best."""
TESTED = ("roc_auc", "within_tissue_roc_auc", "average_precision_sensitive", "pearson", "brier")
"""Metrics of the paired tests."""
PER_DRUG = (
    "roc_auc",
    "within_tissue_roc_auc",
    "average_precision_sensitive",
    "brier",
    "pearson",
    "spearman",
    "lift_over_tissue_floor",
)
"""Metrics that are kept drug by drug."""


def evaluation_tables(
    table: pd.DataFrame, held_out: Iterable[HeldOut], screen: Screen
) -> dict[str, pd.DataFrame]:
    """Return what a model set keeps of its evaluation, by name.

    Parameters
    ----------
    table
        As `benchmark.run` gives it.
    held_out
        As `benchmark.read_held_out` gives it, of the same models and folds; those of models that
        are no kind, ablations, are left aside.
    screen
        What they were judged on.

    Returns
    -------
    dict
        ``summary`` and ``per_drug`` (`summarise`), ``comparisons`` (`compare`), ``reliability``,
        ``reliability_by_tissue``, ``coverage_by_tissue``, ``coverage_by_drug`` (`coverage`). What
        is by drug, and the reliability by tissue, are of left-out cell lines only. And
        ``ablations``, where there are any: they stand in no other table.
    """
    honest = [
        one for one in held_out if one.kind in KINDS and not one.fold.split.endswith(PERMUTED)
    ]
    lines = [one for one in honest if one.fold.split == LEAVE_CELL_LINE_OUT]
    whole = table[table["model"].isin(KINDS)]
    ablated = {} if len(whole) == len(table) else {"ablations": ablations(table)}
    return {
        "summary": summarise(whole),
        "per_drug": summarise(
            whole[whole["split"].eq(LEAVE_CELL_LINE_OUT) & whole["metric"].isin(PER_DRUG)],
            by_drug=True,
        ),
        "comparisons": compare(whole),
        "reliability": reliability(whole),
        "reliability_by_tissue": reliability_by_tissue(lines, screen),
        "coverage_by_tissue": coverage_by_tissue(honest, screen),
        "coverage_by_drug": coverage_by_drug(lines, screen),
        **ablated,
    }


def fold_means(table: pd.DataFrame) -> pd.DataFrame:
    """Average metrics over drugs within each fold.

    Parameters
    ----------
    table
        As `benchmark.run` returns it; ablations and calibration curves are left aside.

    Returns
    -------
    DataFrame
        Columns model, split, seed, fold, metric, value; some metrics weigh pairs of line and drug
        (`metrics.WEIGHTED_BY_N`), NaN where no drug has a value.
    """
    chosen = table[~table["metric"].str.startswith("reliability_") & table["model"].isin(KINDS)]
    keys = ["model", "split", "seed", "fold", "metric"]
    return _fold_means(chosen, keys).rename("value").reset_index()


def summarise(table: pd.DataFrame, *, by_drug: bool = False) -> pd.DataFrame:
    """Average metrics over drugs and folds.

    Parameters
    ----------
    table
        As `benchmark.run` returns it.
    by_drug
        Give one row a drug as well, instead of the mean over drugs.

    Returns
    -------
    DataFrame
        Columns model, split, metric, (drug,) mean, lower, upper (95 %), n_folds, and
        difference_to_floor with p_value: the paired test against the drug × tissue mean, not
        corrected for the number of tests.
    """
    chosen = table[~table["metric"].str.startswith("reliability_")]
    if by_drug:
        chosen = chosen[chosen["drug"] != ALL_DRUGS]
    keys = ["model", "metric", *(["drug"] if by_drug else [])]
    parts = []
    for split, wide, share in _by_split(chosen, keys, _test_share(table)):
        mean, half, n_folds, _ = _moments(wide.to_numpy(float), share)
        difference, _, _, p_value = _moments(_paired(wide, DrugTissueMean.kind), share)
        part = wide.index.to_frame(index=False)
        part.insert(1, "split", split)
        part["mean"], part["lower"], part["upper"] = mean, mean - half, mean + half
        part = within_bounds(part)
        part["n_folds"] = n_folds
        part["difference_to_floor"], part["p_value"] = difference, p_value
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def within_bounds(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a summary whose intervals end where their metrics do: an ROC AUC of 1.02 is none.

    Parameters
    ----------
    summary
        Columns metric, lower and upper, as `summarise` gives it.
    """
    metric = summary["metric"].astype(str)
    correlation, share = metric.isin(CORRELATIONS), metric.isin(WITHIN_ONE)
    lowest = np.where(share, 0.0, np.where(correlation, -1.0, -np.inf))
    highest = np.where(share | correlation, 1.0, np.inf)
    return summary.assign(
        lower=summary["lower"].astype(float).clip(lower=lowest),
        upper=summary["upper"].astype(float).clip(upper=highest),
    )


def compare(
    table: pd.DataFrame,
    references: Sequence[str] = REFERENCES,
    metrics: Sequence[str] = TESTED,
) -> pd.DataFrame:
    """Test every model against each reference on the same folds.

    Parameters
    ----------
    table
        As `benchmark.run` returns it.
    references
        Kinds to test against; one that was not judged has no rows.

    Returns
    -------
    DataFrame
        Columns split, metric, model, reference, difference (model minus reference), lower, upper
        (95 %), n_folds, p_value (two-sided) and p_holm: corrected by Holm's method for all tests
        of that split and metric, each metric a family of its own.
    """
    chosen = table[table["metric"].isin(list(metrics))]
    parts = []
    for split, wide, share in _by_split(chosen, ["model", "metric"], _test_share(table)):
        for reference in references:
            difference, half, n_folds, p_value = _moments(_paired(wide, reference), share)
            part = wide.index.to_frame(index=False)
            part.insert(0, "split", split)
            part["reference"] = reference
            part["difference"] = difference
            part["lower"], part["upper"] = difference - half, difference + half
            part["n_folds"], part["p_value"] = n_folds, p_value
            parts.append(part[(part["model"] != reference) & (n_folds > 0)])
    tests = pd.concat(parts, ignore_index=True)
    tests["p_holm"] = tests.groupby(["split", "metric"])["p_value"].transform(holm)
    return tests


def ablations(table: pd.DataFrame) -> pd.DataFrame:
    """Hold models that lack or change a part against the whole ones, on the same folds.

    Left-out cell lines and the first repetition (seed 0) only.

    Parameters
    ----------
    table
        As `benchmark.run` returns it; every model that is no kind is an ablation, of the kind
        that its name begins with.

    Returns
    -------
    DataFrame
        Columns model, base (the whole model's kind), metric, mean, lower, upper (95 %), n_folds,
        base_mean, difference (model minus base), difference_lower, difference_upper (95 %),
        p_value (paired, two-sided) and p_holm, corrected for all ablations of that metric.
    """
    first = table[
        table["split"].eq(LEAVE_CELL_LINE_OUT) & table["seed"].eq(0) & table["metric"].isin(TESTED)
    ]
    removed = [name for name in dict.fromkeys(table["model"]) if name not in KINDS]
    found = pd.concat([_ablation(first, name) for name in removed], ignore_index=True)
    found["p_holm"] = found.groupby("metric")["p_value"].transform(holm)
    return found


def base_of(ablation: str) -> str:
    """Return the kind that an ablation takes a part from: the longest one its name begins with."""
    return max((kind for kind in KINDS if ablation.startswith(f"{kind}_")), key=len)


def _ablation(first: pd.DataFrame, name: str) -> pd.DataFrame:
    base = base_of(name)
    rows = first[first["model"].isin([name, base])]
    means = summarise(rows)
    own = means[means["model"] == name][["metric", "mean", "lower", "upper", "n_folds"]]
    whole = means[means["model"] == base][["metric", "mean"]].rename(columns={"mean": "base_mean"})
    bounds = {"lower": "difference_lower", "upper": "difference_upper"}
    tests = compare(rows, (base,))[["metric", "difference", *bounds, "p_value"]]
    found = own.merge(whole, on="metric").merge(tests.rename(columns=bounds), on="metric")
    found.insert(0, "model", name)
    found.insert(1, "base", base)
    return found


def holm(p_values: pd.Series[float]) -> pd.Series[float]:
    """Return p-values corrected for their number by Holm's step-down method; NaN stays NaN.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    known = p_values.dropna().sort_values()
    steps = np.arange(len(known), 0, -1)
    corrected = np.minimum(np.maximum.accumulate(known.to_numpy() * steps), 1.0)
    return pd.Series(corrected, index=known.index).reindex(p_values.index)


def best_model(summary: pd.DataFrame, kinds: Sequence[str]) -> str:
    """Return the model with the highest within-tissue ROC AUC on left-out cell lines.

    The clinician knows the tissue already: what a model adds to it decides who speaks first. The
    first of `kinds` where none has that figure: nothing was judged, or no tissue holds both
    classes of any drug.
    """
    if summary.empty:
        return kinds[0]
    rows = summary[
        (summary["split"] == LEAVE_CELL_LINE_OUT)
        & (summary["metric"] == "within_tissue_roc_auc")
        & summary["model"].isin(kinds)
        & summary["mean"].notna()
    ]
    return kinds[0] if rows.empty else str(rows.loc[rows["mean"].idxmax(), "model"])


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """Return calibration curves: model, split, bin, predicted, observed, n (pairs of one seed)."""
    bins = table[table["metric"].str.startswith("reliability_")]
    parts = bins["metric"].str.extract(r"reliability_(?P<what>[a-z]+)_(?P<bin>\d+)")
    bins = bins.assign(what=parts["what"], bin=parts["bin"].astype(int))
    keys = ["model", "split", "bin"]
    bins["weighted"] = bins["value"] * bins["n"]
    sums = bins.groupby([*keys, "what"])[["weighted", "n"]].sum()
    wide = (sums["weighted"] / sums["n"]).unstack("what")
    n_seeds = table.groupby("split")["seed"].nunique().to_dict()
    pairs = sums["n"].xs("observed", level="what")
    wide["n"] = pairs // pairs.index.get_level_values("split").map(n_seeds)
    return wide.reset_index().rename_axis(columns=None)


def _fold_means(table: pd.DataFrame, keys: list[str]) -> pd.Series[float]:
    """Average over drugs within a fold; some metrics weigh pairs (`metrics.WEIGHTED_BY_N`)."""
    weight = table["n"].where(table["metric"].isin(WEIGHTED_BY_N), 1.0)
    weight = weight.where(table["value"].notna(), 0.0)
    sums = pd.DataFrame(
        {
            **{key: table[key] for key in keys},
            "weighted": table["value"].fillna(0.0) * weight,
            "weight": weight,
        }
    )
    grouped = sums.groupby(keys)[["weighted", "weight"]].sum()
    mean: pd.Series[float] = grouped["weighted"] / grouped["weight"].where(grouped["weight"] > 0)
    return mean


def _by_split(
    table: pd.DataFrame, keys: list[str], ratio: dict[str, float]
) -> Iterator[tuple[str, pd.DataFrame, float]]:
    """Yield split, (rows of `keys`, folds) means over drugs, and n_test / n_train."""
    for split, part in table.groupby("split", sort=False):
        means = _fold_means(part, [*keys, "seed", "fold"])
        yield str(split), means.unstack(["seed", "fold"]), ratio[str(split)]


def _paired(wide: pd.DataFrame, reference: str) -> Array:
    """Return each row minus the reference's, fold by fold; NaN where that was not judged."""
    own = wide[wide.index.get_level_values("model") == reference].droplevel("model")
    other = own.reindex(wide.index.droplevel("model"))
    difference: Array = wide.to_numpy(float) - other.to_numpy(float)
    return difference


def _test_share(table: pd.DataFrame) -> dict[str, float]:
    """Return n_test / n_train of each split: k folds of equal size give 1 / (k - 1)."""
    n_folds = table.groupby("split")["fold"].nunique()
    return {str(split): 1 / max(int(n) - 1, 1) for split, n in n_folds.items()}


def _moments(values: Array, ratio: float) -> tuple[Array, Array, NDArray[np.int_], Array]:
    """Return mean, half width of its interval, number of folds, and p against a mean of 0.

    `values` is (n_rows, n_folds), NaN where a fold has none. Half widths need two folds, tests a
    spread as well; they are NaN otherwise.
    """
    n = (~np.isnan(values)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(values, axis=1) / n
        squares = np.nansum(np.square(values - mean[:, None]), axis=1)
        error = np.sqrt(squares / (n - 1) * (1 / n + ratio))
        error[n < 2] = np.nan
        statistic = np.where(error > NO_SPREAD, np.abs(mean) / error, np.nan)
    freedom = np.maximum(n - 1, 1)
    half = student_t.ppf(0.5 + INTERVAL / 2, df=freedom) * error
    return mean, half, n, 2 * student_t.sf(statistic, df=freedom)
