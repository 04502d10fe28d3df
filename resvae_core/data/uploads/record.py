"""What the reader found, assumed and changed: the record that goes with every upload."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypeAlias

from resvae_core.data.privacy import Disclosure
from resvae_core.errors import ConfigError
from resvae_core.tables import Expression

Orientation: TypeAlias = Literal["genes_in_rows", "genes_in_columns"]
FileIdType: TypeAlias = Literal["symbol", "ensembl", "entrez"]
Unit: TypeAlias = Literal["counts", "tpm", "fpkm", "log2"]
Severity: TypeAlias = Literal["error", "warning", "info"]

UNIT_NAMES: dict[Unit, str] = {
    "counts": "read counts",
    "tpm": "TPM",
    "fpkm": "FPKM",
    "log2": "log2(x + 1)",
}
UNIT_WORDS: dict[str, str] = {str(unit): word for unit, word in UNIT_NAMES.items()}
"""The same by any text: what a record holds as the unit may be more than its names."""
MAX_UNKNOWN = 200
_NAMING = frozenset({"samples", "header"})
_EXAMPLES = re.compile(r"\s*\(.*\)", re.DOTALL)
_KNOWN: dict[str, tuple[str, ...]] = {
    "orientation": ("genes_in_rows", "genes_in_columns"),
    "id_type": ("symbol", "ensembl", "entrez"),
    "unit": ("counts", "tpm", "fpkm", "log2"),
    "delimiter": ("\t", ";", ",", "|", " "),
    "decimal": (".", ","),
}


@dataclass(frozen=True)
class UploadOverrides:
    """What the user knows better than the detection; None leaves it to the detection.

    Parameters
    ----------
    orientation
        ``genes_in_rows`` or ``genes_in_columns``.
    id_type
        ``symbol``, ``ensembl`` or ``entrez``.
    unit
        ``counts``, ``tpm``, ``fpkm`` or ``log2`` (log2(x + 1) of TPM, FPKM or counts).
    sheet
        Name of the worksheet of a workbook.
    delimiter, decimal
        Separator of columns and decimal mark of a text file.

    Raises
    ------
    ConfigError
        If a value is not one of those known.
    """

    orientation: Orientation | None = None
    id_type: FileIdType | None = None
    unit: Unit | None = None
    sheet: str | None = None
    delimiter: str | None = None
    decimal: str | None = None

    def __post_init__(self) -> None:
        for name, known in _KNOWN.items():
            value = getattr(self, name)
            if value is not None and value not in known:
                raise ConfigError(
                    f"Upload setting {name} is {value!r}; expected one of "
                    f"{', '.join(map(repr, known))}.",
                    remedy="Choose one of these, or leave it out to have it detected.",
                )


@dataclass(frozen=True)
class Detection:
    """Something that was found out about a file.

    Parameters
    ----------
    value
        What was found, or what the user said.
    confidence
        From 0 to 1; 1 where the user decided.
    reason
        What speaks for it, in words.
    overridden
        Whether the user decided.
    """

    value: str
    confidence: float
    reason: str
    overridden: bool = False


@dataclass(frozen=True)
class Issue:
    """One thing a reader of the results should know.

    Parameters
    ----------
    severity
        ``error`` (nothing can be computed), ``warning`` (look at it) or ``info``.
    where
        Place in the file, positions counted from 1 as a spreadsheet shows them.
    found, expected, remedy
        What was there, what should have been there, what to do about it.
    """

    severity: Severity
    where: str
    found: str
    expected: str
    remedy: str


@dataclass(frozen=True)
class QcRecord:
    """What was found in a file and what was done to it.

    Parameters
    ----------
    file_digest
        SHA-256 (hex) of the file's bytes as they were handed in.
    file_size
        Bytes.
    file_format
        ``text``, ``xlsx``, ``parquet``, ``gct`` or ``h5ad``; with `compression` ``gzip`` or none.
    delimiter, decimal, encoding
        Of a text file; empty for the others.
    orientation, id_type, unit
        What was detected, with confidence and reason.
    n_rows, n_columns
        Size of the table below its header.
    n_samples
        Samples in the result.
    n_genes_recognised, n_genes_total
        Different genes in the result; names of genes in the file.
    gene_coverage
        Share of the protein-coding genes of the catalogue that the file names, from 0 to 1.
    conversion
        What was done to reach log2(TPM + 1), as a sentence.
    lengths_note
        For counts: which gene lengths were used and what share of the counts they cover.
    issues
        What a reader should know, gravest first.
    dropped
        Reason → how many rows, columns or samples were left out.
    genes
        Symbols of the result.
    quantity
        What remains after a logarithm is undone: ``counts``, ``tpm`` or ``fpkm``; that of most
        samples.
    notation
        Of a text file: ``delimiter`` and ``decimal`` as detections.
    sheet, sheets
        Of a workbook: the sheet that was read, and the names of all.
    renamed
        Names of the file → the current symbols that they were read as.
    unknown
        The first `MAX_UNKNOWN` names that no gene is known by.
    disclosures
        Places of the file, outside of expression and samples' names, that seem to tell who
        somebody is.
    """

    file_digest: str
    file_size: int
    file_format: str
    compression: str
    delimiter: str
    decimal: str
    encoding: str
    orientation: Detection
    id_type: Detection
    unit: Detection
    n_rows: int
    n_columns: int
    n_samples: int
    n_genes_recognised: int
    n_genes_total: int
    gene_coverage: float
    conversion: str
    lengths_note: str
    issues: tuple[Issue, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    genes: frozenset[str] = field(default_factory=frozenset, repr=False)
    quantity: str = ""
    notation: Mapping[str, Detection] = field(default_factory=dict)
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict, repr=False)
    unknown: tuple[str, ...] = field(default=(), repr=False)
    disclosures: tuple[Disclosure, ...] = ()

    def missing(self, genes: Sequence[str]) -> list[str]:
        """Return those of the given current symbols that the file does not have, in their order."""
        return [gene for gene in genes if gene not in self.genes]

    def without_names(self) -> QcRecord:
        """Return the record without names of samples, columns and sheets, and unknown names."""
        issues = tuple(
            replace(issue, found=_EXAMPLES.sub("", issue.found))
            if issue.where in _NAMING or issue.found.startswith("names not known")
            else issue
            for issue in self.issues
        )
        return replace(self, issues=issues, sheet="", sheets=(), unknown=())

    def to_dict(self) -> dict[str, object]:
        """Return the record for a page or a JSON file; it may hold names of samples and genes."""
        record = asdict(self)
        del record["genes"]
        return record

    def to_log(self) -> dict[str, object]:
        """Return what may stand in a log: digest, sizes and verdicts; no name, no value."""
        return {
            "file_digest": self.file_digest,
            "file_size": self.file_size,
            "file_format": self.file_format,
            "compression": self.compression,
            "orientation": self.orientation.value,
            "id_type": self.id_type.value,
            "unit": self.unit.value,
            "unit_confidence": round(self.unit.confidence, 2),
            "n_samples": self.n_samples,
            "n_genes_recognised": self.n_genes_recognised,
            "n_genes_total": self.n_genes_total,
            "n_warnings": sum(issue.severity == "warning" for issue in self.issues),
            "dropped": dict(self.dropped),
        }


@dataclass(frozen=True)
class Upload:
    """A file that was read: the expression, and the record of how it came to be.

    Parameters
    ----------
    expression
        log2(TPM + 1), samples in the order of the file, genes in alphabetical order.
    qc
        What was found, converted and dropped.
    """

    expression: Expression
    qc: QcRecord
