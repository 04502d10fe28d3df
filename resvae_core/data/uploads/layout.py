"""Where genes and samples stand in a table, and which columns only describe them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from resvae_core.data.genes import GeneTable
from resvae_core.data.privacy import Described
from resvae_core.data.uploads.dialect import CORNER_WORDS, as_number, is_number
from resvae_core.data.uploads.identifiers import COUNTING_ROWS, evidence
from resvae_core.data.uploads.record import Detection, Issue, Orientation, Unit, UploadOverrides
from resvae_core.data.uploads.table import RawTable, is_missing, shorten
from resvae_core.errors import DuplicateSampleError, InputDataError

_DESCRIPTIONS = CORNER_WORDS | {
    *("description", "gene_type", "genetype", "gene type", "biotype", "gene_biotype", "class"),
    *("chr", "chrom", "chromosome", "seqname", "start", "end", "strand", "locus", "band"),
    *("cytoband", "length", "eff_length", "effective_length", "gene_length", "exon_length"),
    *(
        "transcript_id",
        "transcript_id(s)",
        "transcript_ids",
        "tss_id",
        "reference",
        "gene_short_name",
    ),
    *("entrezid", "ensemblid", "entrez gene id", "ensembl gene id", "hgnc_id", "uniprot"),
}
_STAR_ROW = re.compile(r"^N_(unmapped|multimapping|noFeature|ambiguous)$")
_QUANTIFIERS: tuple[tuple[str, dict[str, Unit]], ...] = (
    # GDC's STAR files, RSEM, kallisto and StringTie give one sample in several units
    (
        "GDC STAR counts",
        {"tpm_unstranded": "tpm", "fpkm_unstranded": "fpkm", "unstranded": "counts"},
    ),
    ("RSEM", {"tpm": "tpm", "fpkm": "fpkm", "expected_count": "counts"}),
    ("kallisto", {"tpm": "tpm", "est_counts": "counts"}),
    ("StringTie", {"tpm": "tpm", "fpkm": "fpkm", "coverage": "fpkm"}),
)


@dataclass(frozen=True)
class Layout:
    """Genes and samples of a table.

    Parameters
    ----------
    names
        (n_names,) gene names as in the file.
    samples
        (n_samples,) sample names, unique.
    values
        (n_samples, n_names) float32, NaN where a cell is empty.
    orientation
        How the table stood in the file.
    told_unit
        Unit that the header states, where it is the output of a quantifier.
    issues, dropped
        What a reader should know; reason → number of rows or columns left out.
    gene_positions, sample_positions
        Row or column of the file, counted from 1, of each name and each sample.
    described
        Columns that are not expression, for the scan for identifiers; cells of those alone that
        describe samples.
    """

    names: list[str]
    samples: list[str]
    values: npt.NDArray[np.float32]
    orientation: Detection
    told_unit: tuple[Unit, str] | None
    issues: tuple[Issue, ...]
    dropped: dict[str, int]
    gene_positions: npt.NDArray[np.int64]
    sample_positions: npt.NDArray[np.int64]
    described: tuple[Described, ...] = ()

    def place(self, sample: int, name: int) -> str:
        """Return where a value stands, as a message should give it."""
        row = f"row {self.gene_positions[name]} ({shorten(self.names[name])})"
        column = f"column {self.sample_positions[sample]} ({shorten(self.samples[sample])})"
        if self.orientation.value == "genes_in_rows":
            return f"{row}, {column}"
        row = f"row {self.sample_positions[sample]} ({shorten(self.samples[sample])})"
        return f"{row}, column {self.gene_positions[name]} ({shorten(self.names[name])})"


def arrange(table: RawTable, genes: GeneTable, overrides: UploadOverrides, stem: str) -> Layout:
    """Find genes and samples in a table.

    Parameters
    ----------
    table
        Cells as they stand in the file.
    genes
        The gene table.
    overrides
        Orientation and unit, where the user knows them.
    stem
        Name for a sample that has none: the name of the file without its ending.

    Raises
    ------
    InputDataError
        If there is no column of numbers.
    DuplicateSampleError
        If two samples have the same name, saying where they stand.
    """
    table = _with_first_gene(table, genes)
    _require_numbers(table)
    in_rows = {column: evidence(cells, genes) for column, cells in table.text.items()}
    name_column = max(in_rows, key=lambda column: (in_rows[column], -column))
    in_header = evidence(table.header, genes) if table.has_header else 0.0
    orientation = _detect(in_rows[name_column], in_header, overrides.orientation)
    if orientation.value == "genes_in_rows":
        return _genes_in_rows(table, name_column, orientation, overrides.unit, stem)
    return _genes_in_columns(table, genes, orientation, stem)


def _with_first_gene(table: RawTable, genes: GeneTable) -> RawTable:
    """Take the first column as values where its header is a gene and its cells are numbers."""
    if not table.header[0] or table.header[0].casefold() in CORNER_WORDS or not table.n_rows:
        return table
    kind = genes.resolve(table.header[:1])["id_type"].item()
    decimal = table.decimal or "."
    if kind not in ("symbol", "ensembl") or not all(
        is_number(cell, decimal, None) for cell in table.text[0]
    ):
        return table
    first = np.array([as_number(cell, decimal, None) for cell in table.text[0]], dtype=np.float32)
    return replace(
        table,
        text={**table.text, 0: [""] * table.n_rows},
        numbers=np.column_stack([first, table.numbers]),
        numeric=[0, *table.numeric],
    )


def _require_numbers(table: RawTable) -> None:
    if not table.n_rows or not table.numeric:
        raise InputDataError(
            f"The table has {table.n_rows} rows and {len(table.numeric)} columns of numbers (first "
            f"header cells: {', '.join(map(shorten, table.header[:3]))}); gene "
            "names and at least one "
            "column of values were expected.",
            remedy=(
                "Check the delimiter and the decimal mark, and that values are not "
                "formatted as text."
            ),
        )


def _detect(rows: float, columns: float, told: Orientation | None) -> Detection:
    strength = max(rows, columns) / (rows + columns) if rows + columns else 0.0
    value = "genes_in_rows" if rows >= columns else "genes_in_columns"
    place = "first columns" if value == "genes_in_rows" else "header"
    if told:
        return Detection(told, 1.0, "Chosen by hand.", overridden=True)
    return Detection(value, round(strength, 3), f"Names of genes stand in the {place}.")


def _genes_in_rows(
    table: RawTable, name_column: int, orientation: Detection, unit: Unit | None, stem: str
) -> Layout:
    names = table.text[name_column]
    rows = [i for i, name in enumerate(names) if name and not COUNTING_ROWS.match(name)]
    quantified = _quantifier_column(table.header, unit)
    other_strands = 0
    if quantified:
        columns, told = [quantified[0]], (quantified[1], quantified[2])
        samples = [stem]
    else:
        columns, told = _value_columns(table), None
        if not table.has_header and len(columns) == 3 and any(map(_STAR_ROW.match, names)):
            other_strands = len(columns) - 1
            columns = columns[:1]  # STAR's ReadsPerGene: unstranded, then either strand
        samples = _sample_names([table.header[i] for i in columns], columns, stem)
    if not columns:
        raise InputDataError(
            "All columns describe genes; at least one column of values was expected.",
            remedy="Name the columns of values after their samples.",
        )
    _require_unique(samples, [table.column_name(i) for i in columns])
    where = {column: i for i, column in enumerate(table.numeric)}
    chosen = table.numbers[:, [where[i] for i in columns]]
    if len(rows) < len(names):
        chosen = chosen[rows]
    described = [i for i in range(len(table.header)) if i not in {name_column, *columns}]
    unnamed = sum(not table.header[i] for i in columns) if table.has_header else 0
    n_counting = sum(bool(COUNTING_ROWS.match(name)) for name in names)
    return Layout(
        names=[names[i] for i in rows],
        samples=samples,
        values=np.ascontiguousarray(chosen.T),
        orientation=orientation,
        told_unit=told,
        issues=(*_describe_columns([table.header[i] for i in described]), *_unnamed(unnamed)),
        dropped=_dropped(
            ("rows that count unassigned reads", n_counting),
            ("columns that count one strand", other_strands),
            ("rows without a name", sum(not name for name in names)),
            ("columns that describe genes", sum(bool(table.header[i]) for i in described)),
        ),
        gene_positions=table.row_numbers[rows],
        sample_positions=np.array(columns) + 1,
        described=tuple(Described(f"column {i + 1}", table.header[i]) for i in described),
    )


def _quantifier_column(header: list[str], unit: Unit | None) -> tuple[int, Unit, str] | None:
    """Return (column, unit, program) where the header is that of a quantifier's output."""
    lower = [name.casefold() for name in header]
    for program, columns in _QUANTIFIERS:
        if set(columns) <= set(lower):
            name = next((name for name, u in columns.items() if u == unit), next(iter(columns)))
            reason = f"Column {header[lower.index(name)]!r} of a {program} file."
            return lower.index(name), columns[name], reason
    return None


def _value_columns(table: RawTable) -> list[int]:
    """Return the columns of values: numbers that no header calls a description."""
    columns = []
    for position, column in enumerate(table.numeric):
        name = table.header[column]
        if name.casefold() in _DESCRIPTIONS or column in table.annotation:
            continue
        if table.has_header and not name and np.isnan(table.numbers[:, position]).all():
            continue  # a delimiter too many at the end of the rows
        columns.append(column)
    return columns


def _sample_names(names: list[str], columns: list[int], stem: str) -> list[str]:
    if any(names):
        return [name or f"column_{i + 1}" for name, i in zip(names, columns, strict=True)]
    if len(columns) == 1:
        return [stem]
    return [f"{stem}_{i}" for i in range(1, len(columns) + 1)]


def _genes_in_columns(
    table: RawTable, genes: GeneTable, orientation: Detection, stem: str
) -> Layout:
    _refuse_text_genes(table, genes)
    samples, sample_column = _sample_column(table, stem)
    _require_unique(samples, [table.row_name(i) for i in range(table.n_rows)])
    kept = [i for i, c in enumerate(table.numeric) if table.header[c]]
    blank = [i for i, c in enumerate(table.numeric) if not table.header[c]]
    filled = [i for i in blank if not np.isnan(table.numbers[:, i]).all()]
    described = [table.header[c] for c in table.text if c != sample_column]
    values = table.numbers if not blank else table.numbers[:, kept]
    return Layout(
        names=[table.header[table.numeric[i]] for i in kept],
        samples=samples,
        values=np.ascontiguousarray(values),
        orientation=orientation,
        told_unit=None,
        issues=_describe_columns(described),
        dropped=_dropped(
            ("columns without a name", len(filled)),
            ("columns that describe samples", len(described)),
        ),
        gene_positions=np.array([table.numeric[i] for i in kept], dtype=np.int64) + 1,
        sample_positions=table.row_numbers,
        described=tuple(
            Described(f"column {c + 1}", table.header[c], table.text[c])
            for c in table.text
            if c != sample_column
        ),
    )


def _refuse_text_genes(table: RawTable, genes: GeneTable) -> None:
    """Refuse text below the name of a gene; such a column is no description."""
    columns = [c for c in table.text if c and c not in table.annotation]
    known = genes.resolve([table.header[c] for c in columns])["id_type"]
    for column, kind in zip(columns, known, strict=True):
        if kind in ("symbol", "ensembl"):
            row, cell = next((i, c) for i, c in enumerate(table.text[column]) if not is_missing(c))
            raise InputDataError(
                f"Text in a cell: {table.row_name(row)}, {table.column_name(column)} holds "
                f"{shorten(cell)!r}; the expression of the gene was expected.",
                remedy="Correct or empty this cell, or give the column another name.",
            )


def _sample_column(table: RawTable, stem: str) -> tuple[list[str], int]:
    """Return the names of samples and their column: the first whose cells all differ."""
    candidates = sorted(table.text)
    numbered = table.text[0] == [str(i) for i in range(table.n_rows)]
    if not table.header[0] and numbered and len(candidates) > 1:
        candidates = candidates[1:]  # the row numbers that pandas writes
    unique = [c for c in candidates if len(set(table.text[c])) == table.n_rows]
    column = unique[0] if unique and not _named(table, candidates[0]) else candidates[0]
    names = table.text[column]
    if not any(names):
        return _sample_names([""] * len(names), list(range(len(names))), stem), column
    return [name or f"row_{table.row_numbers[i]}" for i, name in enumerate(names)], column


def _named(table: RawTable, column: int) -> bool:
    """Tell whether a header says outright that samples stand below it."""
    name = table.header[column].casefold()
    return not name or any(word in name for word in ("sample", "patient", "barcode", "id", "name"))


def _require_unique(samples: list[str], places: list[str]) -> None:
    first: dict[str, str] = {}
    for name, place in zip(samples, places, strict=True):
        if name in first:
            raise DuplicateSampleError(
                f"Sample {shorten(name)!r} occurs more than once: {first[name]} and {place}; names "
                "must be unique.",
                remedy="Rename or remove one of them.",
            )
        first[name] = place


def _unnamed(n: int) -> tuple[Issue, ...]:
    if not n:
        return ()
    return (
        Issue(
            "warning",
            "header",
            f"columns of values without a name: {n}",
            "the name of a sample above each",
            "They were named after their position; name them in the file.",
        ),
    )


def _describe_columns(names: list[str]) -> tuple[Issue, ...]:
    filled = [shorten(name) for name in names if name]
    if not filled:
        return ()
    shown = ", ".join(filled[:5]) + (" …" if len(filled) > 5 else "")
    return (
        Issue(
            "info",
            "header",
            f"columns that are not expression: {len(filled)} ({shown})",
            "columns of values",
            "They were left out; nothing to do.",
        ),
    )


def _dropped(*reasons: tuple[str, int]) -> dict[str, int]:
    return {reason: n for reason, n in reasons if n}
