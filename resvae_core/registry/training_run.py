"""From data to a model set on disk: fit, judge, describe, save."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from resvae_core.compute import one_thread
from resvae_core.data.cohorts import level_cohorts, load_cohort
from resvae_core.data.screens import TrainingSet
from resvae_core.data.splits import Fold, leave_cell_line_out, leave_tissue_out
from resvae_core.engine.engine import Engine, Event
from resvae_core.errors import ConfigError
from resvae_core.evaluation.benchmark import permuted
from resvae_core.evaluation.summary import best_model
from resvae_core.features.range_check import Reference, fit_reference
from resvae_core.models.base import CELL_LINES, TUMOURS, ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.catalog import Effort, build_model, floor_names, with_needs
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.card import Card, write_card
from resvae_core.registry.checkpoints import Checkpoints
from resvae_core.registry.final_fits import fit_kinds
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
    request
        What was asked for, as `training_request.TrainingRequest.decisive`; None where nothing was.
    """

    name: str
    kinds: tuple[str, ...]
    created: str
    request: Mapping[str, Any] | None = None


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
    return {
        code: load_cohort(folder, code, form="log2tpm").expression for code in level_cohorts(folder)
    }


def fit_set(
    plan: Plan,
    training_set: TrainingSet,
    tumours: Mapping[str, Expression],
    *,
    checkpoints: Checkpoints | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
    on_event: Callable[[Event], None] | None = None,
    effort: Effort = "full",
) -> ModelSet:
    """Fit every model on all lines, and the references beside them.

    Parameters
    ----------
    tumours
        Cohort to expression: the tumour reference; no such reference where empty.
    checkpoints
        Where fitted models are kept: a run that was killed goes on after the last one kept, and
        gives the same set as one that was not.
    engine
        Where models that are not built from each other are fitted side by side, with the same
        result; in this process, one after the other, where None.
    progress
        Called with (what is fitted next, steps done, steps in total).
    on_event
        Told what the fits have come to, see `final_fits.fit_kinds`.
    effort
        As `models.catalog.build_model` takes it.

    Raises
    ------
    ConfigError
        If a kind is not known, or is built from one that the plan leaves out.
    """
    names = (*plan.kinds, *floor_names())
    total = len(names) + 1
    samples = Samples(training_set.expression, training_set.screen.tissue)
    with one_thread():
        fitted = fit_kinds(
            fitting_order(names),
            samples,
            training_set.screen,
            checkpoints=checkpoints,
            engine=engine,
            progress=lambda step, done: progress(step, done, total),
            on_event=on_event,
            effort=effort,
        )
        progress("references", len(names), total)
        models = {kind: fitted[kind] for kind in names}
        references = _fit_references(models, plan.kinds[0], training_set, tumours)
    progress("", total, total)
    return ModelSet(plan.name, models, references, plan.kinds[0])


def fitting_order(kinds: Sequence[str]) -> list[str]:
    """Return the kinds so that each stands behind those that it is built from.

    Raises
    ------
    ConfigError
        If a kind is not known, or is built from one that is not in `kinds`.
    """
    needs = {kind: build_model(kind).needs for kind in kinds}
    for kind, parts in needs.items():
        missing = [part for part in parts if part not in needs]
        if missing:
            raise ConfigError(
                f"The model {kind!r} is built from {missing[0]!r}, which is not to be trained.",
                remedy=f"Train {', '.join(missing)} in the same run, or leave {kind} out.",
            )
    return with_needs(kinds)


def _fit_references(
    models: Mapping[str, ResponseModel],
    chosen: str,
    training_set: TrainingSet,
    tumours: Mapping[str, Expression],
) -> dict[str, Reference]:
    """Fit the references on a model's genes, and hand the tumours' moments to every model."""
    genes = models[chosen].genes_
    references = {CELL_LINES: fit_reference(_line_groups(training_set), genes)}
    if not tumours:
        return references
    for model in models.values():
        if isinstance(model, CalibratedModel):
            model.add_reference(TUMOURS, list(tumours.values()))
    return {TUMOURS: fit_reference(tumours, genes), **references}


def publish(
    plan: Plan,
    model_set: ModelSet,
    training_set: TrainingSet,
    tumours: Mapping[str, Expression],
    evaluation: Mapping[str, pd.DataFrame],
    folder: Path,
) -> None:
    """Write cards and save the set with its evaluation.

    Parameters
    ----------
    evaluation
        As `evaluation.summary.evaluation_tables` gives it, and whatever else is to be kept.
    folder
        Replaced as a whole.
    """
    described = _describe_references(training_set, tumours)
    cards: dict[str, Card] = {
        kind: write_card(
            model,
            training_set,
            evaluation,
            created=plan.created,
            references=described,
            request=plan.request,
        )
        for kind, model in model_set.models.items()
    }
    chosen = replace(model_set, default_model=best_model(evaluation["summary"], plan.kinds))
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
