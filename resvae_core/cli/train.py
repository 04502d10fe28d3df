"""``train``: judge, fit and save the model set."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from tqdm import tqdm

from resvae_core.access.audit import as_subject, record
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.evaluate import EngineOption, JobsOption, SeedsOption
from resvae_core.cli.options import DataOption, ModelsOption, require_data
from resvae_core.compute import prefer_device
from resvae_core.config import artifacts_folder, models_folder
from resvae_core.data.screens import is_genome_wide
from resvae_core.engine.engine import Engine, open_engine
from resvae_core.errors import ConfigError
from resvae_core.jobs.audit_lines import record_added
from resvae_core.jobs.task_training import hold_against_active
from resvae_core.models.catalog import floor_names
from resvae_core.process_locks import only_one
from resvae_core.registry.candidate_run import (
    EVALUATION,
    STAGED,
    TRAINING,
    Folders,
    train_set,
)
from resvae_core.registry.library import add_candidate
from resvae_core.registry.training_request import (
    LONGEST_HOURS,
    TrainingRequest,
    estimate,
    require_request,
)
from resvae_core.registry.training_run import fitting_order
from resvae_core.settings import device_for

DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="cpu, cuda, cuda:N, or auto: as the settings say, else a GPU if there is one.",
    ),
]


def train(
    data: DataOption = None,
    seeds: SeedsOption = 3,
    jobs: JobsOption = 2,
    name: Annotated[str, typer.Option("--name", help="Id of the set.")] = "gdsc-panel-1",
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Learned model; repeat it. All where not given."),
    ] = None,
    drug: Annotated[
        list[str] | None,
        typer.Option("--drug", help="Drug; repeat it. All that were measured where not given."),
    ] = None,
    label_rule: Annotated[
        str,
        typer.Option(
            "--label-rule", help="catalogue, or lowest_share of each drug's measured lines."
        ),
    ] = "catalogue",
    label_share: Annotated[
        float, typer.Option("--label-share", help="Share of lines that lowest_share takes.")
    ] = 0.15,
    genes: Annotated[
        str,
        typer.Option("--genes", help="panel or genome; what the data have where not given."),
    ] = "",
    effort: Annotated[
        str, typer.Option("--effort", help="full, or short: a run for trying things out.")
    ] = "full",
    engine: EngineOption = None,
    device: DeviceOption = "auto",
    candidate: Annotated[
        bool,
        typer.Option(
            "--candidate", help="Add the set to the library instead of replacing the models."
        ),
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Train the model set on cell lines: judge every model, fit on all lines, write cards, save.

    Finished folds and models are kept: a stopped run goes on where it was, with the same result.
    The set in the folder is replaced only when the new one is complete; with --candidate it stays,
    and the new one waits in the library to be compared and promoted.
    """
    if candidate and models:
        raise ConfigError(
            "--candidate adds to the library, and --models names a folder to replace.",
            remedy="Use one of them.",
        )
    request = TrainingRequest.from_arguments(
        {
            **{"name": name, "kinds": kind or [], "drugs": drug or [], "n_seeds": seeds},
            **{"label_rule": label_rule, "label_share": label_share, "effort": effort},
            **{"device": device, "budget_hours": LONGEST_HOURS},
        }
    )
    fitting_order((*request.chosen_kinds, *floor_names()))  # refused before anything is read
    typer.echo(f"Computing on: {prefer_device(device_for(device))}.", err=True)
    folder = require_data(data)
    chosen = genes or ("genome" if is_genome_wide(folder) else "panel")
    request = TrainingRequest.from_arguments(request.to_arguments() | {"genes": chosen})
    _announce(request, folder, jobs)
    with open_engine(engine, jobs) as workers:
        if candidate:
            _add_candidate(request, folder, workers)
        else:
            _replace(request, folder, workers, models or models_folder())


def _announce(request: TrainingRequest, data: Path, n_workers: int) -> None:
    """Refuse what cannot be trained, and say how long the rest will take."""
    require_request(request, data)
    expected = estimate(request, data, n_workers)
    low, high = max(1, round(expected.minutes_low)), max(2, round(expected.minutes_high))
    typer.echo(f"Expected from the start: {low} to {high} minutes. {expected.basis}", err=True)


def _replace(request: TrainingRequest, data: Path, engine: Engine, target: Path) -> None:
    if target.resolve() == models_folder().resolve():
        subject = as_subject("set", request.set_name)
        record("set.replaced", actor=COMMAND_LINE, subject=subject)
    _train(request, data, engine, target)
    typer.echo(
        f"Model set {request.set_name} saved in {target}. Findings in cohorts belong to the set "
        "before it: compute them again with `evidence`."
    )


def _add_candidate(request: TrainingRequest, data: Path, engine: Engine) -> None:
    with TemporaryDirectory(prefix="staged-", dir=_made(artifacts_folder())) as staging:
        _train(request, data, engine, Path(staging) / STAGED)
        recorded = partial(record_added, by=COMMAND_LINE)
        staged = Path(staging) / STAGED
        added = add_candidate(staged, origin=COMMAND_LINE.name, before_add=recorded)
    typer.echo(f"Candidate {added.id} added to the library.")
    for gate in hold_against_active(added, data, report=_say_step, log=_say):
        typer.echo(f"{gate.state}: {gate.name} (found {gate.found}; expected {gate.expected})")


def _say_step(*, step: str | None = None, **_: Any) -> None:
    if step:
        _say(f"{step} …")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _train(request: TrainingRequest, data: Path, engine: Engine, target: Path) -> None:
    """Train with a bar that says what is done and how long it will take."""
    root = _made(artifacts_folder())
    folders = Folders(root / EVALUATION, root / TRAINING, target)
    alone = only_one(root / "train.lock", what=f"train a set with what is kept in {root}")
    with alone, tqdm(desc="training", unit="step") as bar:

        def report(
            *, step: str | None = None, done: int | None = None, total: int | None = None, **_: Any
        ) -> None:
            bar.total = total or bar.total
            bar.set_postfix_str(step or "", refresh=False)
            bar.update((bar.n if done is None else done) - bar.n)
            bar.refresh()

        def log(text: str) -> None:
            bar.write(text, file=sys.stderr)

        train_set(request, data, engine=engine, folders=folders, report=report, log=log)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
