"""``predict``: every drug, every model, one row each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from resvae_core.cli.options import ModelsOption, OutOption, write_tables
from resvae_core.config import RESEARCH_USE
from resvae_core.data.uploads import Unit, Upload, UploadOverrides, read_expression
from resvae_core.registry.store import load_model_set

ALL = "all"

FileArgument = Annotated[Path, typer.Argument(help="Expression of one or more samples.")]
UnitOption = Annotated[
    Unit | None,
    typer.Option("--unit", help="Unit of the values, where the detected one is wrong."),
]
ReferenceOption = Annotated[
    Literal["tumours", "cell_lines"],
    typer.Option("--reference", help="What the samples are: patients' tumours or cell lines."),
]


def predict(
    file: FileArgument,
    cancer: Annotated[
        str | None, typer.Option("--cancer", help="TCGA code, for the tissue floor.")
    ] = None,
    drug: Annotated[
        list[str] | None, typer.Option("--drug", help="Drug; repeat it. All where not given.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="A model, or all.")] = ALL,
    unit: UnitOption = None,
    reference: ReferenceOption = "tumours",
    models: ModelsOption = None,
    out: OutOption = None,
) -> None:
    """Predict resistance of samples to drugs.

    Columns: sample, drug, model, probability (of resistance), lower, upper (90 % interval), call,
    range, note, model_set (name and first digits of the digest). Many samples are predicted and
    written a few hundred at a time.
    """
    upload = read(file, unit)
    model_set = load_model_set(models)
    chosen = None if model == ALL else [model]
    forecasts = model_set.predict_in_chunks(
        upload.expression, cancer_type=cancer, drugs=drug, models=chosen, reference=reference
    )
    write_tables((one.table.assign(model_set=one.made_by) for one in forecasts), out)
    typer.echo(f"Model set: {model_set.made_by}. {RESEARCH_USE}.", err=True)


def read(file: Path, unit: Unit | None) -> Upload:
    """Read an upload and say on stderr what was found in it."""
    upload = read_expression(file, overrides=UploadOverrides(unit=unit))
    for issue in upload.qc.issues:
        typer.echo(f"{issue.severity}: {issue.where}: {issue.found}. {issue.remedy}", err=True)
    return upload
