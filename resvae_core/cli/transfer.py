"""``transfer``: five cohorts, nine drugs each, every learned model; and the recorded responses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from resvae_core.cli.options import DataOption, ModelsOption, OutOption, require_data, write_table
from resvae_core.config import RESEARCH_USE
from resvae_core.evaluation.clinical_response import (
    MINIMAL_CLASS,
    response_table,
    summarise_response,
)
from resvae_core.evaluation.transfer import KEYS, TOLERANCE, table_differences, transfer_table
from resvae_core.registry.description import active_set_folder
from resvae_core.registry.evidence import EVIDENCE, EVIDENCE_FILE, load_evidence
from resvae_core.registry.store import load_model_set

DIFFERENT = 1
"""Exit code where the table is not the shipped one."""
N_SHOWN = 20

ResponseOption = Annotated[
    Path | None,
    typer.Option("--response-out", help="CSV for the comparison with recorded responses."),
]


def transfer(
    data: DataOption = None,
    models: ModelsOption = None,
    out: OutOption = None,
    response_out: ResponseOption = None,
) -> None:
    """Predict five TCGA cohorts, nine drugs each, and compare with the shipped table.

    One row a cohort, drug and model; 180 of them (task: True) are the four models' tasks. The exit
    code is 1 where a number differs from the shipped table by more than 0.001.
    """
    folder = require_data(data)
    model_set = load_model_set(models)
    table = transfer_table(folder, model_set, progress=show)
    write_table(table, out)
    if response_out:
        response = response_table(folder, model_set, progress=show)
        write_table(response, response_out)
        typer.echo(describe_response(response), err=True)
    same, words = compare_with_shipped(table, models)
    typer.echo(f"{words}\n{RESEARCH_USE}.", err=True)
    if not same:
        raise typer.Exit(DIFFERENT)


def show(step: str, done: int, total: int) -> None:
    """Say on stderr which cohort comes next."""
    if step:
        typer.echo(f"{done + 1} of {total}: {step}", err=True)


def compare_with_shipped(table: pd.DataFrame, models: Path | None = None) -> tuple[bool, str]:
    """Compare a transfer table with the one that is shipped beside the models.

    Returns
    -------
    tuple
        Whether they agree, and the words for it; there is nothing to disagree with where no
        evidence is shipped.

    Raises
    ------
    ArtifactError
        If the shipped evidence is broken, or of another model set.
    """
    folder = models or active_set_folder()
    if not (folder / EVIDENCE / EVIDENCE_FILE).is_file():
        return True, "There is no shipped table to compare with."
    gaps = table_differences(table, load_evidence("transfer_tasks", folder))
    wide = gaps[gaps["difference"] > TOLERANCE]
    if wide.empty:
        largest = float(gaps["difference"].max())
        return True, f"The table agrees with the shipped one (largest difference {largest:.2g})."
    lines = [
        f"  {', '.join(str(row[key]) for key in KEYS)}: {row['column']} is {row['found']:.6g}, "
        f"shipped {row['shipped']:.6g}"
        for _, row in wide.head(N_SHOWN).iterrows()
    ]
    more = [f"  and {len(wide) - N_SHOWN} more"] if len(wide) > N_SHOWN else []
    head = f"{len(wide)} numbers differ from the shipped table by more than {TOLERANCE}:"
    return False, "\n".join([head, *lines, *more])


def describe_response(response: pd.DataFrame) -> str:
    """Say for each model on how many pairs of cohort and drug it ordered patients rightly."""
    if response.empty:
        return "No cohort has enough responses on record."
    lines = [
        f"  {row['model']}: ROC AUC above 0.5 in {row['n_above']} of {row['n_pairs']} pairs of "
        f"cohort and drug, interval above 0.5 in {row['n_excluding_above']}, below 0.5 in "
        f"{row['n_excluding_below']}"
        for _, row in summarise_response(response).iterrows()
    ]
    caution = (
        f"Few patients, and many intervals: some exclude 0.5 by chance (smallest q over all of "
        f"them {response['q_value'].min():.2g}). Pairs with fewer than {MINIMAL_CLASS} responders "
        "or non-responders say little."
    )
    return "\n".join(["Recorded responses, within each cancer, never pooled:", *lines, caution])
