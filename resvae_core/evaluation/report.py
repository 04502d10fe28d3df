"""The evaluation as text: tables for ``benchmarks/`` and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, LEAVE_TISSUE_OUT
from resvae_core.evaluation.coverage import ALL, BLOOD, MINIMAL_LINES, SOLID
from resvae_core.evaluation.external import IN_TRAINING, MEASUREMENT, NOT_IN_TRAINING, SOURCES
from resvae_core.evaluation.metrics import MEANINGS
from resvae_core.evaluation.summary import DISTILLED, summarise
from resvae_core.models.catalog import KINDS, title_of
from resvae_core.models.conformal import NOMINAL

TITLE = """# Evaluation

Made by `python -m resvae_core evaluate --data ../shared/data --report benchmarks/evaluation.md`.

Means over drugs, with 95 % intervals over folds (corrected resampled t). `leave_cell_line_out`:
test lines unseen, their tissues seen. `leave_cell_line_out_permuted`: the negative control,
training lines with each other's responses. `leave_tissue_out`: whole sites of origin unseen. The
floors, from drug × tissue mean down, read no expression; p is the paired test of ROC AUC against
the first of them, not corrected for the number of tests. In `leave_tissue_out` that floor knows no
tissue of the test lines, so the test there is against chance. Thresholds of models and floors alike
were chosen on training lines. Encoders were pretrained on expression profiles without responses,
cell lines among them: in both splits an encoder may have seen a test line's expression, never its
response.
"""

HEADLINE = ("roc_auc", "within_tissue_roc_auc", "lift_over_tissue_floor", "pearson", "brier", "ece")
COMPARED = ("roc_auc", "within_tissue_roc_auc")
"""Metrics whose paired tests are printed."""
FIVE = ("vae_ll", "vae_ls", "vae_ld", "random_forest", "xgboost")
CLEAR = 0.05


def benchmark_report(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> str:
    """Return Markdown: a table a split with models and floors, tests, coverage, and what follows.

    Parameters
    ----------
    table
        As `benchmark.run` gives it.
    tables
        As `summary.evaluation_tables` and `external.external_tables` give them; a table that is
        not there is not printed.
    """
    summary = tables["summary"]
    table = table[table["model"].isin(KINDS)]
    parts = [_split_section(str(split), table, tables) for split in dict.fromkeys(table["split"])]
    if "ablations" in tables:
        parts.append(_ablation_section(tables["ablations"]))
    external = tables.get("external")
    if external is not None and len(external):
        parts.append(_external_section(external))
    meanings = "\n".join(
        f"- `{name}`: {meaning}"
        for name, meaning in MEANINGS.items()
        if name in set(summary["metric"])
    )
    return "\n".join([TITLE, *parts, "## Metrics\n", meanings]) + "\n"


def order_sentence(summary: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """Say whether the published order, VAE_LD best of the five, holds on left-out cell lines.

    It holds where VAE_LD has the highest mean ROC AUC and the highest mean within tissue.

    Parameters
    ----------
    summary, comparisons
        As `summary.summarise` and `summary.compare` give them.

    Returns
    -------
    str
        One sentence with the figures; "" where VAE_LD or all others were not judged.
    """
    means = _means(summary, LEAVE_CELL_LINE_OUT, FIVE)
    if DISTILLED not in means.index or len(means) < 2:
        return ""
    found = [_standing(means[metric], metric, comparisons) for metric in COMPARED]
    holds = all(means[metric].idxmax() == DISTILLED for metric in COMPARED)
    return (
        f"The published order, VAE_LD best of the five, {'holds' if holds else 'does not hold'} "
        f"here: {'; '.join(found)}."
    )


def _standing(means: pd.Series[float], metric: str, comparisons: pd.DataFrame) -> str:
    """Say in words where VAE_LD stands among the five by one metric."""
    rival = str(means.drop(DISTILLED).idxmax())
    words = {"roc_auc": "ROC AUC", "within_tissue_roc_auc": "ROC AUC within tissue"}[metric]
    rank = int((means > means[DISTILLED]).sum()) + 1
    text = (
        f"by {words} it comes {rank} of {len(means)} with {means[DISTILLED]:.3f}, the best other "
        f"is {title_of(rival)} with {means[rival]:.3f}"
    )
    test = comparisons[
        (comparisons["split"] == LEAVE_CELL_LINE_OUT)
        & (comparisons["metric"] == metric)
        & (comparisons["model"] == rival)
        & (comparisons["reference"] == DISTILLED)
    ]
    if test.empty:
        return text
    p_value = float(test["p_value"].iloc[0])
    verdict = "a difference" if p_value < CLEAR else "no clear difference"
    return f"{text} ({verdict}: paired p = {p_value:.2g})"


def _split_section(split: str, table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> str:
    rows = tables["summary"][tables["summary"]["split"] == split]
    n_folds = int(rows["n_folds"].max())
    parts = [f"## {split} ({n_folds} folds)\n"]
    if split != LEAVE_CELL_LINE_OUT:
        parts.append(f"{_table(rows, HEADLINE)}\n\nAll metrics, mean:\n\n{_means_table(rows)}\n")
    else:
        parts.append(f"{_table(rows, _judging(rows))}\n")
        sentence = order_sentence(tables["summary"], tables["comparisons"])
        parts += [f"{sentence}\n"] if sentence else []
        parts.append(f"{_unproven(table)}\n")
        parts.append(_comparisons(tables["comparisons"], split))
    if split == LEAVE_TISSUE_OUT:
        parts.append(f"Brier score by fold:\n\n{_by_fold(table, 'brier')}\n")
    parts.append(_coverage_section(split, tables))
    return "\n".join(part for part in parts if part)


def _table(rows: pd.DataFrame, metrics: Sequence[str]) -> str:
    """Return means with intervals, a row a model."""
    body = []
    for kind in _kinds(rows["model"]):
        own = rows[rows["model"] == kind].set_index("metric")
        p_value = float(own["p_value"]["roc_auc"])
        cells = [_interval(own, metric) for metric in metrics]
        body.append([title_of(kind), *cells, _p(p_value)])
    return _markdown(["model", *metrics, "p against tissue floor"], body)


def _unproven(table: pd.DataFrame) -> str:
    """Say for how many drugs a model's gain over the tissue floor may be 0."""
    rows = table["split"].eq(LEAVE_CELL_LINE_OUT) & table["metric"].eq("lift_over_tissue_floor")
    lift = summarise(table[rows], by_drug=True)
    doubtful = (~(lift["lower"] > 0)).groupby(lift["model"]).sum()
    counts = ", ".join(
        f"{title_of(kind)} {doubtful[kind]}"
        for kind in _kinds(doubtful.index)
        if not KINDS[kind].is_floor
    )
    n_drugs = lift["drug"].nunique()
    return f"Of {n_drugs} drugs, so many have no gain over the tissue floor shown: {counts}."


def _comparisons(comparisons: pd.DataFrame, split: str) -> str:
    """Return the paired tests of the learned models, a table a metric."""
    rows = comparisons[(comparisons["split"] == split) & ~comparisons["model"].map(_is_floor)]
    references = _kinds(rows["reference"])
    parts = [
        "Paired tests over the folds, model minus reference: difference (95 % interval), p, and p "
        "corrected by Holm's method for every test of that metric and split, those of the floors "
        "among them. Metrics are families of their own."
    ]
    for metric in COMPARED:
        own = rows[rows["metric"] == metric].set_index(["model", "reference"])
        body = [
            [title_of(kind), *(_test_cell(own, kind, reference) for reference in references)]
            for kind in _kinds(rows["model"])
        ]
        header = [f"`{metric}`", *(f"against {title_of(kind)}" for kind in references)]
        parts.append(f"\n{_markdown(header, body)}")
    return "\n".join(parts) + "\n"


def _test_cell(tests: pd.DataFrame, model: str, reference: str) -> str:
    if (model, reference) not in tests.index:
        return "–"
    names = ("difference", "lower", "upper", "p_value", "p_holm")
    difference, lower, upper, p, p_holm = (float(tests[n][model, reference]) for n in names)
    return f"{difference:+.3f} ({lower:+.3f} to {upper:+.3f}), p {_p(p)}, Holm {_p(p_holm)}"


def _coverage_section(split: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """Return coverage of the conformal sets: all together, spread, and by cancer type."""
    tissues, drugs = tables.get("coverage_by_tissue"), tables.get("coverage_by_drug")
    if tissues is None or tissues.empty or split not in set(tissues["split"]):
        return ""
    own = tissues[tissues["split"] == split]
    summary = tables["summary"][tables["summary"]["split"] == split]
    parts = [
        f"Conformal sets, nominal coverage {NOMINAL:.2f} of each class. Intervals (95 %) treat "
        "lines as the unit. Blood: leukaemias, lymphomas and myelomas. The spread is over "
        f"cancer types with at least {MINIMAL_LINES} lines of the class, and over drugs.\n",
        _coverage_overall(own, drugs if split == LEAVE_CELL_LINE_OUT else None, summary),
    ]
    if split == LEAVE_CELL_LINE_OUT:
        parts.append(
            f"\nCoverage by cancer type, with lines and pairs of the class:\n\n{_by_tissue(own)}"
        )
    return "\n".join(parts) + "\n"


def _coverage_overall(own: pd.DataFrame, drugs: pd.DataFrame | None, summary: pd.DataFrame) -> str:
    header = ["model", "class", "all", "solid", "blood", "cancer types", "drugs", "one class",
              "both", "neither"]  # fmt: skip
    body = []
    for kind in _kinds(own["model"]):
        share = summary[summary["model"] == kind].set_index("metric")["mean"]
        sets = [f"{share[f'set_{name}']:.2f}" for name in ("single", "both", "neither")]
        for word in ("resistant", "sensitive"):
            rows = own[(own["model"] == kind) & (own["true_class"] == word)]
            pooled = [_share_cell(rows[rows["tissue"] == name]) for name in (ALL, SOLID, BLOOD)]
            single = rows[~rows["tissue"].isin([ALL, SOLID, BLOOD])]
            spread = _range(single[single["n_lines"] >= MINIMAL_LINES]["coverage"])
            by_drug = "–"
            if drugs is not None:
                chosen = (drugs["model"] == kind) & (drugs["true_class"] == word)
                by_drug = _range(drugs[chosen]["coverage"])
            body.append([title_of(kind), word, *pooled, spread, by_drug, *sets])
    return _markdown(header, body)


def _by_tissue(own: pd.DataFrame) -> str:
    """Return coverage a cancer type and class, a column a model."""
    kinds = _kinds(own["model"])
    enough = own[(own["n_lines"] >= MINIMAL_LINES) & ~own["tissue"].isin([ALL, SOLID, BLOOD])]
    body = []
    for (tissue, word), rows in enough.groupby(["tissue", "true_class"]):
        by_model = rows.set_index("model")
        first = by_model.iloc[0]
        counts = [str(int(first["n_lines"])), str(int(first["n_pairs"]))]
        cells = [_share_cell(by_model.loc[[kind]]) for kind in kinds]
        body.append([str(tissue), str(word), *counts, *cells])
    return _markdown(["cancer type", "class", "lines", "pairs", *map(title_of, kinds)], body)


def _ablation_section(ablations: pd.DataFrame) -> str:
    """Return what models lose, or gain, where a part is missing or changed."""
    parts = [
        f"## Ablations ({LEAVE_CELL_LINE_OUT}, seed 0)\n",
        "Below each model, variants that lack or change a part of it, fitted and judged like it on "
        "the folds of the first repetition. Mean, and in brackets the paired difference to the "
        "model (95 % interval), p, and p corrected by Holm's method for all variants and that "
        "metric. Below 0 the part helps.\n",
    ]
    body = []
    for base in _kinds(ablations["base"]):
        own = ablations[ablations["base"] == base]
        wholes = own.drop_duplicates("metric").set_index("metric")["base_mean"]
        body.append([title_of(base), *(f"{wholes[metric]:.3f}" for metric in COMPARED)])
        for name, rows in own.groupby("model", sort=False):
            by_metric = rows.set_index("metric")
            cells = [_ablation_cell(by_metric, metric) for metric in COMPARED]
            body.append([title_of(str(name)), *cells])
    parts.append(_markdown(["model", *COMPARED], body))
    return "\n".join(parts) + "\n"


def _ablation_cell(rows: pd.DataFrame, metric: str) -> str:
    names = ("mean", "difference", "difference_lower", "difference_upper", "p_value", "p_holm")
    mean, difference, lower, upper, p, p_holm = (float(rows[name][metric]) for name in names)
    return (
        f"{mean:.3f} ({difference:+.3f}, {lower:+.3f} to {upper:+.3f}; p {_p(p)}, "
        f"Holm {_p(p_holm)})"
    )


def _external_section(external: pd.DataFrame) -> str:
    parts = [
        "## Another screen, and the published calls\n",
        "Out-of-fold predictions of the first repetition: each line scored by a model that never "
        "saw it. Means over drugs; 95 % intervals by bootstrap over drugs, which do not say what "
        f"other lines would have given. `{IN_TRAINING}`: lines whose response to the drug is in "
        f"the training screen; `{NOT_IN_TRAINING}`: lines that were not measured for that drug "
        "there. The training screen's own ln IC50 stands first: no model can be asked for more "
        "than two measurements share. Lines are ranked within folds; sets of lines hold different "
        "drugs, so compare down a column. CTRPv2 was never trained on. Table S5C calls GDSC1: for "
        "drugs trained on GDSC2 another measurement, for seven drugs the trained one under the "
        "published threshold.\n",
    ]
    for (source, metric), rows in external.groupby(["source", "metric"], sort=False):
        title = SOURCES[str(source)]
        parts.append(f"### {title}: {str(metric).replace('_', ' ')}\n\n{_external_table(rows)}\n")
    return "\n".join(parts)


def _external_table(rows: pd.DataFrame) -> str:
    sets = list(dict.fromkeys(rows["lines"]))
    header, body = ["model"], []
    for name in sets:
        size = rows[rows["lines"] == name].iloc[0]
        counts = f"{size['n_drugs']} drugs, {size['n_lines']} lines, {size['n_pairs']} pairs"
        header.append(f"`{name}` ({counts})")
    for kind in [MEASUREMENT, *_kinds(rows["model"])]:
        own = rows[rows["model"] == kind].set_index("lines")
        title = "Training screen's measurement" if kind == MEASUREMENT else title_of(kind)
        body.append([title, *(_interval(own, name) if name in own.index else "–" for name in sets)])
    return _markdown(header, body)


def _by_fold(table: pd.DataFrame, metric: str) -> str:
    """Return a metric's mean over drugs, fold by fold: folds of other sites differ widely."""
    rows = table[(table["split"] == LEAVE_TISSUE_OUT) & (table["metric"] == metric)]
    wide = rows.pivot_table(index="model", columns="fold", values="value", aggfunc="mean")
    body = [
        [title_of(kind), *(f"{value:.3f}" for value in wide.loc[kind])]
        for kind in _kinds(wide.index)
    ]
    return _markdown(["model", *(f"fold {fold}" for fold in wide.columns)], body)


def _means_table(rows: pd.DataFrame) -> str:
    metrics = _judging(rows)
    wide = rows.pivot(index="model", columns="metric", values="mean")
    body = [
        [title_of(kind), *(f"{wide.loc[kind, metric]:.3f}" for metric in metrics)]
        for kind in _kinds(wide.index)
    ]
    return _markdown(["model", *metrics], body)


def _judging(rows: pd.DataFrame) -> list[str]:
    """Return the metrics of the models; those of the conformal sets have a table of their own."""
    present = {name for name in rows["metric"] if not name.startswith(("set_", "coverage_"))}
    return [name for name in MEANINGS if name in present]


def _means(summary: pd.DataFrame, split: str, kinds: Sequence[str]) -> pd.DataFrame:
    """Return means of the compared metrics: rows = models, columns = metrics."""
    rows = summary[
        (summary["split"] == split)
        & summary["model"].isin(kinds)
        & summary["metric"].isin(COMPARED)
    ]
    return rows.pivot(index="model", columns="metric", values="mean")


def _kinds(found: pd.Series[str] | pd.Index[str]) -> list[str]:
    """Return the kinds that are there, in the order of display."""
    present = set(found)
    return [kind for kind in KINDS if kind in present]


def _is_floor(kind: str) -> bool:
    return KINDS[kind].is_floor


def _interval(rows: pd.DataFrame, name: str) -> str:
    mean, lower, upper = (float(rows[key][name]) for key in ("mean", "lower", "upper"))
    if math.isnan(lower) or lower == upper:
        return f"{mean:.3f}"
    return f"{mean:.3f} ({lower:.3f}–{upper:.3f})"


def _share_cell(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "–"
    row = rows.iloc[0]
    if math.isnan(float(row["lower"])):
        return f"{row['coverage']:.2f}"
    return f"{row['coverage']:.3f} ({row['lower']:.2f}–{row['upper']:.2f})"


def _range(values: pd.Series[float]) -> str:
    return f"{values.min():.2f}–{values.max():.2f}" if len(values) else "–"


def _p(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1e}"


def _markdown(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(cells) + " |" for cells in body)])
