"""How often a suggested cancer type is right, and how often no suggestion is made.

Every figure is of tumours that the judged model never saw, its limits included: models of folds and
of left-out types are fitted from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.compute import derive_seed
from resvae_core.data.type_tumours import TypeTumours
from resvae_core.features.genes import arrange
from resvae_core.models.cancer_type import (
    N_FOLDS,
    UNCLEAR,
    CancerTypeModel,
    another_pipeline,
    assign_folds,
    fit_cancer_type_model,
    select,
)
from resvae_core.tables import Expression

Progress = Callable[[str], None]

GENE_SHARES = (1.0, 0.8, 0.6, 0.4)
"""Shares of the genes kept; the last is below what a suggestion needs."""
Z_95 = 1.959963984540054
"""Quantile of the normal distribution for a 95 % interval."""
STEADY_SD, STEADY_LEVEL = 0.6, 2.0
"""log2 units: a gene that varies less than this within every type and is above this level in all
of them shows what pipelines do rather than what types do."""


@dataclass(frozen=True)
class CancerTypeFigures:
    """Tables of one judgement; see `judge`."""

    out_of_fold: pd.DataFrame
    another_pipeline: pd.DataFrame
    fewer_genes: pd.DataFrame
    left_out: pd.DataFrame
    cell_lines: pd.DataFrame
    pipelines: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        return dict(vars(self))


def judge(
    tumours: Mapping[str, TypeTumours],
    model: CancerTypeModel,
    lines: Expression,
    tissue: Mapping[str, str],
    progress: Progress,
) -> CancerTypeFigures:
    """Judge the suggestion.

    Parameters
    ----------
    tumours
        All that `model` was fitted on.
    model
        The one that will be used; judged on cell lines alone, which it never saw.
    lines
        (n_lines, n_genes) expression of cell lines.
    tissue
        Line to type code, as `type_of_tissue` gives it; "" for lines of other types.
    progress
        Called with what comes next.

    Returns
    -------
    CancerTypeFigures
        ``out_of_fold`` and ``another_pipeline`` (held-out tumours as measured, and moved by a
        made-up pipeline), ``fewer_genes`` (a share of the genes alone), ``left_out`` (tumours of
        types that the model had never seen), ``cell_lines``, ``pipelines`` (how far medians of
        cohorts lie apart in genes that hardly vary).
    """
    plain, moved, fewer = _out_of_fold(tumours, progress)
    counts = {code: len(group.expression.values) for code, group in tumours.items()}
    return CancerTypeFigures(
        by_type(plain, counts),
        by_type(moved, counts),
        _by_share(fewer),
        _left_out(tumours, progress),
        judge_cell_lines(model, lines, tissue),
        pipeline_differences(tumours),
    )


def _out_of_fold(
    tumours: Mapping[str, TypeTumours], progress: Progress
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return answers with the true type: as measured, moved, and with fewer genes."""
    folds = assign_folds(tumours)
    plain, moved, fewer = [], [], []
    for fold in range(N_FOLDS):
        progress(f"fold {fold + 1} of {N_FOLDS}")
        model = fit_cancer_type_model(select(tumours, folds, fold, inside=False))
        for code, group in select(tumours, folds, fold, inside=True).items():
            plain.append(_answers(model, group.expression, code))
            name = f"judged, fold {fold}, {code}"
            moved.append(_answers(model, another_pipeline(group.expression, name), code))
            fewer += [
                _answers(model, keep_share(group.expression, share, name), code).assign(share=share)
                for share in GENE_SHARES
            ]
    return pd.concat(plain), pd.concat(moved), pd.concat(fewer)


def _answers(model: CancerTypeModel, expression: Expression, code: str) -> pd.DataFrame:
    return model.suggest(expression).assign(type=code)


def keep_share(expression: Expression, share: float, name: str) -> Expression:
    """Return samples with a share of their genes, drawn once for all of them."""
    rng = np.random.default_rng(derive_seed("genes kept", name, str(share)))
    genes = np.array(expression.genes)
    kept = rng.permutation(genes)[: round(share * len(genes))]
    return Expression(expression.values[list(kept)])


def by_type(answers: pd.DataFrame, counts: Mapping[str, int]) -> pd.DataFrame:
    """Count right, wrong and withheld answers, type by type and in all.

    Parameters
    ----------
    answers
        As from `CancerTypeModel.suggest`, with the true ``type``.
    counts
        Tumours of each type in training: the floor is the share of the most frequent.

    Returns
    -------
    DataFrame
        One row a type, then ``all`` (tumours weighing the same) and ``mean of types``: ``n``,
        ``right``, ``wrong``, ``unclear`` (shares of all), ``lower`` and ``upper`` (95 % Wilson
        interval of ``right``; missing for the mean of types), ``nearest_right`` (were every tumour
        answered) and ``floor`` (always naming the most frequent type).
    """
    most = max(counts, key=lambda code: counts[code])
    rows = [_shares(rows, str(code), most) for code, rows in answers.groupby("type", sort=True)]
    table = pd.DataFrame([*rows, _shares(answers, "all", most)])
    means = table.iloc[:-1].drop(columns=["type", "n", "lower", "upper"]).mean()
    mean_row = pd.DataFrame([{"type": "mean of types", "n": len(answers), **means}])
    return pd.concat([table, mean_row], ignore_index=True)


def _shares(answers: pd.DataFrame, name: str, most: str) -> dict[str, object]:
    truth, said = answers["type"], answers["suggestion"]
    n_right = int((said == truth).sum())
    lower, upper = wilson(n_right, len(answers))
    return {
        "type": name,
        "n": len(answers),
        "right": n_right / len(answers),
        "lower": lower,
        "upper": upper,
        "wrong": float(((said != truth) & (said != UNCLEAR)).mean()),
        "unclear": float((said == UNCLEAR).mean()),
        "nearest_right": float((answers["nearest"] == truth).mean()),
        "floor": float((truth == most).mean()),
    }


def _by_share(answers: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over types for each share of genes."""
    rows = []
    for share, some in answers.groupby("share", sort=False):
        counts = {str(code): int(n) for code, n in some["type"].value_counts().items()}
        table = by_type(some, counts)
        rows.append({"share_of_genes": share, **table.iloc[-1].drop("type").to_dict()})
    return pd.DataFrame(rows).drop(columns=["floor", "lower", "upper"])


def _left_out(tumours: Mapping[str, TypeTumours], progress: Progress) -> pd.DataFrame:
    """Ask models of the other types about each type's tumours: ``unclear`` is the right answer."""
    rows = []
    for code, group in tumours.items():
        progress(f"without {code}")
        model = fit_cancer_type_model({c: g for c, g in tumours.items() if c != code})
        for measured, expression in (
            ("as measured", group.expression),
            ("another pipeline", another_pipeline(group.expression, f"judged, left out {code}")),
        ):
            answers = model.suggest(expression)
            rows.append({"left_out": code, "measured": measured, **_withheld(answers)})
    return pd.DataFrame(rows)


def _withheld(answers: pd.DataFrame) -> dict[str, object]:
    named = answers.loc[answers["suggestion"] != UNCLEAR, "suggestion"]
    n_unclear = len(answers) - len(named)
    lower, upper = wilson(n_unclear, len(answers))
    return {
        "n": len(answers),
        "unclear": n_unclear / len(answers),
        "lower": lower,
        "upper": upper,
        "named": ", ".join(f"{code} {n}" for code, n in named.value_counts().items()),
        "nearest": ", ".join(f"{c} {n}" for c, n in answers["nearest"].value_counts().items()),
    }


def judge_cell_lines(
    model: CancerTypeModel, lines: Expression, tissue: Mapping[str, str]
) -> pd.DataFrame:
    """Ask about cell lines, with and without the rule on the number of genes.

    Returns
    -------
    DataFrame
        One row a type and one for lines of other types (``other``): ``n``, ``n_genes`` (median of
        the model's genes measured), ``right``, ``unclear`` (shares; none is right in ``other``),
        and ``nearest_right``, ``too_far``: what would be answered without the rule.
    """
    answers = model.suggest(lines)
    evidence = model.profiles.weigh(lines)
    nearest = np.array(model.types)[evidence.evidence.argmax(axis=1)]
    too_far = model.typical.typicality(evidence) < model.calibration.limit
    truth = np.array([tissue[name] or "other" for name in lines.samples])
    rows = []
    for group in [*model.types, "other"]:
        own = truth == group
        if not own.any():
            continue
        rows.append(
            {
                "type": group,
                "n": int(own.sum()),
                "n_genes": int(answers.loc[own, "n_genes"].median()),
                "right": float((answers.loc[own, "suggestion"] == group).mean()),
                "unclear": float((answers.loc[own, "suggestion"] == UNCLEAR).mean()),
                "nearest_right": float((nearest[own] == group).mean()),
                "too_far": float(too_far[own].mean()),
            }
        )
    return pd.DataFrame(rows)


def pipeline_differences(tumours: Mapping[str, TypeTumours]) -> pd.DataFrame:
    """Measure how far pipelines move genes that hardly vary within a type.

    Returns
    -------
    DataFrame
        One row a pair of types: ``first``, ``second``, ``same_pipeline``, ``n_genes``, ``sd`` and
        ``median_absolute`` of the differences between their medians, log2 units.
    """
    genes = next(iter(tumours.values())).expression.genes
    matrices = {code: arrange(group.expression, genes) for code, group in tumours.items()}
    spread = np.mean([values.std(axis=0) for values in matrices.values()], axis=0)
    level = np.min([values.mean(axis=0) for values in matrices.values()], axis=0)
    steady = (spread < STEADY_SD) & (level > STEADY_LEVEL)
    medians = {code: np.median(values[:, steady], axis=0) for code, values in matrices.items()}
    rows = []
    for first, second in _pairs(tumours):
        gaps = medians[first] - medians[second]
        rows.append(
            {
                "first": first,
                "second": second,
                "same_pipeline": tumours[first].pipeline == tumours[second].pipeline,
                "n_genes": int(steady.sum()),
                "sd": float(gaps.std()),
                "median_absolute": float(np.median(np.abs(gaps))),
            }
        )
    return pd.DataFrame(rows)


def _pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    ordered = list(names)
    return [(a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 :]]


def wilson(n_hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    if not n:
        return float("nan"), float("nan")
    share, z2 = n_hits / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)


def type_of_tissue(tissue: str, types: Iterable[str]) -> str:
    """Return the type code that a tissue label of cell lines stands for; "" where none does.

    ``COREAD`` (colon and rectum are one label) stands for READ.
    """
    code = "READ" if tissue == "COREAD" else tissue
    return code if code in set(types) else ""
