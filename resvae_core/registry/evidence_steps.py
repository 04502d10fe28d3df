"""Finished steps of the findings, kept in a folder: a run that was killed goes on after the last.

What is kept is aggregates, as in the evidence itself: no row is a patient's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.data.cohorts import installation_stamp
from resvae_core.data.files import replacing_folder
from resvae_core.data.screens import source_files

Array = NDArray[np.float64]
Tables = dict[str, pd.DataFrame]
Compute = Callable[[], Tables]
Keep = Callable[[str, Compute], Tables]
"""Takes the name of a step and what computes its tables; returns them, computed or kept."""

DRUG, MODEL = "drug", "model"


def compute_anew(step: str, compute: Compute) -> Tables:
    """Compute a step, and keep nothing."""
    return compute()


class KeptSteps:
    """Keeps the tables of every step, as they were computed.

    Parameters
    ----------
    folder
        Of one run: the same program, model set and data, see `run_key`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, step: str, compute: Compute) -> Tables:
        """Return the tables of a step: the kept ones, or else newly computed and kept ones."""
        place = self.folder / step
        if place.is_dir():
            return {path.stem: pd.read_parquet(path) for path in sorted(place.glob("*.parquet"))}
        tables = compute()
        with replacing_folder(place) as staged:
            staged.mkdir()
            for name, table in tables.items():
                table.to_parquet(staged / f"{name}.parquet")
        return tables


def run_key(set_digest: str, data: Path, code_digest: str) -> str:
    """Return a text (16 hex digits) that changes with whatever the findings are computed from.

    Parameters
    ----------
    set_digest, code_digest
        SHA-256 (hex) of the model set and of the program.
    data
        Folder of installed data, of which sizes and times of files are looked at.
    """
    lines = [(path.name, (s := path.stat()).st_size, s.st_mtime_ns) for path in source_files(data)]
    facts = (set_digest, code_digest, installation_stamp(data), lines)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def slopes_table(
    slopes: Mapping[str, Array], member_slopes: Mapping[str, Array], genes: tuple[str, ...]
) -> pd.DataFrame:
    """Return slopes of a `CohortReading` as one table, which `read_slopes` reads back.

    Returns
    -------
    DataFrame
        A row a drug, model and member, columns ``drug``, ``model`` (its number) and the genes; the
        first row of a model is of the model itself.
    """
    parts = []
    for drug, of_models in slopes.items():
        # (n_models, 1 + n_members, n_genes)
        stacked = np.concatenate([of_models[:, None], member_slopes[drug]], axis=1)
        table = pd.DataFrame(stacked.reshape(-1, stacked.shape[-1]), columns=list(genes))
        table.insert(0, DRUG, drug)
        table.insert(1, MODEL, np.repeat(np.arange(len(stacked)), stacked.shape[1]))
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def read_slopes(table: pd.DataFrame) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return (n_models, n_genes) slopes and (n_models, n_members, n_genes) ones by drug."""
    slopes, members = {}, {}
    for drug, rows in table.groupby(DRUG, sort=False):
        values = rows.drop(columns=[DRUG, MODEL]).to_numpy(float)
        stacked = values.reshape(rows[MODEL].nunique(), -1, values.shape[1])
        slopes[str(drug)], members[str(drug)] = stacked[:, 0], stacked[:, 1:]
    return slopes, members
