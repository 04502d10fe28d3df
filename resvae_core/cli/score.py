"""``score``: a cohort of any size, from Parquet to Parquet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from resvae_core.access.audit import record
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.options import ModelsOption
from resvae_core.cli.predict import ReferenceOption
from resvae_core.config import RESEARCH_USE
from resvae_core.engine.engine import open_engine
from resvae_core.registry.batch_scoring import (
    CHUNK,
    ScoringRequest,
    check_request,
    score_cohort,
)
from resvae_core.registry.description import active_set_folder
from resvae_core.registry.score_folder import verify_scores
from resvae_core.registry.store import read_contents

SHOWN_EVERY = 5.0
"""Seconds between two lines of progress."""


def score(
    input: Annotated[
        Path,
        typer.Argument(
            help="Parquet file, or a folder of them: a row a sample, a column a gene, "
            "log2(TPM + 1); names of samples in the index or in a column 'sample'."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the scores; start again to go on in it.")
    ],
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
) -> None:
    """Score a cohort larger than memory: every sample, model and drug, one row each.

    Parts of the scores appear in the folder as they are done, with manifest.json. Where a run was
    stopped, the same command goes on with the parts that are missing.
    """
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
    check_request(request)
    contents = read_contents(models or active_set_folder())
    record("cohort.scored", actor=COMMAND_LINE, model_set=f"{contents.name}:{contents.digest}")
    with open_engine(engine, workers) as opened:
        scored = score_cohort(request, opened, report=_Progress().tell)
    typer.echo(
        f"{scored.rows:,} rows of {scored.samples:,} samples in {scored.parts:,} parts "
        f"({scored.parts_written:,} written now) by {scored.model_set}, in {out}.",
        err=True,
    )
    if verify:
        found = verify_scores(out)
        typer.echo(
            f"Verified: each of {found.rows:,} rows is there once, in {found.bytes:,} bytes.",
            err=True,
        )
    typer.echo(RESEARCH_USE + ".", err=True)


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
