"""Values that no profile should hold: negative, missing, all zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from resvae_core.data.uploads.layout import Layout
from resvae_core.data.uploads.record import Issue
from resvae_core.data.uploads.table import shorten
from resvae_core.errors import ExpressionUnitsError, InputDataError

_ROUNDING = -1e-6
# what UCSC Xena writes for zero: log2(0.001), and log2(0.01)
_OFFSETS = {-9.9658: "0.001", -6.6439: "0.01"}


@dataclass(frozen=True)
class Filled:
    """Samples that hold values.

    Parameters
    ----------
    kept
        (n_kept,) positions of the samples.
    issues, dropped
        What a reader should know; reason → number of samples.
    """

    kept: npt.NDArray[np.int64]
    issues: tuple[Issue, ...]
    dropped: dict[str, int]


def refuse_negative(
    values: npt.NDArray[np.float32], layout: Layout, known: npt.NDArray[np.int64]
) -> None:
    """Refuse negative values; what is negative by rounding alone becomes 0, in place.

    Parameters
    ----------
    values
        (n_samples, n_known) values of known genes.
    layout
        Where they stand in the file.
    known
        (n_known,) positions of the genes among the names of the file.

    Raises
    ------
    ExpressionUnitsError
        Saying where the lowest value stands and what such values mostly are.
    """
    lowest = float(np.nanmin(values)) if np.isfinite(values).any() else 0.0
    if lowest >= 0:
        return
    if lowest >= _ROUNDING:
        np.maximum(values, 0, out=values)
        return
    sample, gene = np.unravel_index(int(np.nanargmin(values)), values.shape)
    n_negative = int((values < _ROUNDING).sum())
    offset = next((o for v, o in _OFFSETS.items() if abs(lowest - v) < 1e-3), None)
    what = (
        f"log2(x + {offset}), as UCSC Xena writes it"
        if offset
        else "z-scores, log ratios or a logarithm without + 1"
    )
    remedy = (
        f"Undo the logarithm (2^x − {offset}) and upload TPM or FPKM."
        if offset
        else "Upload the values before they were centred: raw counts, TPM, FPKM or log2(TPM + 1)."
    )
    raise ExpressionUnitsError(
        f"Negative values: {n_negative:,} of {values.size:,}, the lowest is {lowest:.4g} in "
        f"{layout.place(int(sample), int(known[gene]))}. They look like {what}; expression of at "
        "least 0 was expected.",
        remedy=remedy,
    )


def drop_empty(values: npt.NDArray[np.float32], samples: Sequence[str]) -> Filled:
    """Leave out samples in which every known gene is zero or missing.

    Parameters
    ----------
    values
        (n_samples, n_known) values of known genes.
    samples
        (n_samples,) names for the report.

    Raises
    ------
    InputDataError
        If no sample is left.
    """
    filled = np.array([bool(np.nansum(row) > 0) for row in values])
    empty = [name for name, ok in zip(samples, filled, strict=True) if not ok]
    if len(empty) == len(samples):
        raise InputDataError(
            "All values of the known genes are zero or missing, in each of "
            f"{len(samples)} samples; "
            "expressed genes were expected.",
            remedy="Check that the right columns were exported.",
        )
    if not empty:
        return Filled(np.arange(len(samples)), (), {})
    issue = Issue(
        "warning",
        "samples",
        f"samples that are zero in every gene: {len(empty)} ({', '.join(map(shorten, empty[:5]))})",
        "expressed genes",
        "They were left out; check their sequencing.",
    )
    return Filled(np.flatnonzero(filled), (issue,), {"samples that are all zero": len(empty)})


def report_missing(frame: pd.DataFrame) -> tuple[list[Issue], pd.DataFrame]:
    """Report missing values, and leave out genes that no sample has.

    Parameters
    ----------
    frame
        (n_samples, n_genes) converted values, NaN where not measured.

    Returns
    -------
    tuple of list of Issue and pandas.DataFrame
        The report, and the genes that were measured in at least one sample.
    """
    missing = np.isnan(frame.to_numpy())
    if not missing.any():
        return [], frame
    never = missing.all(axis=0)
    cells = missing[:, ~never]
    issues = []
    if never.any():
        names = ", ".join(map(str, frame.columns[never][:3]))
        issues.append(
            Issue(
                "warning",
                "values",
                f"genes without a value in any sample: {int(never.sum()):,} ({names} …)",
                "a value for each gene",
                "They count as missing genes.",
            )
        )
    if cells.any():
        issues.append(
            Issue(
                "warning",
                "values",
                f"values missing: {int(cells.sum()):,}, in {int(cells.any(axis=1).sum())} of "
                f"{len(frame)} samples",
                "a value for each gene and sample",
                "These genes count as missing in these samples.",
            )
        )
    return issues, frame.loc[:, ~never]
