"""Unlabelled expression profiles that the shipped encoders are pretrained on.

Nothing of a drug response or of a patient's course is read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from resvae_core.data.cohorts import DEMO, list_cohorts, load_cohort
from resvae_core.data.screens import MISASSIGNED_LINES, load_training_set
from resvae_core.data.symbols import current_symbols
from resvae_core.errors import InputDataError

MERGED_FILE = "gdsc/expression_merged.parquet"
CELL_LINES = "cell_lines"
MINIMAL_SHARE = 0.9
"""Share of the cell lines in which a gene must be measured to be read by an encoder."""
MAXIMAL_GENES = 2000
"""Of a genome-wide source, the most variable genes over the cell lines are read."""

ProfileForm = Literal["log2tpm", "zscore"]


@dataclass(frozen=True)
class ProfileGroup:
    """Profiles of one source.

    Parameters
    ----------
    name
        ``cell_lines`` or a TCGA code.
    form
        ``log2tpm``: log2(TPM + 1); ``zscore``: within-study z-scores, far from normal in many
        genes (their tails reach thousands): compare ranks, not values.
    values
        (n_samples, n_genes), NaN where not measured. Index: sample names. Columns: the genes of
        `PretrainingProfiles`, in its order.
    """

    name: str
    form: ProfileForm
    values: pd.DataFrame

    def digest(self) -> str:
        """Return the SHA-256 (hex) of names, genes and values."""
        digest = hashlib.sha256(f"{self.name}\x1f{self.form}".encode())
        names = [*map(str, self.values.index), "", *map(str, self.values.columns)]
        digest.update("\x1f".join(names).encode())
        digest.update(np.ascontiguousarray(self.values.to_numpy(np.float32)).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class PretrainingProfiles:
    """All groups, over the same genes.

    Parameters
    ----------
    genes
        Current gene symbols, alphabetical.
    groups
        Cell lines first, then tumour cohorts; no patient is in two of them.
    """

    genes: tuple[str, ...]
    groups: tuple[ProfileGroup, ...]

    @property
    def n_profiles(self) -> int:
        """Number of profiles in all groups."""
        return sum(len(group.values) for group in self.groups)

    def group(self, name: str) -> ProfileGroup:
        """Return one group.

        Raises
        ------
        InputDataError
            If there is none of this name.
        """
        for group in self.groups:
            if group.name == name:
                return group
        raise InputDataError(
            f"No group of profiles is called {name!r}.",
            remedy=f"Use one of: {', '.join(group.name for group in self.groups)}.",
        )

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 (hex) of each group's contents, by its name."""
        return {group.name: group.digest() for group in self.groups}

    def without(self, samples: Sequence[str]) -> PretrainingProfiles:
        """Return the profiles without some samples, for example a fold's test lines."""
        groups = [
            ProfileGroup(group.name, group.form, group.values.drop(index=samples, errors="ignore"))
            for group in self.groups
        ]
        return PretrainingProfiles(self.genes, tuple(g for g in groups if len(g.values)))


def load_profiles(folder: Path, genes: Sequence[str] | None = None) -> PretrainingProfiles:
    """Load every installed unlabelled profile.

    Parameters
    ----------
    folder
        Folder of installed data.
    genes
        Genes wanted; by default those measured in nearly every cell line (`MINIMAL_SHARE`), at
        most `MAXIMAL_GENES`.

    Returns
    -------
    PretrainingProfiles
        On the development data 668 cell lines and 751 tumours in log2(TPM + 1), and 4,355 tumours
        as z-scores, over 779 genes. A cohort that is installed in both forms is read as
        log2(TPM + 1) alone, so that no patient comes twice.

    Raises
    ------
    InputDataError
        If the cell lines are not installed, or no tumour cohort is.
    """
    lines = _read_cell_lines(folder)
    chosen = tuple(sorted(set(genes))) if genes is not None else _choose_genes(lines)
    groups = [_group(CELL_LINES, "log2tpm", lines, chosen), *_read_tumours(folder, chosen)]
    if len(groups) == 1:
        raise InputDataError(
            "No tumour cohort is installed; pretraining reads cell lines and tumours.",
            remedy="Install at least one cohort; `data list` shows what is known.",
        )
    return PretrainingProfiles(chosen, tuple(groups))


def _read_cell_lines(folder: Path) -> pd.DataFrame:
    """Read the widest expression of the cell lines, in log2(TPM + 1)."""
    path = folder / MERGED_FILE
    if not path.is_file():
        return load_training_set(folder).expression.values
    values = pd.read_parquet(path).drop(index=list(MISASSIGNED_LINES), errors="ignore")
    return current_symbols(values)


def _choose_genes(lines: pd.DataFrame) -> tuple[str, ...]:
    measured = lines.columns[lines.notna().mean() >= MINIMAL_SHARE]
    if len(measured) > MAXIMAL_GENES:
        spread = lines[measured].std().sort_index()
        measured = spread.sort_values(ascending=False, kind="stable").index[:MAXIMAL_GENES]
    return tuple(sorted(map(str, measured)))


def _read_tumours(folder: Path, genes: tuple[str, ...]) -> list[ProfileGroup]:
    """Read the cohorts that have a form worth reading, the best form of each."""
    groups = []
    for code in list_cohorts(folder):
        cohort = load_cohort(folder, code)
        form = cohort.expression_form
        if code != DEMO and (form == "log2tpm" or form == "zscore"):
            groups.append(_group(code, form, cohort.values, genes))
    # log2(TPM + 1) first; a stable sort keeps the catalogue's order within a form
    return sorted(groups, key=lambda group: group.form)


def _group(
    name: str, form: ProfileForm, values: pd.DataFrame, genes: tuple[str, ...]
) -> ProfileGroup:
    return ProfileGroup(name, form, values.reindex(columns=list(genes)).astype(np.float32))
