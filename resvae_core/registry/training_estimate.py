"""How long a training will take, and how much memory and disk: from fits that were measured.

One fit of each kind of model was measured on the shipped training set, and how its time grows with
lines, drugs and genes (``benchmarks/training_estimate.md``). The rest is counting: folds, models,
workers. Times are of the machine that was measured on; the span says how far others may differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from resvae_core.errors import ConfigError
from resvae_core.evaluation.summary import base_of
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.catalog import Effort, learned_names

MEASURED_LINES, MEASURED_DRUGS, MEASURED_GENES = 668, 72, 682
TRAIN_SHARE = 0.8
"""Lines of a fold that are trained on."""
LOWEST, HIGHEST = 0.7, 2.0
"""Span around the estimate: a faster machine, and one that others use too."""
WORKER_SECONDS, JUDGE_SECONDS, FINAL_SECONDS = 5.0, 0.4, 30.0
"""A worker's start; metrics of a model on a fold; references, cards, positive controls."""
FIXED_SECONDS = WORKER_SECONDS + FINAL_SECONDS
N_FLOORS = 4
PROCESS_GB, WORKER_GB = 0.9, 0.85
"""Memory of the run itself, and of a worker before it holds expression."""
WORKING_COPIES = 12
"""Copies of the expression matrix, in single precision, that a fit holds at its peak."""
MOSTLY_FIXED = (
    " Most of the time goes into starting and finishing, whatever the number of seeds and folds."
)
FRAMES = 5
"""Numbers that are kept of each held-out pair of line and drug, in single precision."""


@dataclass(frozen=True)
class Cost:
    """What one fit on the shipped training set takes, on one core.

    Parameters
    ----------
    seconds
        By effort.
    lines, drugs, genes
        Powers of their numbers that the time grows by.
    megabytes
        Of the fitted model's files.
    """

    seconds: Mapping[Effort, float]
    lines: float
    drugs: float
    genes: float
    megabytes: float


@dataclass(frozen=True)
class Workload:
    """What a training run has to do.

    Parameters
    ----------
    kinds
        Learned models.
    effort
        As `models.catalog.build_model` takes it.
    n_lines, n_drugs, n_genes
        Of the training set.
    n_folds
        Folds in all; `n_first_folds` of them judge ablations as well, in a full run.
    n_folds_done
        Folds of which every prediction is kept already.
    """

    kinds: tuple[str, ...]
    effort: Effort
    n_lines: int
    n_drugs: int
    n_genes: int
    n_folds: int
    n_first_folds: int
    n_folds_done: int = 0


@dataclass(frozen=True)
class Estimate:
    """What a training run is expected to take.

    Parameters
    ----------
    minutes_low, minutes_high
        On the clock.
    memory_gb, disk_gb
        At the peak, of all processes together (10⁹ bytes).
    basis
        What the figures rest on, in a sentence or two.
    """

    minutes_low: float
    minutes_high: float
    memory_gb: float
    disk_gb: float
    basis: str


COSTS: dict[str, Cost] = {
    "vae_ll": Cost({"full": 28.9, "short": 4.7}, 0.55, 0.03, 0.21, 11.1),
    "vae_ls": Cost({"full": 26.8, "short": 4.4}, 0.68, 0.11, 0.28, 9.7),
    "vae_ld": Cost({"full": 23.7, "short": 2.9}, 1.09, 0.13, 0.36, 8.4),
    "random_forest": Cost({"full": 66.5, "short": 12.1}, 0.99, 0.98, 0.63, 7.2),
    "xgboost": Cost({"full": 36.2, "short": 6.3}, 0.36, 0.84, 0.81, 6.4),
    "elastic_net": Cost({"full": 2.8, "short": 1.7}, 0.20, 0.75, 0.71, 1.0),
    "ensemble": Cost({"full": 0.2, "short": 0.2}, 0.15, 0.82, 0.0, 0.1),
}
"""Measured by ``benchmarks/training_estimate.py``."""


def estimate_workload(work: Workload, n_workers: int) -> Estimate:
    """Estimate a run on this many workers.

    Raises
    ------
    ConfigError
        If a kind of model is not known.
    """
    unknown = sorted(set(work.kinds) - set(COSTS))
    if unknown:
        raise ConfigError(
            f"{unknown[0]!r} is no kind of model that learns.",
            remedy=f"Use some of: {', '.join(learned_names())}.",
        )
    seconds = _on_the_clock(work, max(n_workers, 1))
    return Estimate(
        minutes_low=LOWEST * seconds / 60,
        minutes_high=HIGHEST * seconds / 60,
        memory_gb=_memory_gb(work, max(n_workers, 1)),
        disk_gb=_disk_gb(work),
        basis=_basis(work, max(n_workers, 1)),
    )


def most_workers(work: Workload, n_workers: int, memory_gb: float) -> int:
    """Return how many workers, at most so many, the memory is enough for; at least 1."""
    fitting = [n for n in range(1, n_workers + 1) if _memory_gb(work, n) <= memory_gb]
    return max(fitting, default=1)


def fit_seconds(kind: str, work: Workload, n_lines: float) -> float:
    """Return the expected seconds of one fit of a kind, on one core."""
    cost = COSTS[kind]
    factor = (
        (n_lines / MEASURED_LINES) ** cost.lines
        * (work.n_drugs / MEASURED_DRUGS) ** cost.drugs
        * (work.n_genes / MEASURED_GENES) ** cost.genes
    )
    return float(cost.seconds[work.effort] * factor)


def _on_the_clock(work: Workload, n_workers: int) -> float:
    n_train = TRAIN_SHARE * work.n_lines
    fold = sum(fit_seconds(kind, work, n_train) for kind in work.kinds)
    removed = sum(fit_seconds(base_of(name), work, n_train) for name in _ablations(work))
    left = work.n_folds - work.n_folds_done
    first = math.ceil(min(work.n_first_folds, left) / n_workers)
    folds = math.ceil(left / n_workers) * fold + first * removed
    judged = JUDGE_SECONDS * work.n_folds * (len(work.kinds) + N_FLOORS)
    final = sum(fit_seconds(kind, work, work.n_lines) for kind in work.kinds)
    return FIXED_SECONDS + folds + judged * work.n_drugs / MEASURED_DRUGS + final


def _memory_gb(work: Workload, n_workers: int) -> float:
    expression = work.n_lines * work.n_genes * 4 / 1e9
    return PROCESS_GB + expression + n_workers * (WORKER_GB + WORKING_COPIES * expression)


def _disk_gb(work: Workload) -> float:
    # weights grow with drugs or with genes: with neither more than in proportion
    size = max(work.n_drugs / MEASURED_DRUGS, work.n_genes / MEASURED_GENES)
    models = sum(COSTS[kind].megabytes for kind in work.kinds) * size / 1e3
    n_judged = work.n_folds * len(work.kinds) + work.n_first_folds * len(_ablations(work))
    pairs = n_judged * work.n_lines / 5 * work.n_drugs
    # models twice: as they are kept while the run lasts, and in the set that it makes
    return 0.02 + 2 * models + pairs * FRAMES * 4 / 1e9


def _ablations(work: Workload) -> list[str]:
    if work.effort == "short":
        return []
    return [name for name in ABLATIONS if base_of(name) in work.kinds]


def _basis(work: Workload, n_workers: int) -> str:
    done = f", {work.n_folds_done} of them done," if work.n_folds_done else ""
    fixed = _on_the_clock(work, n_workers) < 2 * FIXED_SECONDS
    return (
        f"{work.n_folds} folds{done} × {_counted(len(work.kinds), 'kind')} of model, "
        f"{work.n_lines:,} lines × {_counted(work.n_drugs, 'drug')} × {work.n_genes:,} genes, "
        f"{n_workers} at a time; scaled from fits that were measured on one core with "
        f"{MEASURED_LINES} lines × {MEASURED_DRUGS} drugs × {MEASURED_GENES} genes "
        f"(benchmarks/training_estimate.md).{MOSTLY_FIXED if fixed else ''}"
    )


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
