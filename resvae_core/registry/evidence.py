"""Shipped evidence: what was computed from the real cohorts, as aggregates that travel with models.

Tables lie in ``evidence/`` of the models' folder with a document that says which model set they
were computed with. They name no patient: counts, quantiles, correlations, curves. A set that is
trained anew leaves them behind, so that no finding of one set stands beside another.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from resvae_core.data.files import file_digest, replace_folder, write_json
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.registry.description import active_set_folder, is_retrained
from resvae_core.registry.pointer import SET_FILE

EVIDENCE = "evidence"
EVIDENCE_FILE = "evidence.json"
SCHEMA_VERSION = 1
REMEDY = "Restore models/evidence/ from the repository, or run: python -m resvae_core evidence."

TABLES: dict[str, str] = {
    "transfer_tasks": "csv",
    "score_quantiles": "parquet",
    "expression_quantiles": "csv",
    "clinical_response": "csv",
    "alignment": "csv",
    "biomarkers": "parquet",
    "named_panel": "csv",
    "survival_tests": "csv",
    "survival_groups": "csv",
    "survival_curves": "parquet",
    "cohort_attributions": "parquet",
    "cohort_profiles": "parquet",
    "cohort_genes": "parquet",
    "line_map": "parquet",
    "line_map_axes": "parquet",
    "cohort_map": "csv",
    "neighbour_agreement": "csv",
}
"""Name of a table to the form that it is kept in."""


@dataclass(frozen=True)
class Evidence:
    """What the shipped evidence is.

    Parameters
    ----------
    model_set
        Id of the models that it was computed with.
    set_digest
        SHA-256 (hex) of that set's ``model_set.json``.
    created
        ISO date.
    cohorts
        Code to number of patients.
    digests
        File to SHA-256 (hex).
    """

    model_set: str
    set_digest: str
    created: str
    cohorts: dict[str, int]
    digests: dict[str, str]


def describe_evidence(folder: Path | None = None) -> Evidence:
    """Describe the evidence that lies beside a model set, the active one by default.

    Raises
    ------
    ArtifactError
        If there is none, it cannot be read, or it was computed with another model set.
    """
    folder = folder or active_set_folder()
    path = folder / EVIDENCE / EVIDENCE_FILE
    if is_retrained(folder) and not path.is_file():
        raise ArtifactError(
            "No findings in patient cohorts were computed with this model set yet.",
            remedy="Compute them: Settings, Model sets, Findings; or run: python -m resvae_core "
            "evidence.",
        )
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("schema_version") != SCHEMA_VERSION:
            raise ArtifactError("The shipped evidence has another schema version.", remedy=REMEDY)
        evidence = Evidence(**document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"There is no readable evidence from patient cohorts beside the models "
            f"({type(error).__name__}).",
            remedy=REMEDY,
        ) from error
    if evidence.set_digest != file_digest(folder / SET_FILE):
        raise ArtifactError(
            f"The evidence beside the models was computed with another model set "
            f"({evidence.model_set}, {evidence.set_digest[:8]}).",
            remedy=REMEDY,
        )
    return evidence


def load_evidence(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Return one table of the evidence.

    Parameters
    ----------
    name
        One of `TABLES`.
    folder
        The models' folder; the active one by default.

    Raises
    ------
    ConfigError
        If there is no table of this name.
    ArtifactError
        If it is missing or altered, or was computed with another model set.
    """
    if name not in TABLES:
        raise ConfigError(
            f"The evidence has no table {name!r}.", remedy=f"Use one of: {', '.join(TABLES)}."
        )
    folder = folder or active_set_folder()
    evidence = describe_evidence(folder)
    file = f"{name}.{TABLES[name]}"
    path = folder / EVIDENCE / file
    if not path.is_file() or file_digest(path) != evidence.digests.get(file):
        state = "altered" if path.is_file() else "missing"
        raise ArtifactError(f"The table {file} of the evidence is {state}.", remedy=REMEDY)
    return pd.read_parquet(path) if TABLES[name] == "parquet" else pd.read_csv(path)


def save_evidence(
    tables: Mapping[str, pd.DataFrame],
    *,
    model_set: str,
    created: str,
    cohorts: Mapping[str, int],
    folder: Path | None = None,
) -> None:
    """Replace the evidence beside a model set; whoever stops this half way keeps the old one.

    Parameters
    ----------
    tables
        Every one of `TABLES`; numbers are kept with five or more digits.
    model_set
        Id of the models.
    created
        ISO date.
    cohorts
        Code to number of patients.
    folder
        The models' folder; the active one by default.

    Raises
    ------
    ConfigError
        If a table is missing or unknown.
    """
    if set(tables) != set(TABLES):
        odd = ", ".join(sorted(set(tables) ^ set(TABLES)))
        raise ConfigError(
            f"The evidence lacks a table, or has an unknown one: {odd}.",
            remedy="Build all tables of registry.evidence.TABLES.",
        )
    folder = folder or active_set_folder()
    staged = folder / f"{EVIDENCE}.partial"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for name, table in tables.items():
        _write(table, staged / f"{name}.{TABLES[name]}")
    document = {
        "schema_version": SCHEMA_VERSION,
        "model_set": model_set,
        "set_digest": file_digest(folder / SET_FILE),
        "created": created,
        "cohorts": dict(cohorts),
        "digests": {f.name: file_digest(f) for f in sorted(staged.iterdir()) if f.is_file()},
    }
    write_json(staged / EVIDENCE_FILE, document)
    replace_folder(staged, folder / EVIDENCE)


def _write(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
        return
    # single precision would make the smallest p-values 0
    numbers = map(str, table.select_dtypes("float64"))
    small = [name for name in numbers if not name.startswith(("p_", "q_"))]
    table.astype(dict.fromkeys(small, "float32")).to_parquet(path, index=False, compression="zstd")
