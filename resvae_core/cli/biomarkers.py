"""``biomarkers``: genes that move or follow predicted resistance, by cohort and drug."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from resvae_core.cli.options import (
    DataOption,
    ModelsOption,
    OutOption,
    require_data,
    write_table,
)
from resvae_core.config import RESEARCH_USE
from resvae_core.data.drugs import find_drug
from resvae_core.data.transfer_drugs import TRANSFER_COHORTS, load_transfer_drugs
from resvae_core.errors import ConfigError, UnknownCohortError
from resvae_core.explain.biomarkers import biomarker_table
from resvae_core.explain.cohort_reading import CohortReading, read_patients
from resvae_core.models.patients import load_patients
from resvae_core.registry.evidence import load_evidence
from resvae_core.registry.store import load_model_set

SHIPPED_NOTE = (
    "Shipped rows: every attributed gene, the strongest associated ones of each cohort and drug. "
    "q is over the whole table of five cohorts."
)


def biomarkers(
    data: DataOption = None,
    cohort: Annotated[
        list[str] | None,
        typer.Option("--cohort", help="One of the five cohorts; repeat it. All where not given."),
    ] = None,
    drug: Annotated[
        list[str] | None,
        typer.Option("--drug", help="Keep the rows of a drug; repeat it. All nine if not given."),
    ] = None,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Print what came with the models; needs no data.")
    ] = False,
    models: ModelsOption = None,
    out: OutOption = None,
) -> None:
    """List the genes that move or follow what the models predict for the patients of a cohort.

    Attributed genes are those that the models read: lower and upper are the range of their effect
    over the five models, votes and stability say how far models and their members agree, and an
    attribution has no p-value. Associated genes are all others that were measured: lower and upper
    are a 95 % interval. p and q are, for both, of the correlation with the ensemble's score.

    A finding is about predicted scores: nobody's response to a drug is in it. All nine drugs of a
    cohort are always computed, so that its rows do not depend on --drug; q is Benjamini-Hochberg
    over the cohorts that are named.
    """
    cohorts, drugs = _cohorts(cohort), [find_drug(name).name for name in drug or ()]
    _check_drugs(drugs, cohorts)
    if shipped:
        table = load_evidence("biomarkers", models)
        table = table[table["cohort"].isin(cohorts)]
        typer.echo(SHIPPED_NOTE, err=True)
    else:
        table = biomarker_table(_readings(require_data(data), cohorts, models))
        typer.echo(f"q over {', '.join(cohorts)} and all nine drugs of each.", err=True)
    write_table(table[table["drug"].isin(drugs)] if drugs else table, out)
    typer.echo(f"{RESEARCH_USE}.", err=True)


def _readings(folder: Path, cohorts: Sequence[str], models: Path | None) -> Iterator[CohortReading]:
    """Read one cohort after the other, with a progress bar each."""
    model_set = load_model_set(models)
    for code in cohorts:
        patients = load_patients(folder, code, model_set)
        drugs = [entry.drug for entry in load_transfer_drugs()[code]]
        with tqdm(desc=code, unit="patient × drug") as bar:

            def show(done: int, total: int, bar: tqdm[None] = bar) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield read_patients(model_set, patients, drugs, progress=show)


def _cohorts(named: Sequence[str] | None) -> list[str]:
    codes = [name.upper().removeprefix("TCGA-") for name in named or TRANSFER_COHORTS]
    unknown = [code for code in codes if code not in TRANSFER_COHORTS]
    if unknown:
        raise UnknownCohortError(
            f"Biomarkers are computed for {', '.join(TRANSFER_COHORTS)}, not for {unknown[0]!r}.",
            remedy="Name some of those with --cohort.",
        )
    return list(dict.fromkeys(codes))


def _check_drugs(drugs: Sequence[str], cohorts: Sequence[str]) -> None:
    """Refuse a drug that none of the cohorts is looked at for."""
    known = {code: [entry.drug for entry in load_transfer_drugs()[code]] for code in cohorts}
    for drug in drugs:
        if not any(drug in names for names in known.values()):
            listed = "; ".join(f"{code}: {', '.join(names)}" for code, names in known.items())
            raise ConfigError(
                f"{drug} is not among the nine drugs of {' or '.join(cohorts)}.",
                remedy=f"Choose among {listed}.",
            )
