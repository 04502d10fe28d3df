"""One reader for every file of expression values, behind the page, the command line and Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from resvae_core.data.genes import GeneTable, load_gene_table
from resvae_core.data.privacy import Described, Disclosure, find_disclosures
from resvae_core.data.uploads.conversion import Converted, to_log2_tpm
from resvae_core.data.uploads.formats import read_table
from resvae_core.data.uploads.identifiers import Identified, identify
from resvae_core.data.uploads.layout import Layout, arrange
from resvae_core.data.uploads.quality import drop_empty, refuse_negative, report_missing
from resvae_core.data.uploads.record import (
    MAX_UNKNOWN,
    Detection,
    Issue,
    QcRecord,
    Upload,
    UploadOverrides,
)
from resvae_core.data.uploads.source import Source, open_source
from resvae_core.data.uploads.table import RawTable
from resvae_core.data.uploads.units import Axis, detect
from resvae_core.tables import Expression

_DETECT_ALL = UploadOverrides()
_OTHER_NAMES = ["previous_symbol", "alias", "excel_date"]
_SEVERITY = {"error": 0, "warning": 1, "info": 2}


def read_expression(
    source: Path | str | bytes | BinaryIO,
    *,
    name: str | None = None,
    overrides: UploadOverrides = _DETECT_ALL,
) -> Upload:
    """Read expression profiles from a file and convert them to log2(TPM + 1).

    Parameters
    ----------
    source
        Path, bytes or open binary file: CSV, TSV, TXT, XLSX, Parquet, GCT or h5ad, also gzipped.
        The format is judged by the content. Genes may stand in rows or in columns.
    name
        Name of the file, for a sample without a name; the source's own name if not given.
    overrides
        What is known better than the detection: orientation, kind of gene names, unit, sheet,
        delimiter, decimal mark.

    Returns
    -------
    Upload
        Expression (n_samples, n_genes) in log2(TPM + 1), samples in the order of the file, genes
        in alphabetical order; and the record of what was found, converted and dropped. A sample's
        values do not depend on the other samples of the file.

    Raises
    ------
    UploadTooLargeError
        If the file is larger than the reader accepts, packed or unpacked.
    DuplicateSampleError
        If two samples have one name.
    GeneCoverageError
        If there are no human genes in it.
    ExpressionUnitsError
        If values are negative, or in a unit that cannot be converted.
    InputDataError
        If it is no such table, or a cell is not a number.
    """
    origin = open_source(source, name)
    table = read_table(origin.content, overrides)
    genes = load_gene_table()
    layout = arrange(table, genes, overrides, origin.stem)
    shape = (table.n_rows, len(table.header))
    found = find_disclosures((*table.described, *layout.described))
    bare = replace(table, text={}, numbers=table.numbers[:0], described=())
    facts = _Facts(origin, bare, shape, found)
    del table
    return _convert(facts, layout, genes, overrides)


@dataclass(frozen=True)
class _Facts:
    """What is kept of the file for the record, without its cells."""

    origin: Source
    table: RawTable
    shape: tuple[int, int]
    disclosures: tuple[Disclosure, ...]


def _convert(facts: _Facts, layout: Layout, genes: GeneTable, overrides: UploadOverrides) -> Upload:
    found = identify(layout.names, genes, overrides.id_type)
    known = _known_in_order(found)
    totals = np.array([float(np.nansum(row, dtype=float)) for row in layout.values])
    values = layout.values[:, known]
    refuse_negative(values, layout, known)
    filled = drop_empty(values, layout.samples)
    values, samples = values[filled.kept], [layout.samples[i] for i in filled.kept]
    axis = Axis.of(found.rows[known], genes)
    unit, verdicts = detect(values, samples, axis, overrides.unit, layout.told_unit)
    symbols, target, repeated = _columns(found, known, genes)
    converted = to_log2_tpm(values, verdicts, unit, samples, axis, target, totals[filled.kept])
    frame = pd.DataFrame(converted.values, index=samples, columns=symbols, copy=False)
    missing, frame = report_missing(frame)
    issues = (
        *layout.issues,
        *found.issues,
        *repeated,
        *filled.issues,
        *converted.issues,
        *missing,
    )
    dropped = {**layout.dropped, **found.dropped, **filled.dropped}
    return Upload(
        Expression(frame),
        replace(
            _record(facts, layout, found, unit, converted, frame, axis, issues, dropped),
            quantity=Counter(verdict.quantity for verdict in verdicts).most_common(1)[0][0],
            **_names(facts, layout, found, genes),
        ),
    )


class _Names(TypedDict):
    """What the record says of names."""

    renamed: dict[str, str]
    unknown: tuple[str, ...]
    disclosures: tuple[Disclosure, ...]


def _names(facts: _Facts, layout: Layout, found: Identified, genes: GeneTable) -> _Names:
    """Say which names were read as other symbols, are unknown, or may tell of a person."""
    positions = np.flatnonzero(found.rows < 0).tolist()
    kind = "row" if layout.orientation.value == "genes_in_rows" else "column"
    labels = (Described(f"{kind} {layout.gene_positions[i]}", layout.names[i]) for i in positions)
    renamed = np.flatnonzero(np.isin(found.id_types, _OTHER_NAMES) & found.kept).tolist()
    return {
        "renamed": {layout.names[i]: str(genes.symbols[found.rows[i]]) for i in renamed},
        "unknown": tuple(layout.names[i] for i in positions[:MAX_UNKNOWN]),
        "disclosures": (*facts.disclosures, *find_disclosures(labels)),
    }


def _known_in_order(found: Identified) -> npt.NDArray[np.int64]:
    """Return the positions of known names, in the order of the gene table.

    Sums over genes are taken in this order, so that the order in the file changes not one bit.
    """
    known = np.flatnonzero(found.rows >= 0)
    return known[np.argsort(found.rows[known], kind="stable")]


def _columns(
    found: Identified, known: npt.NDArray[np.int64], genes: GeneTable
) -> tuple[list[str], npt.NDArray[np.int64], list[Issue]]:
    """Return the symbols of the result, the one each known name adds to, and repeated names."""
    names = np.where(found.kept[known], genes.symbols[found.rows[known]], "")
    symbols = sorted(set(names) - {""})
    position = {symbol: i for i, symbol in enumerate(symbols)}
    target = np.array([position.get(name, -1) for name in names], dtype=np.int64)
    sizes = np.bincount(target[target >= 0], minlength=len(symbols))
    repeated = [symbols[i] for i in np.flatnonzero(sizes > 1)]
    if not repeated:
        return symbols, target, []
    issue = Issue(
        "warning" if len(repeated) > 0.05 * len(symbols) else "info",
        "gene names",
        f"genes in more than one row or column: {len(repeated):,} ({', '.join(repeated[:3])} …)",
        "each gene once",
        "Their values were added, after any logarithm was undone; nothing to do if they are parts "
        "of one gene.",
    )
    return symbols, target, [issue]


def _record(
    facts: _Facts,
    layout: Layout,
    found: Identified,
    unit: Detection,
    converted: Converted,
    frame: pd.DataFrame,
    axis: Axis,
    issues: Sequence[Issue],
    dropped: dict[str, int],
) -> QcRecord:
    return QcRecord(
        file_digest=facts.origin.digest,
        file_size=facts.origin.size,
        file_format=facts.table.file_format,
        compression=facts.origin.compression,
        delimiter=facts.table.delimiter,
        decimal=facts.table.decimal,
        encoding=facts.table.encoding,
        orientation=layout.orientation,
        id_type=found.detection,
        unit=unit,
        n_rows=facts.shape[0],
        n_columns=facts.shape[1],
        n_samples=len(frame),
        n_genes_recognised=frame.shape[1],
        n_genes_total=len(layout.names),
        gene_coverage=round(int(axis.coding.sum()) / axis.n_coding, 4),
        conversion=converted.conversion,
        lengths_note=converted.lengths_note,
        issues=tuple(sorted(issues, key=lambda issue: _SEVERITY[issue.severity])),
        dropped=dropped,
        genes=frozenset(map(str, frame.columns)),
        notation=facts.table.notation,
        sheet=facts.table.sheet,
        sheets=facts.table.sheets,
    )
