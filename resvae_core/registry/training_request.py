"""What somebody may ask a training for, checked before anything starts.

`check_request` finds every problem at once, each tied to a field and with a remedy; how long it
will take is estimated in `training_estimate`.
"""

from __future__ import annotations

import difflib
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from resvae_core.compute import choose_device
from resvae_core.config import state_folder
from resvae_core.data.drugs import find_drug, load_drugs
from resvae_core.data.screens import RuleName, Survey, source_files, survey
from resvae_core.engine.engine import n_cores
from resvae_core.errors import (
    ConfigError,
    DeviceError,
    InputDataError,
    ResVAEError,
    UnknownDrugError,
)
from resvae_core.models.catalog import Effort, build_model, learned_names
from resvae_core.registry.description import describe_model_set
from resvae_core.registry.training_estimate import (
    Estimate,
    Workload,
    estimate_workload,
    most_workers,
)
from resvae_core.settings import check_value, device_for, load_settings

__all__ = [
    "Estimate",
    "Problem",
    "TrainingRequest",
    "check_request",
    "estimate",
    "refuse",
    "require_request",
]

Genes = Literal["panel", "genome"]

LONGEST_NAME = 40
"""Characters of a name; the ending of a short run comes behind them."""
NAME_PATTERN = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
RESERVED_NAMES = ("shipped",)
"""Ids that the registry gives itself."""
MOST_SEEDS = 5
LEAST_SHARE, MOST_SHARE = 0.05, 0.5
N_FOLDS = 5
"""Of each split; see `training_run.plan_folds`."""
MINIMAL_LINES = 50
MINIMAL_CLASS = 15
"""Sensitive, and resistant, lines that a drug needs: three in each test fold on average."""
LONGEST_HOURS = 24.0 * 14
SHORT_ENDING = "-short"
NO_DATA = "There is no data folder, so there is nothing to train on."


@dataclass(frozen=True)
class Problem:
    """Why a request cannot be run as it is.

    Parameters
    ----------
    field
        Field of `TrainingRequest` that is at fault; ``data``, ``memory`` or ``disk`` for what the
        installation lacks.
    message
        What is wrong.
    remedy
        What to do about it.
    """

    field: str
    message: str
    remedy: str


@dataclass(frozen=True)
class TrainingRequest:
    """A training run as it is asked for; only types are checked here, see `check_request`.

    Parameters
    ----------
    name
        Of the model set: lower case, digits, dots, dashes.
    drugs
        Names in the catalogue; every drug that was measured where empty.
    kinds
        Learned models; all where empty.
    n_seeds
        Repetitions of the five folds with lines left out, 1 to 5.
    label_rule
        ``catalogue`` or ``lowest_share``; see `data.screens.LabelRule`.
    label_share
        Share of each drug's measured lines that ``lowest_share`` calls sensitive, 0.05 to 0.5.
    genes
        ``panel``: the genes that the shipped models read; ``genome``: every gene of the official
        files.
    budget_hours
        The run stops between two steps when they are over, and can be resumed.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    effort
        ``full``: standard configurations; ``short``: few epochs, trees and members, for trying
        things out.

    Raises
    ------
    ConfigError
        If a value is of the wrong type.
    """

    name: str
    drugs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    n_seeds: int = 3
    label_rule: RuleName = "catalogue"
    label_share: float = 0.15
    genes: Genes = "panel"
    budget_hours: float = 12.0
    device: str = "auto"
    effort: Effort = "full"

    def __post_init__(self) -> None:
        """Refuse values of a wrong type."""
        for name, kind in _TYPES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise _unusable(name, value)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise _unusable(name, getattr(self, name), f"; use {' or '.join(choices)}")
        for name in ("drugs", "kinds"):
            values = getattr(self, name)
            if not all(isinstance(value, str) for value in values):
                raise _unusable(name, values)
            object.__setattr__(self, name, tuple(dict.fromkeys(values)))

    def to_arguments(self) -> dict[str, Any]:
        """Return the request as JSON-ready values; `from_arguments` takes them."""
        values = asdict(self)
        return {**values, "drugs": list(self.drugs), "kinds": list(self.kinds)}

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> TrainingRequest:
        """Return the request that arguments describe.

        Raises
        ------
        ConfigError
            If an argument is unknown, the name is missing, or a value is of the wrong type.
        """
        known = [entry.name for entry in fields(cls)]
        unknown = sorted(set(arguments) - set(known))
        if unknown or "name" not in arguments:
            what = f"has an unknown field {unknown[0]!r}" if unknown else "has no name"
            raise ConfigError(
                f"The training request {what}.", remedy=f"Its fields are {', '.join(known)}."
            )
        values = dict(arguments)
        for name in ("drugs", "kinds"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        return cls(**values)

    @property
    def chosen_kinds(self) -> tuple[str, ...]:
        """The learned models that are trained, in the order of display."""
        wanted = self.kinds or tuple(learned_names())
        known = [kind for kind in learned_names() if kind in wanted]
        return (*known, *(kind for kind in wanted if kind not in known))

    @property
    def set_name(self) -> str:
        """Id of the model set: the name, with ``-short`` behind it for a short run."""
        marked = self.effort == "full" or self.name.endswith(SHORT_ENDING)
        return self.name if marked else self.name + SHORT_ENDING

    def resolved(self) -> TrainingRequest:
        """Return the same request with drugs by the names of the catalogue, in its order.

        Raises
        ------
        UnknownDrugError
            If a drug is not in the catalogue.
        """
        named = {find_drug(name).name for name in self.drugs}
        return replace(
            self,
            drugs=tuple(name for name in load_drugs() if name in named),
            kinds=self.chosen_kinds if self.kinds else (),
        )

    def decisive(self) -> dict[str, Any]:
        """Return what decides the models, for the card: not device, engine or budget."""
        found = self.resolved().to_arguments()
        if self.label_rule == "catalogue":
            del found["label_share"]
        return {k: v for k, v in found.items() if k not in ("device", "budget_hours", "name")}


def check_request(
    request: TrainingRequest,
    data: Path | None,
    *,
    limit_hours: float | None = None,
    elsewhere: bool = False,
) -> list[Problem]:
    """Find everything that speaks against a request, before anything starts.

    Parameters
    ----------
    data
        Folder of installed data; None where there is none.
    limit_hours
        When the run would be ended from outside, whatever its budget; None: never.
    elsewhere
        Whether other machines train, whose devices this one does not know.

    Returns
    -------
    list[Problem]
        Empty where the request can be run.
    """
    problems = [
        *_check_name(request),
        *_check_kinds(request),
        *_check_numbers(request),
        *_check_budget(request.budget_hours, limit_hours),
        *_check_device(request.device, elsewhere),
        *_check_drug_names(request),
    ]
    try:
        found = _survey(data)
    except ResVAEError as error:
        return [*problems, Problem("data", error.message, error.remedy)]
    problems += [*_check_genes(request, found), *_check_lines(found)]
    problems += _check_drugs(request, found)
    if any(problem.field in ("kinds", "n_seeds", "data") for problem in problems):
        return problems
    return [*problems, *_check_room(request, found)]


def require_request(request: TrainingRequest, data: Path | None) -> None:
    """Refuse a request that has problems.

    Raises
    ------
    ConfigError
        As `refuse`.
    """
    refuse(check_request(request, data))


def refuse(problems: Sequence[Problem]) -> None:
    """Raise what names all problems, if there is one.

    Raises
    ------
    ConfigError
        Naming all of them, each with its remedy.
    """
    if problems:
        raise ConfigError(
            "The training cannot start: " + " ".join(problem.message for problem in problems),
            remedy=" ".join(dict.fromkeys(problem.remedy for problem in problems)),
        )


def workers_for(request: TrainingRequest, data: Path | None, memory_gb: float | None = None) -> int:
    """Return how many workers a run has: as the settings say, and as the memory of a job allows.

    Parameters
    ----------
    data
        Folder of installed data.
    memory_gb
        Of the job; as the settings say where None.

    Raises
    ------
    InputDataError
        If there are no data to train on.
    """
    return _workers(_workload(request, _survey(data)), memory_gb)


def estimate(
    request: TrainingRequest,
    data: Path | None,
    n_workers: int | None = None,
    *,
    n_folds_done: int = 0,
) -> Estimate:
    """Estimate what a request will take, from fits that were measured on the shipped data.

    Parameters
    ----------
    data
        Folder of installed data.
    n_workers
        Folds that are fitted at the same time; as `workers_for` where None.
    n_folds_done
        Folds whose predictions are kept already.

    Raises
    ------
    InputDataError
        If there are no data to train on.
    ConfigError
        If a kind of model is not known.
    """
    work = _workload(request, _survey(data), n_folds_done)
    return estimate_workload(work, _workers(work) if n_workers is None else n_workers)


def _workers(work: Workload, memory_gb: float | None = None) -> int:
    settings = load_settings()
    room = settings.memory_limit_gb if memory_gb is None else memory_gb
    wanted = 1 if settings.engine == "serial" else settings.n_workers or n_cores()
    return most_workers(work, wanted, room)


def _workload(request: TrainingRequest, found: Survey, n_folds_done: int = 0) -> Workload:
    n_drugs = len(request.drugs) or int(found.screen.ln_ic50.notna().any().sum())
    panel = _panel_size() if found.genome_wide and request.genes == "panel" else found.n_genes
    return Workload(
        kinds=request.chosen_kinds,
        effort=request.effort,
        n_lines=len(found.screen.lines),
        n_drugs=n_drugs,
        n_genes=min(found.n_genes, panel),
        n_folds=N_FOLDS * (request.n_seeds + 2),
        n_first_folds=N_FOLDS,
        n_folds_done=n_folds_done,
    )


def _check_name(request: TrainingRequest) -> list[Problem]:
    if not NAME_PATTERN.fullmatch(request.name):
        return [
            Problem(
                "name",
                f"{request.name!r} cannot be the name of a model set.",
                "Use lower-case letters, digits, dots and dashes, a letter or digit first, at most "
                f"{LONGEST_NAME} characters.",
            )
        ]
    if request.set_name in RESERVED_NAMES:
        taken = f"The name {request.set_name!r} is taken."
        return [Problem("name", taken, "Choose another name.")]
    return []


def _check_kinds(request: TrainingRequest) -> list[Problem]:
    known = learned_names()
    unknown = [kind for kind in request.kinds if kind not in known]
    problems = [
        Problem(
            "kinds",
            f"{kind!r} is no kind of model that learns.",
            f"Did you mean {' or '.join(difflib.get_close_matches(kind, known, 2, 0.0))}?",
        )
        for kind in unknown
    ]
    for kind in request.chosen_kinds:
        if kind in unknown:
            continue
        missing = [part for part in build_model(kind).needs if part not in request.chosen_kinds]
        if missing:
            words = ", ".join(missing)
            problems.append(
                Problem(
                    "kinds",
                    f"{kind} is built from {words}, which is not to be trained.",
                    f"Add {words}, or leave {kind} out.",
                )
            )
    return problems


def _check_numbers(request: TrainingRequest) -> list[Problem]:
    problems = []
    if not 1 <= request.n_seeds <= MOST_SEEDS:
        problems.append(
            Problem(
                "n_seeds",
                f"{request.n_seeds} repetitions of the folds were asked for.",
                f"Use 1 to {MOST_SEEDS}.",
            )
        )
    ruled = request.label_rule == "lowest_share"
    if ruled and not LEAST_SHARE <= request.label_share <= MOST_SHARE:
        problems.append(
            Problem(
                "label_share",
                f"{request.label_share:g} of the lines were to be called sensitive.",
                f"Use a share between {LEAST_SHARE:g} and {MOST_SHARE:g}.",
            )
        )
    return problems


def _check_budget(hours: float, limit_hours: float | None) -> list[Problem]:
    """Refuse a budget that is none, or that the limit of a job's time forestalls."""
    if not (math.isfinite(hours) and 0 < hours <= LONGEST_HOURS):
        return [
            Problem(
                "budget_hours",
                f"A budget of {hours:g} hours was given.",
                f"Use more than 0 and at most {LONGEST_HOURS:g} hours.",
            )
        ]
    if limit_hours is not None and hours >= limit_hours:
        return [
            Problem(
                "budget_hours",
                f"A budget of {hours:g} hours was given; a job that runs for {limit_hours:g} hours "
                "is ended as failed.",
                f"Use less than {limit_hours:g} hours, or raise the limit of a job's time in the "
                "preferences.",
            )
        ]
    return []


def _check_device(asked: str, elsewhere: bool) -> list[Problem]:
    try:
        device = device_for(asked)
        if elsewhere:
            check_value("device", device)
        else:
            choose_device(device)
    except DeviceError as error:
        if asked != "auto":
            return [Problem("device", error.message, error.remedy)]
        remedy = "Choose 'cpu' here, or another device in the preferences (RESVAE_DEVICE wins)."
        return [Problem("device", error.message, remedy)]
    except ResVAEError as error:
        return [Problem("device", error.message, error.remedy)]
    return []


def _check_drug_names(request: TrainingRequest) -> list[Problem]:
    problems = []
    for name in request.drugs:
        try:
            find_drug(name)
        except UnknownDrugError as error:
            problems.append(Problem("drugs", error.message, error.remedy))
    return problems


def _check_genes(request: TrainingRequest, found: Survey) -> list[Problem]:
    if request.genes == "panel" or found.genome_wide:
        return []
    return [
        Problem(
            "genes",
            "Genome-wide models were asked for, but the installed expression of cell lines is a "
            f"panel of {found.n_genes:,} genes.",
            "Install the official files (data fetch gdsc, data fetch depmap), or train on the "
            "panel.",
        )
    ]


def _check_lines(found: Survey) -> list[Problem]:
    """Refuse data that cannot be dealt into the folds of `training_run.plan_folds`."""
    problems = []
    n_lines = len(found.screen.lines)
    if n_lines < MINIMAL_LINES:
        problems.append(
            Problem(
                "data",
                f"The installed data have {n_lines} cell lines; {MINIMAL_LINES} are needed.",
                "Install a GDSC release, whole.",
            )
        )
    if found.n_sites < N_FOLDS:
        problems.append(
            Problem(
                "data",
                f"The cell lines come from {found.n_sites} sites of origin; leaving whole sites "
                f"out needs {N_FOLDS}.",
                "Install lines of more tissues.",
            )
        )
    return problems


def _check_drugs(request: TrainingRequest, found: Survey) -> list[Problem]:
    counts = class_counts(request, found.screen.ln_ic50, found.screen.resistant)
    if counts.empty:
        return [Problem("drugs", "No drug was measured on the lines.", "Install a GDSC release.")]
    few_lines = counts[counts["measured"] < MINIMAL_LINES]
    rest = counts.drop(index=few_lines.index)
    few_of_class = rest[rest[["sensitive", "resistant"]].min(axis=1) < MINIMAL_CLASS]
    problems = [
        Problem(
            "drugs",
            f"{name} was measured on {row.measured} lines; {MINIMAL_LINES} are needed.",
            "Leave it out, or install a release with more measurements.",
        )
        for name, row in few_lines.iterrows()
    ]
    for name, row in few_of_class.iterrows():
        word = "sensitive" if row.sensitive < row.resistant else "resistant"
        problems.append(
            Problem(
                "drugs",
                f"{name} has {row[word]} {word} lines of {row.measured}; each of the {N_FOLDS} "
                f"folds needs some, {MINIMAL_CLASS} in all.",
                "Leave it out, or choose the label rule of a larger share.",
            )
        )
    return problems


def class_counts(
    request: TrainingRequest, ln_ic50: pd.DataFrame, resistant: pd.DataFrame
) -> pd.DataFrame:
    """Count the lines that a request would train on, drug by drug.

    Parameters
    ----------
    ln_ic50, resistant
        (n_lines, n_drugs) as in `tables.Screen`, labelled by the catalogue.

    Returns
    -------
    DataFrame
        Index: the drugs asked for, or the measured ones where none is named. Columns measured,
        sensitive, resistant.
    """
    measured = ln_ic50.notna().sum()
    sensitive = (resistant == 0).sum()
    if request.label_rule == "lowest_share" and 0 < request.label_share < 1:
        # NaN stays above every limit
        sensitive = ln_ic50.le(ln_ic50.quantile(request.label_share)).sum()
    counts = pd.DataFrame({"measured": measured, "sensitive": sensitive}).astype(np.int64)
    counts["resistant"] = counts["measured"] - counts["sensitive"]
    if not request.drugs:
        return counts[counts["measured"] > 0]
    known = {_catalogued(name) for name in request.drugs}
    return counts[[name in known for name in counts.index]]


def _catalogued(name: str) -> str:
    try:
        return find_drug(name).name
    except UnknownDrugError:
        return ""


def _check_room(request: TrainingRequest, found: Survey) -> list[Problem]:
    settings = load_settings()
    work = _workload(request, found)
    needed = estimate_workload(work, _workers(work))
    problems = []
    if needed.memory_gb > settings.memory_limit_gb:
        problems.append(
            Problem(
                "memory",
                f"The run needs about {needed.memory_gb:.1f} GB of memory; a job may use "
                f"{settings.memory_limit_gb:g} GB.",
                "Train on the panel, or raise the limit of a job's memory in the preferences.",
            )
        )
    free = shutil.disk_usage(_existing(state_folder())).free / 1e9
    for room, whose in (
        (settings.disk_limit_gb, "a job may use"),
        (free, "the state folder's disk has room for"),
    ):
        if needed.disk_gb > room:
            problems.append(
                Problem(
                    "disk",
                    f"The run needs about {needed.disk_gb:.1f} GB of disk; {whose} {room:.1f} GB.",
                    "Train fewer kinds or repetitions, or make room.",
                )
            )
    return problems


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _survey(data: Path | None) -> Survey:
    if data is None or not data.is_dir():
        raise InputDataError(NO_DATA, remedy="Fetch them (data fetch gdsc), or set RESVAE_DATA.")
    files = [(path, path.stat()) for path in source_files(data)]
    return _remembered(data, tuple((str(p), s.st_size, s.st_mtime_ns) for p, s in files))


@lru_cache(maxsize=2)
def _remembered(data: Path, stamp: tuple[object, ...]) -> Survey:
    """Survey a folder once while its files have the same sizes and times (`stamp`)."""
    return survey(data)


def _panel_size() -> int:
    return len(panel_genes())


def panel_genes() -> frozenset[str]:
    """Return the panel: the genes that the models which came with the program read."""
    from resvae_core.config import models_folder
    from resvae_core.registry.store import load_card

    shipped = models_folder()
    card = load_card(describe_model_set(shipped).default_model, shipped)
    return frozenset(card.document["genes"])


def _unusable(name: str, value: object, hint: str = "") -> ConfigError:
    return ConfigError(
        f"The training request's {name} cannot be {value!r}.",
        remedy=f"Give a value of the right type{hint}.",
    )


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "drugs": tuple,
    "kinds": tuple,
    "n_seeds": int,
    "label_share": (int, float),
    "budget_hours": (int, float),
    "device": str,
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "label_rule": get_args(RuleName),
    "genes": get_args(Genes),
    "effort": get_args(Effort),
}
