"""``evidence``: what the models find in the real cohorts, as aggregates to ship beside them."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from resvae_core.cli.options import DataOption, ModelsOption, require_data
from resvae_core.registry.description import active_set_folder, describe_model_set
from resvae_core.registry.evidence import EVIDENCE, save_evidence
from resvae_core.registry.evidence_run import build_evidence, cohort_sizes
from resvae_core.registry.store import load_model_set


def evidence(data: DataOption = None, models: ModelsOption = None) -> None:
    """Compute the findings that travel with the models: no row of them is a patient.

    Transfer tasks, recorded response, biomarkers, survival by flagged genes, maps and neighbours.
    The evidence beside the models is replaced only when the new one is complete.
    """
    folder, target = require_data(data), models or active_set_folder()
    tables = build_evidence(
        folder, load_model_set(target), report=lambda step: typer.echo(step, err=True)
    )
    save_evidence(
        tables,
        model_set=describe_model_set(target).name,
        created=datetime.now(UTC).date().isoformat(),
        cohorts=cohort_sizes(tables),
        folder=target,
    )
    typer.echo(f"Evidence saved in {target / EVIDENCE}.")
