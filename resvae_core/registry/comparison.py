"""Two model sets side by side: what each was judged at, and tests that pair what can be paired.

Two sets were judged in runs of their own. Where both kept their folds (``evaluation/folds.csv``),
on the same lines and the same drugs, a test pairs fold with fold: the corrected resampled t of
`evaluation.summary`. Else drug is held against drug: each drug's mean over folds, in both sets, and
of these the mean difference, without an interval and without a p. Drugs share cell lines, and so
the errors of what was measured and split: for pairs of the shipped models' within-tissue ROC AUC
an interval over drugs is 1.9 to 4.5 times as narrow as one over folds
(``benchmarks/gate_bounds.py``). What cannot be paired or
tested is named, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.errors import ArtifactError
from resvae_core.evaluation.benchmark import ALL_DRUGS, PERMUTED
from resvae_core.evaluation.summary import TESTED, compare, holm, within_bounds
from resvae_core.explain.positive_controls import ATTRIBUTION
from resvae_core.models.catalog import KINDS, title_of
from resvae_core.registry.card import Card
from resvae_core.registry.description import describe_model_set
from resvae_core.registry.library import SetEntry
from resvae_core.registry.store import list_cards, load_evaluation

METRICS = (*TESTED, "ece", "coverage_resistant", "coverage_sensitive")
"""Metrics that are shown side by side."""
OF_MEASUREMENTS = ("pearson", "spearman")
"""Metrics that read ln IC50 and no label: comparable whatever counts as resistant."""
BY_FOLDS, BY_DRUGS = "corrected resampled t over folds", "mean over drugs, not tested"
NOT_TESTED_BY_DRUGS = (
    "drugs share cell lines, so an interval over drugs would be too narrow; the mean difference is "
    "shown, without an interval and p"
)
LEAST_PAIRS = 2
"""Drugs or folds below which a difference is one of a single case, and left out."""
WITH_INTERVALS = ("summary", "per_drug")
"""Tables of an evaluation whose intervals are of means."""
SPLIT_WORDS = {
    LEAVE_CELL_LINE_OUT: "New cell lines",
    "leave_tissue_out": "New tissues",
    LEAVE_CELL_LINE_OUT + PERMUTED: "Permuted labels (control)",
}
"""Splits in words, those of the Models page."""
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
        Where drugs are paired there is a difference and n alone; the rest is NaN.
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
    defaults
        What the tests call the pair of the two default models.
    untested
        Metric of `TESTED` to why a difference of the sets on left-out lines cannot be told from
        chance by a test, in words; such a metric says nothing for or against the candidate.
    apart
        What the sets were judged on that differs: of ``lines`` (or ``data``, where their number is
        the same), ``drugs`` and ``labels``. Empty where their figures may be held together.
    """

    metrics: pd.DataFrame
    tests: pd.DataFrame
    negative: pd.DataFrame
    positive: pd.DataFrame
    lost_models: tuple[str, ...]
    lost_drugs: tuple[str, ...]
    not_assessable: tuple[str, ...]
    defaults: str
    untested: Mapping[str, str]
    apart: tuple[str, ...] = ()

    def caution(self, metric: str) -> str:
        """Say in a sentence why two figures of a metric are not comparable; empty where they are.

        Labels do not matter to what reads measurements.
        """
        about = [word for word in self.apart if word != "labels" or metric not in OF_MEASUREMENTS]
        return f"Not comparable: other {_listed(about)}." if about else ""

    @property
    def by_drugs(self) -> bool:
        """Whether drugs are paired somewhere, and so a difference stands there untested."""
        return bool(self.tests["test"].eq(BY_DRUGS).any())

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
            table = load_evaluation(name, self.folder)
        except ArtifactError:
            return None
        # sets that were trained before intervals were cut keep theirs
        return within_bounds(table) if name in WITH_INTERVALS else table

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
    tests, reasons, untested = _tests(candidate, active)
    return SetComparison(
        metrics=_metrics(candidate, active),
        tests=tests,
        negative=_negative({CANDIDATE: candidate, ACTIVE: active}),
        positive=_positive(candidate, active),
        lost_models=_lost(active.learned, candidate.learned),
        lost_drugs=_lost(active.drugs, candidate.drugs),
        not_assessable=tuple(reasons),
        defaults=_pair_of_defaults(candidate, active),
        untested=untested,
        apart=_apart(candidate, active),
    )


def _apart(candidate: JudgedSet, active: JudgedSet) -> tuple[str, ...]:
    """Return what the sets were judged on that differs, as `SetComparison.apart`."""
    own, other = _training(candidate), _training(active)
    data = "lines" if own["n_lines"] != other["n_lines"] else "data"
    differs = {
        data: bool(_other_data(candidate, active)),
        "drugs": set(candidate.drugs) != set(active.drugs),
        "labels": candidate.labels != active.labels,
    }
    return tuple(word for word, yes in differs.items() if yes)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _training(one: JudgedSet) -> dict[str, Any]:
    document: dict[str, Any] = one.cards[one.default_model].document["training"]
    return document


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


def _tests(
    candidate: JudgedSet, active: JudgedSet
) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    """Return the tests of models in both sets, what could not be paired, and what is untested."""
    shared = [kind for kind in active.learned if kind in candidate.learned]
    pairs = {kind: (kind, kind) for kind in shared}
    reasons = []
    for name, one in ((CANDIDATE, candidate), (ACTIVE, active)):
        alone = ", ".join(title_of(kind) for kind in one.learned if kind not in shared)
        reasons += [f"Only in the {name} set: {alone}."] if alone else []
    first = _pair_of_defaults(candidate, active)
    pairs = {first: (candidate.default_model, active.default_model), **pairs}
    comparable, other_labels = _comparable(candidate, active)
    other_data = _other_data(candidate, active)
    reasons += [*other_data, *other_labels]
    tables, of_lines, of_others = _paired(candidate, active, pairs, comparable)
    found = pd.concat([_empty(), *tables])
    reasons += _left_out(found)
    found = found[found["n"] >= LEAST_PAIRS]
    found["p_holm"] = holm(found["p_value"].reset_index(drop=True).astype(float)).to_numpy()
    why = {
        metric: " ".join([*other_data, *(of_lines if metric in comparable else other_labels)])
        for metric in TESTED
    }
    untested = {metric: words for metric, words in why.items() if words}
    return found.reset_index(drop=True)[list(PAIRED)], [*reasons, *of_lines, *of_others], untested


def _left_out(tests: pd.DataFrame) -> list[str]:
    """Say which differences rest on one drug or fold, and so on nothing that could be paired."""
    alone = tests[tests["n"] < LEAST_PAIRS]
    if alone.empty:
        return []
    models = ", ".join(
        title_of(name) if name in KINDS else name for name in dict.fromkeys(alone["model"])
    )
    rows = "1 difference" if len(alone) == 1 else f"{len(alone)} differences"
    return [f"Left out: {rows} of a single drug or fold ({models})."]


def _pair_of_defaults(candidate: JudgedSet, active: JudgedSet) -> str:
    own, other = candidate.default_model, active.default_model
    return own if own == other else f"{title_of(own)} against {title_of(other)}"


def _other_data(candidate: JudgedSet, active: JudgedSet) -> list[str]:
    """Say so where the sets were judged on other data."""
    own, other = _training(candidate), _training(active)
    if own["data_digests"] == other["data_digests"] and own["n_lines"] == other["n_lines"]:
        return []
    return [
        f"The sets were judged on other data ({own['n_lines']} and {other['n_lines']} cell "
        "lines), so a difference may be one of the data."
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
) -> tuple[list[pd.DataFrame], list[str], list[str]]:
    """Return tables of what is paired, and why left-out lines and other splits are not tested."""
    by_fold, why = _fold_table(candidate, active, pairs, metrics)
    done = set() if by_fold.empty else set(by_fold["split"])
    tables, of_lines = ([] if by_fold.empty else [_test_folds(by_fold)]), []
    why = why or "the folds hold different lines"
    if LEAVE_CELL_LINE_OUT not in done:
        by_drug = _mean_over_drugs(candidate, active, pairs, metrics)
        tables.append(by_drug)
        shown = "they share no drug that both were judged on" if by_drug.empty else ""
        if not by_drug.empty and by_drug["n"].max() < LEAST_PAIRS:
            shown = "they share one drug that both were judged on, too few for a mean"
        of_lines.append(f"Not tested fold by fold: {why}; {shown or NOT_TESTED_BY_DRUGS}.")
    of_others = [
        f"{SPLIT_WORDS.get(split, split)}: no paired tests, {why}, and drugs are not kept for "
        "this split."
        for split in sorted(_splits(candidate, active) - done - {LEAVE_CELL_LINE_OUT})
    ]
    return tables, of_lines, of_others


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
    """Return split, seed, fold and lines of the repetitions that agree in every fold.

    One that agrees in part is left out: the corrected t takes the folds of a whole partition.
    """
    keys, repetition = ["split", "seed", "fold", "lines"], ["split", "seed"]
    folds, others = (table[keys].drop_duplicates() for table in (own, other))
    common = folds.merge(others, on=keys)
    n = [table.groupby(repetition).size() for table in (common, folds, others)]
    whole = n[0].index[(n[0] == n[1].reindex(n[0].index)) & (n[0] == n[2].reindex(n[0].index))]
    kept = pd.MultiIndex.from_frame(common[repetition]).isin(whole)
    return common[kept & ~common["split"].str.endswith(PERMUTED).to_numpy(bool)]


def _test_folds(table: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for name, rows in table.groupby("pair", sort=False):
        tests = compare(rows, references=(ACTIVE,))
        tests = tests[tests["model"] == CANDIDATE]
        parts.append(tests.assign(model=name, n=tests["n_folds"], test=BY_FOLDS))
    return pd.concat(parts, ignore_index=True)


def _mean_over_drugs(
    candidate: JudgedSet,
    active: JudgedSet,
    pairs: Mapping[str, tuple[str, str]],
    metrics: list[str],
) -> pd.DataFrame:
    """Return the mean difference over the drugs that both sets judged, and their number."""
    own, other = (one.table("per_drug") for one in (candidate, active))
    if own is None or other is None:
        return _empty()
    rows: list[dict[str, object]] = []
    for name, (kind, counterpart) in pairs.items():
        means = _drug_means(own, kind, metrics), _drug_means(other, counterpart, metrics)
        difference = means[0].sub(means[1]).dropna()
        for metric, values in difference.groupby(level="metric", sort=False):
            about = {"split": LEAVE_CELL_LINE_OUT, "model": name, "metric": metric}
            rows.append({**about, "difference": values.mean(), "n": len(values), "test": BY_DRUGS})
    return _empty() if not rows else pd.DataFrame(rows).reindex(columns=list(PAIRED))


def _drug_means(table: pd.DataFrame, kind: str, metrics: list[str]) -> pd.Series[float]:
    """Return a model's mean over folds by (metric, drug), on left-out lines."""
    rows = table[
        (table["model"] == kind)
        & (table["split"] == LEAVE_CELL_LINE_OUT)
        & table["metric"].isin(metrics)
    ]
    means: pd.Series[float] = rows.set_index(["metric", "drug"])["mean"]
    return means


def _empty() -> pd.DataFrame:
    words = ("split", "model", "metric", "test")
    types = {name: object if name in words else float for name in PAIRED}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
