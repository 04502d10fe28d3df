"""In which unit a profile is: read counts, TPM, FPKM, or a logarithm of one of them.

Every sample is judged by its own values only, so that the company it comes in changes nothing.
Two facts carry the judgement where a profile covers the transcriptome. Its total: TPM sum to a
million, FPKM to less. And its trend with gene length: longer genes collect more reads, and TPM and
FPKM remove that. In the 751 tumours of LUAD, GBM and READ the correlation `length_trend` lies
below −0.23 for TPM and above −0.22 for the same profiles before lengths are divided out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from resvae_core.data.genes import GeneTable
from resvae_core.data.uploads.record import UNIT_NAMES, Detection, Unit
from resvae_core.data.uploads.table import shorten
from resvae_core.errors import ExpressionUnitsError

Quantity: TypeAlias = Literal["counts", "tpm", "fpkm"]

COMPLETE = 0.5
"""Share of the protein-coding genes from which on a profile counts as a whole transcriptome."""
TPM_TOTAL = (0.5e6, 1.1e6)
"""Totals that TPM reach where a file leaves some genes out; outside, values are scaled."""

READ_TREND = -0.225
"""Length trend from which on values count reads rather than transcripts; see above."""

_LARGEST_LOG = 24.0  # log2 of 16 million; TPM end at 19.9
_ROUNDED_LOG = 5e-5  # what four decimals of a log2 leave unknown
_OVERRIDE = "Choose the unit by hand if you know it; else "


@dataclass(frozen=True)
class Axis:
    """What the gene table says about the genes of a file.

    Parameters
    ----------
    lengths
        (n_known,) base pairs, NaN where unknown.
    coding
        (n_known,) True for protein-coding genes.
    noncoding
        (n_known,) True for genes that are neither protein-coding nor lncRNA, with known length.
    n_coding, n_noncoding
        How many such genes the table has in all.
    """

    lengths: npt.NDArray[np.float64]
    coding: npt.NDArray[np.bool_]
    noncoding: npt.NDArray[np.bool_]
    n_coding: int
    n_noncoding: int

    @classmethod
    def of(cls, rows: npt.NDArray[np.int64], genes: GeneTable) -> Axis:
        """Look up the genes in the given rows of the table."""
        coding = (genes.biotypes == "protein_coding") & genes.primary
        measured = np.isfinite(genes.lengths)
        noncoding = measured & ~np.isin(
            genes.biotypes, ["protein_coding", "lncRNA", "lincRNA", "antisense"]
        )
        return cls(
            lengths=genes.lengths[rows],
            coding=coding[rows],
            noncoding=noncoding[rows],
            n_coding=int(coding.sum()),
            n_noncoding=int(noncoding.sum()),
        )

    def coverage(self, measured: npt.NDArray[np.bool_]) -> float:
        """Return the share of the protein-coding genes that are measured."""
        return float((self.coding & measured).sum()) / self.n_coding


@dataclass(frozen=True)
class Verdict:
    """What one sample's values are.

    Parameters
    ----------
    unit
        Unit as the user names it.
    quantity
        What remains after a logarithm is undone.
    confidence
        From 0 to 1.
    reason
        What speaks for it.
    """

    unit: Unit
    quantity: Quantity
    confidence: float
    reason: str


class _Unreadable(Exception):
    """A sample's values are in no unit that can be converted."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


def detect(
    values: npt.NDArray[np.float32],
    samples: Sequence[str],
    axis: Axis,
    told: Unit | None,
    stated: tuple[Unit, str] | None = None,
) -> tuple[Detection, list[Verdict]]:
    """Find the unit of a file: judged for each sample alone, and the same for all.

    Parameters
    ----------
    values
        (n_samples, n_known) at least 0, NaN where not measured; no sample all zero.
    samples
        (n_samples,) names for messages.
    axis
        What is known of the genes.
    told
        Unit that the user chose.
    stated
        Unit that the file states in its header, and where.

    Returns
    -------
    tuple of Detection and list of Verdict
        For the file, and for every sample.

    Raises
    ------
    ExpressionUnitsError
        If a sample's values are in no unit that can be converted, or samples differ in theirs.
    """
    if told or stated:
        unit = told or (stated[0] if stated else "tpm")
        verdicts = [_as_told(row, axis, unit) for row in values]
        reason = "Chosen by hand." if told else f"{stated[1] if stated else ''}"
        return Detection(unit, 1.0, reason, overridden=bool(told)), verdicts
    verdicts = [_judge(row, axis, name) for row, name in zip(values, samples, strict=True)]
    _require_agreement(verdicts, samples)
    common = Counter((v.unit, v.quantity) for v in verdicts).most_common(1)[0][0]
    first = min((v for v in verdicts if (v.unit, v.quantity) == common), key=lambda v: v.confidence)
    return Detection(
        first.unit, round(min(v.confidence for v in verdicts), 3), first.reason
    ), verdicts


def _as_told(row: npt.NDArray[np.float32], axis: Axis, unit: Unit) -> Verdict:
    if unit == "log2":
        linear = np.exp2(row.astype(float)) - 1
        quantity = _quantity_of_log(linear, axis)
        return Verdict("log2", quantity, 1.0, "Chosen by hand.")
    return Verdict(unit, unit, 1.0, "Chosen by hand.")


def _quantity_of_log(linear: npt.NDArray[np.float64], axis: Axis) -> Quantity:
    """Return what an undone logarithm gives; TPM where too few genes are there to tell."""
    measured = np.isfinite(linear)
    if axis.coverage(measured) < COMPLETE:
        return "tpm"
    if (
        integer_share(linear[linear < 1000], _ROUNDED_LOG) >= 0.95
        or length_trend(linear, axis) >= READ_TREND
    ):
        return "counts"
    return "tpm" if _is_tpm_total(float(np.nansum(linear))) else "fpkm"


def _judge(row: npt.NDArray[np.float32], axis: Axis, sample: str) -> Verdict:
    values = row.astype(float)
    measured = np.isfinite(values)
    complete = axis.coverage(measured) >= COMPLETE
    top = float(np.nanmax(values))
    try:
        if top <= 1 and measured.sum() >= 20:
            raise _Unreadable(
                "all values lie between 0 and 1, as methylation or probabilities do",
                "upload RNA-seq expression.",
            )
        if not complete:
            return _judge_panel(values[measured], top)
        return _judge_log(values, axis) if top <= _LARGEST_LOG else _judge_linear(values, axis)
    except _Unreadable as problem:
        raise ExpressionUnitsError(
            f"The unit of sample {shorten(sample)!r} cannot be used: {problem.found}. Read counts, "
            "TPM, FPKM or log2(x + 1) of these were expected.",
            remedy=_OVERRIDE + problem.remedy,
        ) from problem


def _judge_panel(values: npt.NDArray[np.float64], top: float) -> Verdict:
    """Judge a subset of the genes, where totals and trends tell nothing."""
    n = len(values)
    size = 1.0 if n >= 200 else 0.8 if n >= 50 else 0.6
    if integer_share(values) >= 0.99 and len(np.unique(values)) >= 10:
        return Verdict("counts", "counts", 0.9 * size, f"All of {n:,} values are whole numbers.")
    if top <= _LARGEST_LOG:
        return Verdict(
            "log2",
            "tpm",
            0.9 * size,
            f"The largest of {n:,} values is {top:.1f}, as in logarithms. Too few "
            "genes to tell TPM "
            "from FPKM: log2(TPM + 1) is assumed.",
        )
    return Verdict(
        "tpm",
        "tpm",
        0.7 * size,
        f"The largest of {n:,} values is {top:,.0f}, too large for a logarithm. "
        "Too few genes to tell "
        "TPM from FPKM: TPM is assumed.",
    )


def _judge_log(values: npt.NDArray[np.float64], axis: Axis) -> Verdict:
    if integer_share(values) >= 0.99:
        return Verdict("counts", "counts", 0.6, "All values are whole numbers, none above 24.")
    if np.nanmean(values < 0.5) < 0.01:
        raise _Unreadable(
            "no gene is near zero, as in microarray intensities or variance-stabilised counts",
            "upload raw counts or TPM of RNA-seq.",
        )
    _refuse_other_bases(values)
    linear = np.exp2(values) - 1
    total = float(np.nansum(linear))
    if integer_share(linear[linear < 1000], _ROUNDED_LOG) >= 0.95:
        return Verdict("log2", "counts", 0.95, "Undoing log2(x + 1) gives whole numbers: counts.")
    trend = length_trend(linear, axis)
    if trend >= READ_TREND:
        return Verdict(
            "log2",
            "counts",
            _trend_confidence(trend),
            f"Longer genes have more (r = {trend:.2f}): the logarithm of normalised counts.",
        )
    said = f"Undoing log2(x + 1) gives a total of {total:,.0f}"
    if _is_tpm_total(total):
        return Verdict("log2", "tpm", _total_confidence(total), f"{said}, as TPM do.")
    return Verdict("log2", "fpkm", 0.8, f"{said}, not that of TPM: FPKM.")


def _refuse_other_bases(values: npt.NDArray[np.float64]) -> None:
    """Refuse logarithms to another base, which a total of one million gives away."""
    if _is_tpm_total(float(np.nansum(np.exp2(values) - 1))):
        return
    total_e = float(np.nansum(np.expm1(values)))
    if abs(total_e / 1e4 - 1) < 0.02:
        raise _Unreadable(
            "undoing a natural logarithm gives a total of 10,000, as single-cell tools write",
            "upload raw counts.",
        )
    top = float(np.nanmax(values))
    total_10 = float(np.nansum(10.0**values - 1)) if top < 8 else np.inf
    for base, total, factor in (("natural", total_e, 0.6931), ("decimal", total_10, 0.3010)):
        if 0.6e6 <= total <= 1.02e6:
            raise _Unreadable(
                f"undoing a {base} logarithm gives a total of {total:,.0f}, that of log2 does not: "
                f"they look like a {base} logarithm of TPM + 1",
                f"divide all values by {factor} to have log2(TPM + 1).",
            )


def _judge_linear(values: npt.NDArray[np.float64], axis: Axis) -> Verdict:
    total = float(np.nansum(values))
    whole = integer_share(values)
    trend = length_trend(values, axis)
    if whole >= 0.99:
        if abs(total / 1e6 - 1) < 0.01 and trend < READ_TREND:
            reason = f"Whole numbers, but their total is {total:,.0f}: rounded TPM."
            return Verdict("tpm", "tpm", 0.6, reason)
        reason = f"All values are whole numbers, their total is {total:,.0f}."
        return Verdict("counts", "counts", 0.99 if trend >= READ_TREND else 0.8, reason)
    if whole >= 0.5 or trend >= READ_TREND:
        reason = f"Longer genes have more (r = {trend:.2f}), as expected or normalised counts do."
        return Verdict("counts", "counts", _trend_confidence(trend), reason)
    if _is_tpm_total(total):
        return Verdict("tpm", "tpm", _total_confidence(total), f"Their total is {total:,.0f}.")
    return Verdict("fpkm", "fpkm", 0.8, f"Their total is {total:,.0f}, not that of TPM.")


def _is_tpm_total(total: float) -> bool:
    return TPM_TOTAL[0] <= total <= TPM_TOTAL[1]


def _total_confidence(total: float) -> float:
    return 0.97 if 0.8e6 <= total <= 1.01e6 else 0.8


def _trend_confidence(trend: float) -> float:
    return 0.85 if trend >= READ_TREND + 0.05 else 0.6


def integer_share(values: npt.NDArray[np.float64], tolerance: float = 2e-6) -> float:
    """Return the share of whole numbers among the values above 0; 0 if there are none.

    Parameters
    ----------
    values
        (n,) values, NaN ignored.
    tolerance
        Relative error of the values: by default that of float32.
    """
    positive = values[values > 0]
    if not len(positive):
        return 0.0
    return float(np.mean(np.abs(positive - np.round(positive)) <= tolerance * positive + 1e-4))


def length_trend(linear: npt.NDArray[np.float64], axis: Axis) -> float:
    """Return the correlation of log expression with log gene length.

    Parameters
    ----------
    linear
        (n_known,) values that are no logarithms, NaN where not measured.
    axis
        What is known of the genes.

    Returns
    -------
    float
        Pearson's r over the protein-coding genes that are in the upper half of those expressed.
    """
    usable = axis.coding & (linear > 0) & np.isfinite(axis.lengths)
    expressed = linear[usable]
    if len(expressed) < 100:
        return -1.0
    upper = expressed > np.median(expressed)
    x, y = np.log(expressed[upper]), np.log(axis.lengths[usable][upper])
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else -1.0


def _require_agreement(verdicts: Sequence[Verdict], samples: Sequence[str]) -> None:
    """Check that one conversion fits all samples; TPM and FPKM are told apart sample by sample."""
    kinds = [(v.unit == "log2", v.quantity == "counts") for v in verdicts]
    common, n_common = Counter(kinds).most_common(1)[0]
    odd = [i for i, kind in enumerate(kinds) if kind != common]
    if not odd:
        return
    first = odd[0]
    usual = verdicts[kinds.index(common)]
    names = ", ".join(shorten(samples[i]) for i in odd[:5]) + (" …" if len(odd) > 5 else "")
    raise ExpressionUnitsError(
        f"The samples are not in one unit: {n_common} look like {_say(usual)}, {len(odd)} like "
        f"{_say(verdicts[first])} ({names}). One unit for all was expected.",
        remedy="Choose the unit by hand if it is the same for all; else upload the samples apart.",
    )


def _say(verdict: Verdict) -> str:
    if verdict.unit == "log2":
        return f"log2(x + 1) of {UNIT_NAMES[verdict.quantity]}"
    return UNIT_NAMES[verdict.unit]
