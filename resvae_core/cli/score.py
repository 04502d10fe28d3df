"""``score``: a cohort of any size, from Parquet to Parquet."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.options import ModelsOption
from resvae_core.cli.predict import ReferenceOption
from resvae_core.config import RESEARCH_USE, inbox_folder
from resvae_core.data.inbox import find_by_name, list_inbox
from resvae_core.engine.engine import open_engine
from resvae_core.errors import ConfigError
from resvae_core.jobs import service
from resvae_core.jobs.audit_lines import record_scoring
from resvae_core.jobs.task_scoring import to_arguments
from resvae_core.registry.batch_scoring import (
    CHUNK,
    ScoringRequest,
    check_request,
    score_cohort,
)
from resvae_core.registry.score_folder import verify_scores

SHOWN_EVERY = 5.0
"""Seconds between two lines of progress."""


def score(
    input: Annotated[
        Path | None,
        typer.Argument(
            help="Parquet file, or a folder of them: a row a sample, a column a gene, "
            "log2(TPM + 1); names of samples in the index or in a column 'sample'. With --job: "
            "name or id of an entry of the inbox.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the scores; start again to go on in it."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Model; repeat it. All where not given.")
    ] = None,
    drug: Annotated[
        list[str] | None, typer.Option("--drug", help="Drug; repeat it. All where not given.")
    ] = None,
    cancer_type: Annotated[
        str | None,
        typer.Option("--cancer-type", help="TCGA code that holds for every sample."),
    ] = None,
    reference: ReferenceOption = "tumours",
    engine: Annotated[
        Literal["serial", "processes", "dask"] | None,
        typer.Option("--engine", help="Where parts are computed; as the settings say by default."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Worker processes; 0: one a core.")
    ] = None,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Samples in a part.")] = CHUNK,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that every row is there once when it is done.")
    ] = False,
    models: ModelsOption = None,
    job: Annotated[
        bool, typer.Option("--job", help="Queue it as a job; the scores lie in the job's folder.")
    ] = False,
    inbox: Annotated[
        bool, typer.Option("--inbox", help="List what jobs can score: id, samples, size and name.")
    ] = False,
) -> None:
    """Score a cohort larger than memory: every sample, model and drug, one row each.

    Parts of the scores appear in the folder as they are done, with manifest.json. Where a run was
    stopped, the same command goes on with the parts that are missing. Jobs take cohorts only from
    the inbox (RESVAE_INBOX, else inbox/ of the state folder).
    """
    if inbox:
        _show_inbox()
        return
    if input is None or (out is None) != job:
        raise ConfigError(
            "Scoring was asked for without an input, or not with one of --out and --job.",
            remedy="Run: score INPUT --out FOLDER, or: score NAME --job; --inbox lists names.",
        )
    if out is None:
        if verify or engine or workers is not None:
            raise ConfigError(
                "--verify, --engine and --workers belong to a run here, not to a job.",
                remedy="Leave them out: a job computes as the settings say.",
            )
        chosen = to_arguments(
            find_by_name(str(input)).id,
            models=model or (),
            drugs=drug or (),
            cancer_type=cancer_type,
            reference=reference,
            chunk=chunk,
            set_folder=models,
        )
        _submit(chosen)
        return
    request = ScoringRequest(
        input=input,
        out=out,
        models=tuple(model or ()),
        drugs=tuple(drug or ()),
        cancer_type=cancer_type,
        reference=reference,
        chunk=chunk,
        set_folder=models,
    )
    _score(request, engine, workers)
    if verify:
        found = verify_scores(out)
        typer.echo(
            f"Verified: each of {found.rows:,} rows is there once, in {found.bytes:,} bytes.",
            err=True,
        )
    typer.echo(RESEARCH_USE + ".", err=True)


def _show_inbox() -> None:
    for entry in list_inbox():
        samples = "unreadable" if entry.n_samples is None else f"{entry.n_samples:,} samples"
        typer.echo(f"{entry.id}  {samples:>18}  {entry.size / 1e6:10,.1f} MB  {entry.name}")
    typer.echo(f"Jobs take cohorts from (RESVAE_INBOX): {inbox_folder()}", err=True)


def _submit(arguments: dict[str, Any]) -> None:
    submitted = service.submit("score", arguments, actor=COMMAND_LINE)
    typer.echo(submitted.id)
    typer.echo(f"Queued; `jobs log {submitted.id} --follow` shows how far it is.", err=True)


def _score(
    request: ScoringRequest,
    engine: Literal["serial", "processes", "dask"] | None,
    workers: int | None,
) -> None:
    """Score here and now, and say what there is then."""
    check_request(request)
    audited = partial(record_scoring, by=COMMAND_LINE)
    with open_engine(engine, workers) as opened:
        scored = score_cohort(request, opened, planned=audited, report=_Progress().tell)
    typer.echo(
        f"{scored.rows:,} rows of {scored.samples:,} samples in {scored.parts:,} parts "
        f"({scored.parts_written:,} written now) by {scored.model_set}, in {request.out}.",
        err=True,
    )


class _Progress:
    """Prints how far a run is, now and then."""

    def __init__(self) -> None:
        self._step, self._shown, self._started, self._first = "", 0.0, 0.0, 0

    def tell(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self._step:
            self._step, self._shown, self._started, self._first = step, now, now, done
            typer.echo(f"{step} …", err=True)
            return
        if now - self._shown < SHOWN_EVERY and done < total:
            return
        self._shown = now
        rate = (done - self._first) / max(now - self._started, 1e-9)
        left = (total - done) / rate if rate else 0.0
        typer.echo(
            f"{done:,} of {total:,} samples, {rate:,.0f} a second, {left:,.0f} s left", err=True
        )
