"""From data to a model set on disk: fit, judge, describe, save."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.cohorts import list_cohorts, load_cohort
from resvae_core.data.screens import TrainingSet
from resvae_core.data.splits import Fold, leave_cell_line_out, leave_tissue_out
from resvae_core.evaluation.benchmark import permuted
from resvae_core.evaluation.summary import best_model, reliability, summarise
from resvae_core.features.genes import arrange
from resvae_core.features.range_check import fit_reference
from resvae_core.features.scaling import Moments
from resvae_core.models.base import CELL_LINES, TUMOURS, ResponseModel, Samples
from resvae_core.models.catalog import build_model, floor_names
from resvae_core.models.cross_fitted import CrossFittedModel
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.card import Card, write_card
from resvae_core.registry.store import save_model_set
from resvae_core.tables import Expression

MINIMAL_GROUP = 20
"""Cell lines that a tissue needs to be a reference group."""


@dataclass(frozen=True)
class Plan:
    """What a training run does.

    Parameters
    ----------
    name
        Id of the model set.
    kinds
        Learned models; floors are added.

    created
        ISO date for the cards.
    """

    name: str
    kinds: tuple[str, ...]
    created: str


def plan_folds(training_set: TrainingSet, sites: pd.Series[str], n_seeds: int) -> list[Fold]:
    """Return the splits a set is judged on.

    Cell lines left out (5 folds, each seed), the same with permuted training labels (one seed, the
    negative control), and whole sites of origin left out (5 folds, one seed).
    """
    tissue = training_set.screen.tissue
    lines = [fold for seed in range(n_seeds) for fold in leave_cell_line_out(tissue, seed=seed)]
    control = [permuted(fold) for fold in lines if fold.seed == 0]
    return [*lines, *control, *leave_tissue_out(sites, seed=0)]


def load_tumours(folder: Path) -> dict[str, Expression]:
    """Return the installed genome-wide cohorts in log2(TPM + 1): the tumour reference."""
    installed = set(list_cohorts(folder))
    codes = [
        kind.code
        for kind in load_cancer_types().values()
        if kind.code in installed and kind.expression_form == "log2tpm"
    ]
    return {code: load_cohort(folder, code, form="log2tpm").expression for code in codes}


def fit_set(
    plan: Plan,
    training_set: TrainingSet,
    tumours: Mapping[str, Expression],
    progress: Callable[[str], None] = lambda step: None,
) -> ModelSet:
    """Fit every model on all lines, and the references beside them."""
    samples = Samples(training_set.expression, training_set.screen.tissue)
    models: dict[str, ResponseModel] = {}
    for kind in (*plan.kinds, *floor_names()):
        progress(kind)
        models[kind] = build_model(kind).fit(samples, training_set.screen)
    genes = models[plan.kinds[0]].genes_
    progress("references")
    references = {CELL_LINES: fit_reference(_line_groups(training_set), genes)}
    if tumours:
        references = {TUMOURS: fit_reference(tumours, genes), **references}
        moments = Moments.of(*(arrange(cohort, genes) for cohort in tumours.values()))
        for model in models.values():
            if isinstance(model, CrossFittedModel):
                model.add_reference(TUMOURS, moments)
    return ModelSet(plan.name, models, references, plan.kinds[0])


def publish(
    plan: Plan,
    model_set: ModelSet,
    training_set: TrainingSet,
    tumours: Mapping[str, Expression],
    table: pd.DataFrame,
    folder: Path,
) -> None:
    """Write cards and save the set with its evaluation.

    Parameters
    ----------
    table
        As `evaluation.benchmark.run` gives it.
    folder
        Replaced as a whole.
    """
    summary = summarise(table)
    evaluation = {
        "summary": summary,
        "per_drug": summarise(table, by_drug=True),
        "reliability": reliability(table),
    }
    described = _describe_references(training_set, tumours)
    cards: dict[str, Card] = {
        kind: write_card(model, training_set, summary, created=plan.created, references=described)
        for kind, model in model_set.models.items()
    }
    chosen = replace(model_set, default_model=best_model(summary, plan.kinds))
    save_model_set(chosen, cards, evaluation, folder)


def _describe_references(
    training_set: TrainingSet, tumours: Mapping[str, Expression]
) -> dict[str, str]:
    groups = _line_groups(training_set)
    lines = f"{len(training_set.screen.lines)} training lines; range groups: {', '.join(groups)}"
    if not tumours:
        return {CELL_LINES: lines}
    sizes = ", ".join(f"{code} ({len(cohort.samples)})" for code, cohort in tumours.items())
    return {
        TUMOURS: f"TCGA primary tumours: {sizes}, each cohort weighing the same",
        CELL_LINES: lines,
    }


def _line_groups(training_set: TrainingSet) -> dict[str, Expression]:
    """Return the tissues with enough lines to be a reference group."""
    tissue = training_set.screen.tissue
    sizes = tissue.value_counts()
    return {
        str(name): training_set.expression.select(list(tissue.index[tissue == name]))
        for name in sorted(sizes.index[sizes >= MINIMAL_GROUP])
    }
