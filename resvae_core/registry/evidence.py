"""Shipped evidence: what was computed from the real cohorts, as aggregates that travel with models.

Tables lie in ``evidence/`` of the models' folder with a document that says which model set they
were computed with. They name no patient: counts, quantiles, correlations, curves. A set that is
trained anew leaves them behind, so that no finding of one set stands beside another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from resvae_core.data.files import file_digest, replacing_folder, settled, write_json
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.registry.description import active_set_folder, is_retrained
from resvae_core.registry.pointer import SET_FILE, digest_of

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

RESPONSE, ALIGNMENT = "clinical_response", "alignment"
OPTIONAL = (RESPONSE, ALIGNMENT)
"""Tables that rest on data which no official source offers as they are read here."""


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
    left_out
        Name of a table of `OPTIONAL` that was not computed to what was missing.
    """

    model_set: str
    set_digest: str
    created: str
    cohorts: dict[str, int]
    digests: dict[str, str]
    left_out: dict[str, str] = field(default_factory=dict)


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
        If it was left out, is missing or altered, or was computed with another model set.
    """
    if name not in TABLES:
        raise ConfigError(
            f"The evidence has no table {name!r}.", remedy=f"Use one of: {', '.join(TABLES)}."
        )
    folder = folder or active_set_folder()
    evidence = describe_evidence(folder)
    if name in evidence.left_out:
        raise ArtifactError(
            f"The table {name} of the evidence was not computed, because "
            f"{evidence.left_out[name]}.",
            remedy="Install what is missing, then run: python -m resvae_core evidence.",
        )
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
    set_digest: str,
    created: str,
    cohorts: Mapping[str, int],
    left_out: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Replace the evidence beside a model set; whoever stops this half way keeps the old one.

    Parameters
    ----------
    tables
        Every one of `TABLES` that was not left out; numbers are kept with five or more digits.
    model_set
        Id of the models.
    set_digest
        SHA-256 (hex) of the ``model_set.json`` that they were loaded from.
    created
        ISO date.
    cohorts
        Code to number of patients.
    left_out
        Tables of `OPTIONAL` that were not computed, each with what was missing.
    folder
        The models' folder; the active one by default.

    Raises
    ------
    ConfigError
        If a table is missing or unknown.
    ArtifactError
        If another set lies in the folder than the one with `set_digest`.
    """
    missing = dict(left_out or {})
    expected = set(TABLES) - (set(missing) & set(OPTIONAL))
    if set(tables) != expected:
        odd = ", ".join(sorted(set(tables) ^ expected))
        raise ConfigError(
            f"The evidence lacks a table, or has an unknown one: {odd}.",
            remedy="Build all tables of registry.evidence.TABLES; only those of OPTIONAL may be "
            "left out, with a reason.",
        )
    folder = folder or active_set_folder()
    _require_same_set(folder, model_set, set_digest)
    with replacing_folder(folder / EVIDENCE) as staged:
        staged.mkdir()
        for name, table in tables.items():
            _write(table, staged / f"{name}.{TABLES[name]}")
        document = {
            "schema_version": SCHEMA_VERSION,
            "model_set": model_set,
            "set_digest": set_digest,
            "created": created,
            "cohorts": dict(cohorts),
            "digests": {f.name: file_digest(f) for f in sorted(staged.iterdir()) if f.is_file()},
            **({"left_out": missing} if missing else {}),
        }
        write_json(staged / EVIDENCE_FILE, document)


def _require_same_set(folder: Path, model_set: str, set_digest: str) -> None:
    """Refuse a folder in which another set lies than the one that the findings are of."""
    if digest_of(settled(folder)) != set_digest:
        raise ArtifactError(
            f"The model set in {folder.name}/ was replaced while the evidence was computed: it is "
            f"not {model_set} ({set_digest[:8]}) any more.",
            remedy="Compute the evidence again, with the set that is there now.",
        )


def _write(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
        return
    # single precision would make the smallest p-values 0
    numbers = map(str, table.select_dtypes("float64"))
    small = [name for name in numbers if not name.startswith(("p_", "q_"))]
    table.astype(dict.fromkeys(small, "float32")).to_parquet(path, index=False, compression="zstd")
