"""The nouns that every part of the core speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.errors import DuplicateSampleError, InputDataError, SurvivalDataError


@dataclass(frozen=True)
class Expression:
    """Expression of samples, in log2(TPM + 1).

    Parameters
    ----------
    values
        (n_samples, n_genes) float32. Index: unique sample names. Columns: unique current gene
        symbols, in any order. NaN where a gene was not measured in a sample.

    Raises
    ------
    DuplicateSampleError
        If two samples share a name.
    InputDataError
        If two columns share a gene symbol, or a value is negative or infinite.
    """

    values: pd.DataFrame

    def __post_init__(self) -> None:
        repeated = self.values.index[self.values.index.duplicated()]
        if len(repeated):
            raise DuplicateSampleError(
                f"Sample {repeated[0]!r} occurs more than once; names must be unique.",
                remedy="Rename or remove the repeated samples.",
            )
        repeated = self.values.columns[self.values.columns.duplicated()]
        if len(repeated):
            raise InputDataError(
                f"Gene {repeated[0]!r} occurs more than once; symbols must be unique.",
                remedy="Sum or average the repeated rows first.",
            )
        matrix = self.values.to_numpy()
        if np.isinf(matrix).any() or (matrix < 0).any():
            raise InputDataError(
                "Expression has a negative or infinite value; log2(TPM + 1) is at least 0.",
                remedy="Check that the values are log2(TPM + 1), not z-scores or ratios.",
            )

    @property
    def samples(self) -> list[str]:
        """Names of the samples, in order."""
        return [str(name) for name in self.values.index]

    @property
    def genes(self) -> list[str]:
        """Gene symbols, in the order of the columns (which carries no meaning)."""
        return [str(name) for name in self.values.columns]

    def select(self, samples: Sequence[str]) -> Expression:
        """Return the named samples, in the order asked for."""
        return Expression(self.values.loc[list(samples)])

    def digest(self) -> str:
        """Return the SHA-256 (hex) of names and values: equal only for equal contents."""
        digest = hashlib.sha256()
        digest.update("\x1f".join([*self.samples, "", *self.genes]).encode())
        digest.update(np.ascontiguousarray(self.values.to_numpy(np.float32)).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Screen:
    """Drug response of cell lines, one row a line.

    Parameters
    ----------
    ln_ic50
        (n_lines, n_drugs) float64, ln(µM); NaN where the pair was not measured. Lower is more
        sensitive. Index: cell-line ids. Columns: drug names.
    resistant
        (n_lines, n_drugs) float64: 1 resistant, 0 sensitive, NaN not measured.
    tissue
        (n_lines,) tissue label of each line, never missing ("other" where the source has none).
    """

    ln_ic50: pd.DataFrame
    resistant: pd.DataFrame
    tissue: pd.Series[str]

    def __post_init__(self) -> None:
        if not self.ln_ic50.index.equals(self.resistant.index) or not self.ln_ic50.index.equals(
            self.tissue.index
        ):
            raise InputDataError(
                "ln IC50, labels and tissues of a screen list different cell lines.",
                remedy="Build all three from the same table.",
            )
        if not np.array_equal(self.ln_ic50.isna(), self.resistant.isna()):
            raise InputDataError(
                "A screen has a label without a measurement, or the reverse.",
                remedy="Mask unmeasured pairs in both; never fill them.",
            )

    @property
    def lines(self) -> list[str]:
        """Ids of the cell lines, in order."""
        return [str(name) for name in self.ln_ic50.index]

    @property
    def drugs(self) -> list[str]:
        """Names of the drugs, in order."""
        return [str(name) for name in self.ln_ic50.columns]

    def select(self, lines: Sequence[str]) -> Screen:
        """Return the named lines, in the order asked for."""
        chosen = list(lines)
        return Screen(self.ln_ic50.loc[chosen], self.resistant.loc[chosen], self.tissue.loc[chosen])


@dataclass(frozen=True)
class SurvivalOutcome:
    """Time to an event or to censoring, one row a patient; time and event never part.

    Parameters
    ----------
    time_days
        (n_patients,) days from the start, finite and at least 0. Index: patients, unique.
    event
        (n_patients,) True if the event was seen at that time, False if censored.
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.

    Raises
    ------
    SurvivalDataError
        If the two do not list the same unique patients, or a time is negative or not finite.
    """

    time_days: pd.Series[float]
    event: pd.Series[bool]
    endpoint: str = "OS"

    def __post_init__(self) -> None:
        if not self.time_days.index.equals(self.event.index):
            raise SurvivalDataError(
                "Times and events list different patients.", remedy="Take both from one table."
            )
        if self.time_days.index.has_duplicates:
            raise SurvivalDataError(
                "A patient occurs more than once; each may count once.",
                remedy="Keep one row a patient.",
            )
        times = self.time_days.to_numpy(float)
        if not np.isfinite(times).all() or (times < 0).any():
            raise SurvivalDataError(
                "A survival time is missing, infinite or negative.",
                remedy="Leave out patients without a time and say how many.",
            )

    @property
    def patients(self) -> list[str]:
        """Names of the patients, in order."""
        return [str(name) for name in self.time_days.index]

    def select(self, patients: Sequence[str]) -> SurvivalOutcome:
        """Return the named patients, in the order asked for."""
        chosen = list(patients)
        return SurvivalOutcome(self.time_days.loc[chosen], self.event.loc[chosen], self.endpoint)
