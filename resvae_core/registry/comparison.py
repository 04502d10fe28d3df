"""Two model sets side by side: what each was judged at, and tests that pair what can be paired.

Two sets were judged in runs of their own. Where both kept their folds (``evaluation/folds.csv``),
on the same lines and the same drugs, a test pairs fold with fold: the corrected resampled t of
`evaluation.summary`. Else it pairs drug with drug: each drug's mean over folds, in both sets. Drugs
share cell lines, so they know less than their number says: such an interval is too narrow rather
than too wide. What cannot be paired is named, with the reason; nothing is compared by eye alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.errors import ArtifactError
from resvae_core.evaluation.benchmark import ALL_DRUGS, PERMUTED
from resvae_core.evaluation.summary import TESTED, compare, holm
from resvae_core.explain.positive_controls import ATTRIBUTION
from resvae_core.models.catalog import title_of
from resvae_core.registry.card import Card
from resvae_core.registry.description import describe_model_set
from resvae_core.registry.library import SetEntry
from resvae_core.registry.store import list_cards, load_evaluation

METRICS = (*TESTED, "ece", "coverage_resistant", "coverage_sensitive")
"""Metrics that are shown side by side."""
OF_MEASUREMENTS = ("pearson", "spearman")
"""Metrics that read ln IC50 and no label: comparable whatever counts as resistant."""
BY_FOLDS, BY_DRUGS = "corrected resampled t over folds", "paired t over drugs"
MINIMAL_DRUGS = 3
"""Drugs that both sets need for a test that pairs drugs."""
INTERVAL = 0.95
CANDIDATE, ACTIVE = "candidate", "active"
BOUNDS = ("mean", "lower", "upper")
PAIRED = (
    "split",
    "model",
    "metric",
    "difference",
    "lower",
    "upper",
    "n",
    "p_value",
    "p_holm",
    "test",
)
CATALOGUE_RULE = "catalogue"


@dataclass(frozen=True)
class SetComparison:
    """What was found of two sets.

    Parameters
    ----------
    metrics
        Columns split, model, metric; mean, lower, upper (95 %) of each set with ``_candidate`` and
        ``_active`` behind; ``floor``: whether the model is one. NaN where a set has no such model.
    tests
        Columns of `PAIRED`: difference is candidate minus active, with its 95 % interval; n folds
        or drugs, as ``test`` names; p two-sided, p_holm corrected by Holm's method for all rows.
    negative
        The negative control, within-tissue ROC AUC of models trained on permuted labels: columns
        set, model, mean, lower, upper. At chance where the interval holds 0.5.
    positive
        The positive controls of each set's default model: columns drug, gene, passes_candidate,
        passes_active (True, False, or None where not assessable).
    lost_models, lost_drugs
        What the active set has and the candidate has not.
    not_assessable
        What could not be compared, and why; one sentence each.
    other_data
        Whether the sets were judged on other data.
    defaults
        What the tests call the pair of the two default models.
    """

    metrics: pd.DataFrame
    tests: pd.DataFrame
    negative: pd.DataFrame
    positive: pd.DataFrame
    lost_models: tuple[str, ...]
    lost_drugs: tuple[str, ...]
    not_assessable: tuple[str, ...]
    other_data: bool
    defaults: str

    def test_of_defaults(self, metric: str) -> Any:
        """Return the test of the two default models on left-out lines; None where there is none."""
        rows = self.tests[
            (self.tests["model"] == self.defaults)
            & (self.tests["metric"] == metric)
            & (self.tests["split"] == LEAVE_CELL_LINE_OUT)
        ]
        return None if rows.empty else next(rows.itertuples())


@dataclass(frozen=True)
class JudgedSet:
    """A set with what its evaluation holds; tables are read when they are asked for."""

    folder: Path

    @cached_property
    def cards(self) -> dict[str, Card]:
        """Kind to card, learned models first."""
        return {card.kind: card for card in list_cards(self.folder)}

    @cached_property
    def default_model(self) -> str:
        """Kind that speaks first."""
        return describe_model_set(self.folder).default_model

    @cached_property
    def learned(self) -> list[str]:
        """Kinds that read expression."""
        return [kind for kind, card in self.cards.items() if not card.document["is_floor"]]

    @cached_property
    def drugs(self) -> list[str]:
        """Names of the drugs."""
        return list(self.cards[self.default_model].document["drugs"])

    @cached_property
    def labels(self) -> tuple[str, float | None]:
        """What counts as resistant: the rule, and its share where that is part of it."""
        request = self.cards[self.default_model].document.get("request") or {}
        rule = str(request.get("label_rule", CATALOGUE_RULE))
        return rule, None if rule == CATALOGUE_RULE else request.get("label_share")

    def table(self, name: str) -> pd.DataFrame | None:
        """Return a table of the evaluation; None where the set was saved without it."""
        try:
            return load_evaluation(name, self.folder)
        except ArtifactError:
            return None

    def figure(self, model: str, metric: str, split: str = LEAVE_CELL_LINE_OUT) -> Any:
        """Return a row of the summary (mean, lower, upper, …); None where it was not judged."""
        summary = self.table("summary")
        if summary is None:
            return None
        chosen = summary[
            (summary["model"] == model)
            & (summary["metric"] == metric)
            & (summary["split"] == split)
        ]
        return None if chosen.empty else next(chosen.itertuples())

    def controls(self) -> pd.DataFrame | None:
        """Return the default model's positive controls: drug, gene, passes (None: unknown)."""
        table = self.table("positive_controls")
        if table is None:
            return None
        own = table[(table["measure"] == ATTRIBUTION) & (table["model"] == self.default_model)]
        known = own["why_not_assessable"].isna()
        passes = [bool(value) if k else None for value, k in zip(own["passes"], known, strict=True)]
        return own[["drug", "gene"]].assign(passes=pd.Series(passes, own.index, dtype=object))


def compare_sets(a: SetEntry, b: SetEntry) -> SetComparison:
    """Compare two sets by what each was judged at.

    Parameters
    ----------
    a
        The candidate.
    b
        The active set, or another one: its names end in ``_active``.

    Raises
    ------
    ArtifactError
        If a card or the evaluation cannot be read.
    """
    candidate, active = JudgedSet(a.folder), JudgedSet(b.folder)
    tests, reasons = _tests(candidate, active)
    return SetComparison(
        metrics=_metrics(candidate, active),
        tests=tests,
        negative=_negative({CANDIDATE: candidate, ACTIVE: active}),
        positive=_positive(candidate, active),
        lost_models=_lost(active.learned, candidate.learned),
        lost_drugs=_lost(active.drugs, candidate.drugs),
        not_assessable=tuple(reasons),
        other_data=bool(_other_data(candidate, active)),
        defaults=_pair_of_defaults(candidate, active),
    )


def _lost(before: list[str], after: list[str]) -> tuple[str, ...]:
    return tuple(name for name in before if name not in after)


def _metrics(candidate: JudgedSet, active: JudgedSet) -> pd.DataFrame:
    keys = ["split", "model", "metric"]
    own, other = (_summary(one) for one in (candidate, active))
    suffixes = (f"_{CANDIDATE}", f"_{ACTIVE}")
    merged = own.merge(other, on=keys, how="outer", suffixes=suffixes, sort=False)
    kinds = {**active.cards, **candidate.cards}
    floor = {kind: bool(card.document["is_floor"]) for kind, card in kinds.items()}
    merged["floor"] = merged["model"].map(floor).fillna(False).astype(bool)
    order = {name: place for place, name in enumerate([*kinds, *METRICS])}
    return merged.sort_values(
        keys, key=lambda column: column.map(order) if column.name != "split" else column
    ).reset_index(drop=True)


def _summary(one: JudgedSet) -> pd.DataFrame:
    table = one.table("summary")
    columns = ["split", "model", "metric", *BOUNDS]
    if table is None or table.empty:
        empty = pd.DataFrame(columns=columns, dtype=object)
        return empty.astype(dict.fromkeys(BOUNDS, float))
    return table.loc[table["metric"].isin(METRICS), columns]


def _negative(sets: Mapping[str, JudgedSet]) -> pd.DataFrame:
    parts = []
    for name, one in sets.items():
        table = _summary(one)
        rows = table[
            (table["split"] == LEAVE_CELL_LINE_OUT + PERMUTED)
            & (table["metric"] == "within_tissue_roc_auc")
            & table["model"].isin(one.learned)
        ]
        parts.append(rows[["model", *BOUNDS]].assign(set=name))
    return pd.concat(parts, ignore_index=True)[["set", "model", *BOUNDS]]


def _positive(candidate: JudgedSet, active: JudgedSet) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["drug", "gene", "passes"], dtype=object)
    own, other = (one.controls() for one in (candidate, active))
    merged = (empty if own is None else own).merge(
        empty if other is None else other,
        on=["drug", "gene"],
        how="outer",
        suffixes=(f"_{CANDIDATE}", f"_{ACTIVE}"),
        sort=False,
    )
    for name in (CANDIDATE, ACTIVE):
        column = merged[f"passes_{name}"]
        known = [None if pd.isna(value) else bool(value) for value in column]
        merged[f"passes_{name}"] = pd.Series(known, merged.index, dtype=object)
    return merged


def _tests(candidate: JudgedSet, active: JudgedSet) -> tuple[pd.DataFrame, list[str]]:
    """Return the paired tests of the models that both sets have, and what could not be paired."""
    shared = [kind for kind in active.learned if kind in candidate.learned]
    pairs = {kind: (kind, kind) for kind in shared}
    reasons = []
    for name, one in ((CANDIDATE, candidate), (ACTIVE, active)):
        alone = ", ".join(title_of(kind) for kind in one.learned if kind not in shared)
        reasons += [f"Only in the {name} set: {alone}."] if alone else []
    first = _pair_of_defaults(candidate, active)
    pairs = {first: (candidate.default_model, active.default_model), **pairs}
    comparable, why = _comparable(candidate, active)
    reasons += [*_other_data(candidate, active), *why]
    found = pd.concat([_empty(), *_paired(candidate, active, pairs, comparable, reasons)])
    found["p_holm"] = holm(found["p_value"].reset_index(drop=True).astype(float)).to_numpy()
    return found.reset_index(drop=True)[list(PAIRED)], reasons


def _pair_of_defaults(candidate: JudgedSet, active: JudgedSet) -> str:
    own, other = candidate.default_model, active.default_model
    return own if own == other else f"{title_of(own)} against {title_of(other)}"


def _other_data(candidate: JudgedSet, active: JudgedSet) -> list[str]:
    """Say so where the sets were judged on other data."""
    own, other = (one.cards[one.default_model].document["training"] for one in (candidate, active))
    if own["data_digests"] == other["data_digests"] and own["n_lines"] == other["n_lines"]:
        return []
    return [
        f"Line by line: the sets were judged on other data ({own['n_lines']} and "
        f"{other['n_lines']} cell lines), so their metrics are not of the same lines."
    ]


def _comparable(candidate: JudgedSet, active: JudgedSet) -> tuple[list[str], list[str]]:
    """Return the metrics that mean the same in both sets, and why others do not."""
    if candidate.labels == active.labels:
        return list(TESTED), []
    rules = " and ".join(
        f"'{rule}'" + (f" with a share of {share:g}" if share is not None else "")
        for rule, share in (candidate.labels, active.labels)
    )
    kept = [metric for metric in TESTED if metric in OF_MEASUREMENTS]
    return kept, [
        f"Metrics of the labels: what counts as resistant differs ({rules}), so only the "
        f"correlation with measured ln IC50 is tested."
    ]


def _paired(
    candidate: JudgedSet,
    active: JudgedSet,
    pairs: Mapping[str, tuple[str, str]],
    metrics: list[str],
    reasons: list[str],
) -> Iterator[pd.DataFrame]:
    by_fold, why = _fold_table(candidate, active, pairs, metrics)
    done = set(by_fold["split"]) if not by_fold.empty else set()
    if not by_fold.empty:
        yield _test_folds(by_fold)
    if LEAVE_CELL_LINE_OUT not in done and pairs:
        reasons.append(f"Fold by fold: {why}; drugs are paired instead.")
        by_drug, n_drugs = _drug_table(candidate, active, pairs, metrics)
        if n_drugs < MINIMAL_DRUGS:
            reasons.append(
                f"Drug by drug: the sets share {n_drugs} drugs with a metric of their own; "
                f"{MINIMAL_DRUGS} are needed."
            )
        else:
            yield _test_drugs(by_drug)
    for split in _splits(candidate, active) - done - {LEAVE_CELL_LINE_OUT}:
        reasons.append(f"Paired tests of {split}: {why}, and drugs are not kept for this split.")


def _splits(candidate: JudgedSet, active: JudgedSet) -> set[str]:
    judged = [set(_summary(one)["split"]) for one in (candidate, active)]
    return {split for split in judged[0] & judged[1] if not str(split).endswith(PERMUTED)}


def _fold_table(
    candidate: JudgedSet,
    active: JudgedSet,
    pairs: Mapping[str, tuple[str, str]],
    metrics: list[str],
) -> tuple[pd.DataFrame, str]:
    """Return both sets' folds as `benchmark.run` gives a table, and why where there are none."""
    own, other = (one.table("folds") for one in (candidate, active))
    if own is None or other is None:
        which = " and the ".join(
            name for name, table in ((CANDIDATE, own), (ACTIVE, other)) if table is None
        )
        return pd.DataFrame(), f"the {which} set kept no folds"
    if "lines" not in own or "lines" not in other:
        return pd.DataFrame(), "it is not known whether the folds hold the same lines"
    if set(candidate.drugs) != set(active.drugs):
        return pd.DataFrame(), "the sets were judged on different drugs"
    same = _same_folds(own, other)
    if same.empty:
        return pd.DataFrame(), "the folds hold different lines"
    parts = []
    for name, (kind, counterpart) in pairs.items():
        for table, chosen, model in ((own, kind, CANDIDATE), (other, counterpart, ACTIVE)):
            rows = table[(table["model"] == chosen) & table["metric"].isin(metrics)]
            parts.append(rows.merge(same, on=list(same)).assign(model=model, pair=name))
    return pd.concat(parts, ignore_index=True).assign(drug=ALL_DRUGS), ""


def _same_folds(own: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return split, seed, fold and lines of the folds in both, of splits that agree as a whole."""
    keys = ["split", "seed", "fold", "lines"]
    folds, others = own[keys].drop_duplicates(), other[keys].drop_duplicates()
    common = folds.merge(others, on=keys)
    common = common[~common["split"].str.endswith(PERMUTED)]
    whole = [
        split
        for split, rows in common.groupby("split")
        if rows["fold"].nunique() == folds.loc[folds["split"] == split, "fold"].nunique()
    ]
    kept: pd.DataFrame = common[common["split"].isin(whole)]
    return kept


def _test_folds(table: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for name, rows in table.groupby("pair", sort=False):
        tests = compare(rows, references=(ACTIVE,))
        tests = tests[tests["model"] == CANDIDATE]
        parts.append(tests.assign(model=name, n=tests["n_folds"], test=BY_FOLDS))
    return pd.concat(parts, ignore_index=True)


def _drug_table(
    candidate: JudgedSet,
    active: JudgedSet,
    pairs: Mapping[str, tuple[str, str]],
    metrics: list[str],
) -> tuple[pd.DataFrame, int]:
    """Return model, metric, drug, difference, and the number of drugs that both sets judged."""
    own, other = (one.table("per_drug") for one in (candidate, active))
    if own is None or other is None:
        return pd.DataFrame(), 0
    parts = []
    for name, (kind, counterpart) in pairs.items():
        means = [
            table[
                (table["model"] == chosen)
                & (table["split"] == LEAVE_CELL_LINE_OUT)
                & table["metric"].isin(metrics)
            ].set_index(["metric", "drug"])["mean"]
            for table, chosen in ((own, kind), (other, counterpart))
        ]
        difference = (means[0] - means[1]).dropna().rename("difference")
        parts.append(difference.reset_index().assign(model=name))
    table = pd.concat(parts, ignore_index=True)
    return table, int(table["drug"].nunique())


def _test_drugs(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (model, metric), part in table.groupby(["model", "metric"], sort=False):
        values = part["difference"].to_numpy(float)
        rows.append(
            {
                "split": LEAVE_CELL_LINE_OUT,
                "model": model,
                "metric": metric,
                **_paired_t(values),
                "test": BY_DRUGS,
            }
        )
    return pd.DataFrame(rows)


def _paired_t(differences: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Return mean difference, its 95 % interval, n and two-sided p; NaN where nothing varies."""
    n = len(differences)
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    half = float(student_t.ppf(0.5 + INTERVAL / 2, df=max(n - 1, 1))) * error
    p_value = 2 * float(student_t.sf(abs(mean) / error, df=n - 1)) if error > 0 else float("nan")
    bounds = {"lower": mean - half, "upper": mean + half}
    return {"difference": mean, **bounds, "n": n, "p_value": p_value}


def _empty() -> pd.DataFrame:
    words = ("split", "model", "metric", "test")
    types = {name: object if name in words else float for name in PAIRED}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
