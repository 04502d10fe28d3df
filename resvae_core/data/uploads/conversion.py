"""From any unit to log2(TPM + 1), one sample at a time.

TPM stay as they are. Counts are divided by exon lengths, and counts and FPKM are then scaled to
TPM. Where a file lists all kinds of RNA their total is one million; where it leaves out small and
ribosomal RNA, the share these would have is unknown, and protein-coding genes are given the total
they have in TCGA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resvae_core.data.uploads.record import UNIT_NAMES, Detection, Issue
from resvae_core.data.uploads.table import shorten
from resvae_core.data.uploads.units import COMPLETE, TPM_TOTAL, Axis, Verdict, integer_share
from resvae_core.errors import ExpressionUnitsError

CODING_TOTAL = 0.92e6
"""TPM of all protein-coding genes: medians 0.910 (LUAD), 0.930 (GBM), 0.907 million (READ)."""
_FEW_READS = 1e6
_THIN_COVERAGE = 0.75


@dataclass(frozen=True)
class Converted:
    """Profiles in log2(TPM + 1).

    Parameters
    ----------
    values
        (n_samples, n_symbols) float32.
    conversion, lengths_note
        What was done, as sentences.
    issues
        What a reader should know.
    """

    values: npt.NDArray[np.float32]
    conversion: str
    lengths_note: str
    issues: tuple[Issue, ...]


def to_log2_tpm(
    values: npt.NDArray[np.float32],
    verdicts: Sequence[Verdict],
    unit: Detection,
    samples: Sequence[str],
    axis: Axis,
    target: npt.NDArray[np.int64],
    totals: npt.NDArray[np.float64],
) -> Converted:
    """Convert profiles, each by itself.

    Parameters
    ----------
    values
        (n_samples, n_known) in the units of `verdicts`, NaN where not measured.
    verdicts
        (n_samples,) unit of each sample.
    unit
        Unit of the file.
    samples
        (n_samples,) names for messages.
    axis
        What is known of the genes.
    target
        (n_known,) column of the result that a gene adds to, −1 for none. Values of one column are
        added before the logarithm is taken, for transcripts of one gene add up.
    totals
        (n_samples,) sums over all rows of the file, known genes or not.

    Raises
    ------
    ExpressionUnitsError
        If counts or FPKM cover too few genes to be scaled.
    """
    n_symbols = int(target.max()) + 1
    converted = np.empty((len(values), n_symbols), dtype=np.float32)
    scaled: list[str] = []
    for i, (row, verdict) in enumerate(zip(values, verdicts, strict=True)):
        linear = row.astype(float)
        if verdict.unit == "log2":
            linear = np.exp2(linear) - 1
        if _needs_scaling(linear, verdict, unit, axis):
            linear = _scale(linear, verdict, axis, samples[i])
            scaled.append(samples[i])
        converted[i] = np.log2(_add_up(linear, target, n_symbols) + 1)
    full = _lists_all_rna(axis)
    return Converted(
        values=converted,
        conversion=_sentence(unit, verdicts, len(scaled), full),
        lengths_note=_note_lengths(values, verdicts, axis, totals),
        issues=_describe(values, verdicts, unit, samples, axis),
    )


def _needs_scaling(
    linear: npt.NDArray[np.float64], verdict: Verdict, unit: Detection, axis: Axis
) -> bool:
    """Tell whether a sample is not in TPM; of a mere panel no total is known, so it stays."""
    if verdict.quantity == "tpm":
        return False
    if axis.coverage(np.isfinite(linear)) >= COMPLETE:
        return True
    raise ExpressionUnitsError(
        f"The values are {UNIT_NAMES[verdict.quantity]} of "
        f"{axis.coverage(np.isfinite(linear)):.0%} of "
        f"the protein-coding genes; at least {COMPLETE:.0%} are needed to convert them to TPM, for "
        "TPM are shares of the whole.",
        remedy="Upload all genes, or TPM computed from all genes"
        + ("." if unit.overridden else "; if these are TPM already, choose that unit by hand."),
    )


def _scale(
    linear: npt.NDArray[np.float64], verdict: Verdict, axis: Axis, sample: str
) -> npt.NDArray[np.float64]:
    if verdict.quantity == "counts":
        linear = linear / axis.lengths
    total = float(np.nansum(linear if _lists_all_rna(axis) else linear[axis.coding]))
    if total <= 0:
        raise ExpressionUnitsError(
            f"Sample {shorten(sample)!r} has no value above 0 in a protein-coding gene of known "
            "length; a profile of expressed genes was expected.",
            remedy="Leave this sample out.",
        )
    return linear * ((1e6 if _lists_all_rna(axis) else CODING_TOTAL) / total)


def _lists_all_rna(axis: Axis) -> bool:
    """Tell whether the file lists small RNA, ribosomal RNA and pseudogenes too."""
    return int(axis.noncoding.sum()) >= 0.5 * axis.n_noncoding


def _add_up(
    linear: npt.NDArray[np.float64], target: npt.NDArray[np.int64], n_symbols: int
) -> npt.NDArray[np.float64]:
    """Add the values of each symbol; NaN only where none of them was measured."""
    known = (target >= 0) & np.isfinite(linear)
    sums = np.zeros(n_symbols)
    np.add.at(sums, target[known], linear[known])
    measured = np.bincount(target[known], minlength=n_symbols)
    sums[measured == 0] = np.nan
    return sums


def _sentence(unit: Detection, verdicts: Sequence[Verdict], n_scaled: int, full: bool) -> str:
    quantity = verdicts[0].quantity
    start = "log2(x + 1) was undone, " if unit.value == "log2" else ""
    if not n_scaled:
        if unit.value == "log2":
            return "Taken as log2(TPM + 1); nothing was changed."
        return "log2(x + 1) was taken of the TPM; they were not scaled."
    lengths = "counts were divided by exon lengths and " if quantity == "counts" else ""
    aim = (
        "all genes sum to one million TPM"
        if full
        else f"protein-coding genes sum to {CODING_TOTAL:,.0f} TPM (as in TCGA; the file lacks "
        "small and ribosomal RNA, so the full total is unknown)"
    )
    which = "" if n_scaled == len(verdicts) else f" ({n_scaled} of {len(verdicts)} samples)"
    sentence = f"{start}{lengths}values were scaled{which} so that {aim}; then log2(TPM + 1)."
    return sentence[0].upper() + sentence[1:]


def _note_lengths(
    values: npt.NDArray[np.float32],
    verdicts: Sequence[Verdict],
    axis: Axis,
    totals: npt.NDArray[np.float64],
) -> str:
    """Return which lengths were used for counts, and what share of the counts they cover."""
    if verdicts[0].quantity != "counts":
        return ""
    with_length = np.isfinite(axis.lengths)
    note = "Lengths: union of exons in GENCODE v22"
    if verdicts[0].unit == "log2":
        return f"{note}, known for {with_length.mean():.1%} of the known genes."
    covered = [
        float(np.nansum(row[with_length], dtype=float)) / total
        for row, total in zip(values, totals, strict=True)
    ]
    return (
        f"{note}. They cover {min(covered):.1%} of the counts (the lowest of "
        f"{len(covered)} samples); "
        "genes without a length were left out."
    )


def _describe(
    values: npt.NDArray[np.float32],
    verdicts: Sequence[Verdict],
    unit: Detection,
    samples: Sequence[str],
    axis: Axis,
) -> tuple[Issue, ...]:
    issues = []
    if unit.confidence < 0.7:
        issues.append(
            Issue(
                "warning",
                "values",
                f"the unit is uncertain ({UNIT_NAMES[unit.value]}: {unit.reason})",  # type: ignore[index]
                "a unit that the values show clearly",
                "Check the unit and choose it by hand.",
            )
        )
    issues += _odd_totals(values, verdicts, unit, samples)
    if verdicts[0].quantity == "counts" and verdicts[0].unit == "counts":
        issues += _few_reads(values, samples)
    if verdicts[0].quantity != "tpm" and axis.coding.sum() < _THIN_COVERAGE * axis.n_coding:
        share = axis.coding.sum() / axis.n_coding
        issues.append(
            Issue(
                "warning",
                "genes",
                f"{share:.0%} of the protein-coding genes are there",
                "nearly all, for TPM are shares of the whole",
                "Upload the table before genes were filtered out.",
            )
        )
    return tuple(issues)


def _odd_totals(
    values: npt.NDArray[np.float32],
    verdicts: Sequence[Verdict],
    unit: Detection,
    samples: Sequence[str],
) -> list[Issue]:
    """Name the samples that were scaled although the file is in TPM, or the reverse."""
    usual = [v.quantity for v in verdicts]
    common = max(set(usual), key=lambda quantity: (usual.count(quantity), quantity))
    odd = [name for name, v in zip(samples, verdicts, strict=True) if v.quantity != common]
    if not odd or unit.overridden:
        return []
    low, high = (f"{bound / 1e6:g}" for bound in TPM_TOTAL)
    return [
        Issue(
            "warning",
            "samples",
            f"{len(odd)} samples have another total than the rest "
            f"({', '.join(map(shorten, odd[:5]))})",
            f"TPM totals between {low} and {high} million, or FPKM in all samples",
            "Samples outside were scaled as FPKM; check their quality.",
        )
    ]


def _few_reads(values: npt.NDArray[np.float32], samples: Sequence[str]) -> list[Issue]:
    totals = [float(np.nansum(row, dtype=float)) for row in values]
    few = [name for name, total in zip(samples, totals, strict=True) if total < _FEW_READS]
    if not few or integer_share(values[0].astype(float)) < 0.5:  # normalised counts tell no depth
        return []
    return [
        Issue(
            "warning",
            "samples",
            f"samples with fewer than one million reads: {len(few)} "
            f"({', '.join(map(shorten, few[:5]))})",
            "tens of millions of reads",
            "Low expression is not measured in these samples; sequence deeper.",
        )
    ]
