"""``evidence``: what the models find in the real cohorts, as aggregates to ship beside them."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from resvae_core.cli.options import DataOption, ModelsOption, require_data
from resvae_core.registry.description import active_set_folder
from resvae_core.registry.evidence import EVIDENCE, save_evidence
from resvae_core.registry.evidence_needs import require_needs
from resvae_core.registry.evidence_run import build_evidence, cohort_sizes
from resvae_core.registry.store import load_model_set


def evidence(data: DataOption = None, models: ModelsOption = None) -> None:
    """Compute the findings that travel with the models: no row of them is a patient.

    Transfer tasks, recorded response, biomarkers, survival by flagged genes, maps and neighbours.
    What needs recorded responses or z-scores is left out where they are not installed. The evidence
    beside the models is replaced only when the new one is complete.
    """
    folder, target = require_data(data), models or active_set_folder()
    require_needs(folder, target)
    model_set = load_model_set(target)
    found = build_evidence(folder, model_set, report=lambda step: typer.echo(step, err=True))
    save_evidence(
        found.tables,
        model_set=model_set.name,
        set_digest=model_set.digest,
        created=datetime.now(UTC).date().isoformat(),
        cohorts=cohort_sizes(found.tables),
        left_out=found.left_out,
        folder=target,
    )
    typer.echo(f"Evidence saved in {target / EVIDENCE}.")
