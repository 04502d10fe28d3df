"""The program and how it fails: message and remedy on stderr, exit code 2, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from resvae_core.cli import (
    audit,
    biomarkers,
    cancer_type,
    data,
    encoders,
    enrich,
    evaluate,
    evidence,
    explain,
    jobs,
    models,
    predict,
    pretrain,
    score,
    settings,
    survival,
    train,
    transfer,
)
from resvae_core.config import RESEARCH_USE
from resvae_core.errors import ResVAEError

USER_ERROR = 2

program = typer.Typer(
    help=f"Drug resistance of tumours from bulk RNA-seq. {RESEARCH_USE}.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
program.command("predict")(predict.predict)
program.command("score")(score.score)
program.command("explain")(explain.explain)
program.command("transfer")(transfer.transfer)
program.command("biomarkers")(biomarkers.biomarkers)
program.command("enrich")(enrich.enrich)
program.command("survival")(survival.survival)
program.command("evidence")(evidence.evidence)
program.command("evaluate")(evaluate.evaluate)
program.command("train")(train.train)
program.command("pretrain")(pretrain.pretrain)
program.command("cancer-type")(cancer_type.cancer_type)
program.add_typer(models.program, name="models")
program.add_typer(data.program, name="data")
program.add_typer(jobs.program, name="jobs")
program.add_typer(encoders.program, name="encoders")
program.add_typer(settings.program, name="settings")
program.add_typer(audit.program, name="audit")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; a `ResVAEError` becomes its message, its remedy and exit code 2."""
    try:
        program(args=arguments)
    except ResVAEError as error:
        typer.echo(f"Error: {error.message}\nWhat to do: {error.remedy}", err=True)
        sys.exit(USER_ERROR)
