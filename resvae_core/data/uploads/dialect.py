"""How a text table is written: encoding, comment lines, delimiter, decimal mark, header."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from resvae_core.data.genes import load_gene_table
from resvae_core.data.uploads.record import Detection, UploadOverrides
from resvae_core.data.uploads.table import is_missing, shorten
from resvae_core.errors import InputDataError

DELIMITER_NAMES = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space"}

CORNER_WORDS = frozenset(
    (
        *("gene", "genes", "gene_id", "gene_name", "gene_symbol", "geneid", "gene id", "gene name"),
        *("gene symbol", "symbol", "hugo_symbol", "hgnc_symbol", "ensembl", "ensembl_id"),
        *("ensembl_gene_id", "entrez", "entrez_id", "entrez_gene_id", "id", "name", "sample"),
        *("sample_id", "samples", "patient", "patient_id", "target_id", "probe", "feature"),
    )
)
"""What stands above the names of genes or samples, in lower case."""

_PREFIX = 8 * 1024**2
_SAMPLE_LINES = 60
_SAMPLE_SIZE = 500_000
_BLOCK = 16 * 1024**2
_LINE_END = re.compile(r"\r\n|\n|\r")
_SEP_LINE = re.compile(r"^\"?sep=(.)\"?$")
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_ENGLISH = re.compile(r"^[+-]?(\d*\.\d*|[1-9]\d{0,2}(,\d{3})+(\.\d*)?)([eE][+-]?\d+)?$")
_GERMAN = re.compile(r"^[+-]?(\d*,\d*|[1-9]\d{0,2}(\.\d{3})+(,\d*)?)([eE][+-]?\d+)?$")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COUNTING_ROW = re.compile(r"^(N_[a-zA-Z]+|__[a-z_]+)$")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Parameters
    ----------
    delimiter, decimal, thousands
        Separator of columns, decimal mark, and mark between thousands (None if there is none).
    skip
        Lines before the first row of cells.
    header
        (n_columns,) names; made up where the file has no header.
    has_header
        Whether the file has one.
    text_columns
        Positions of columns whose cells are text.
    notation
        ``delimiter`` and ``decimal`` as detections: how many of the first rows speak for them.
    preamble
        Comment lines and titles above the table.
    """

    delimiter: str
    decimal: str
    thousands: str | None
    skip: int
    header: list[str]
    has_header: bool
    text_columns: frozenset[int]
    notation: Mapping[str, Detection] = field(default_factory=dict)
    preamble: tuple[str, ...] = ()


def decode(content: bytes) -> tuple[bytes, str]:
    """Return the content as UTF-8 bytes without a byte-order mark, and its encoding.

    Raises
    ------
    InputDataError
        If it is not text.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            if encoding == "utf-8-sig":
                return content[len(mark) :], "utf-8"
            return _transcode(content, encoding)
    head = content[:4096]
    if b"\x00" in head:
        for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
            if zeros.count(0) > 0.6 * len(zeros):
                return _transcode(content, encoding)
        raise InputDataError(
            "The file is not text: it holds zero bytes; a table (CSV, TSV, XLSX, Parquet, GCT or "
            "h5ad) was expected.",
            remedy="Export the expression values as CSV or XLSX.",
        )
    return (content, "utf-8") if _is_utf8(content) else _transcode(content, "latin-1")


def _transcode(content: bytes, encoding: str) -> tuple[bytes, str]:
    try:
        return content.decode(encoding).encode(), encoding
    except UnicodeDecodeError as error:
        raise InputDataError(
            f"The file starts like {encoding} text but cannot be decoded; it is "
            "damaged or cut off.",
            remedy="Save it again as CSV in UTF-8.",
        ) from error


def _is_utf8(content: bytes) -> bool:
    """Check block by block, so that no second copy of a large file is made."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), _BLOCK):
            decoder.decode(content[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def sniff(content: bytes, overrides: UploadOverrides, *, skip: int = 0) -> Dialect:
    """Find out how a UTF-8 text table is written.

    Parameters
    ----------
    content
        The file in UTF-8.
    overrides
        Delimiter and decimal mark, where the user knows them.
    skip
        Lines at the start that are known not to belong to the table.

    Raises
    ------
    InputDataError
        If there is no table: no line, one column only, or a header and nothing below it.
    """
    lines = _first_lines(content)
    start, told = _skip_preamble(lines, skip)
    sample = _sample(lines, start)
    if not sample:
        raise InputDataError(
            "The file holds no table: there is no line besides blank and comment lines.",
            remedy="Export genes and samples as a table with a header line.",
        )
    delimiter = overrides.delimiter or told or _find_delimiter(list(sample.values()))
    rows = [split_line(line, delimiter) for line in sample.values()]
    width = Counter(map(len, rows[len(rows) // 2 :])).most_common(1)[0][0]
    titles = _count_titles(rows, width)
    start, rows = list(sample)[titles], rows[titles:]
    if any(sample[line].count('"') % 2 for line in list(sample)[: titles + 1]):
        raise InputDataError(
            f"A quote is opened in row {start + 1} and not closed there; a header in one line was "
            "expected.",
            remedy="Take line breaks and quotes out of the header.",
        )
    header: list[str] | None = rows[0]
    preamble = tuple(line for line in lines[skip:start] if line.strip())
    if _is_data(rows[0], width):
        header = _commented_header(lines[skip:start], delimiter, width)
        cells = rows
    else:
        cells = rows[1:]
        start += 1
    if not cells:
        raise InputDataError(
            "The file has a header line and nothing below it; rows of values were expected.",
            remedy="Check that the export was complete.",
        )
    decimal, thousands = _find_decimal(cells, overrides.decimal)
    names = [""] * width if header is None else _fit_header(header, cells, width)
    return Dialect(
        delimiter=delimiter,
        decimal=decimal,
        thousands=thousands,
        skip=start,
        header=names,
        has_header=header is not None,
        text_columns=_text_columns(cells, len(names), decimal, thousands),
        notation={
            "delimiter": _rate_delimiter(rows, delimiter, overrides.delimiter is not None),
            "decimal": _rate_decimal(cells, decimal, overrides.decimal is not None),
        },
        preamble=preamble,
    )


def split_line(line: str, delimiter: str) -> list[str]:
    """Split a line into its cells, quotes removed."""
    if delimiter == " ":
        return line.split()
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # longer than a cell may be: not the delimiter
        return [line]


def _first_lines(content: bytes) -> list[str]:
    """Return the complete lines at the start of the file."""
    lines = _LINE_END.split(content[:_PREFIX].decode("utf-8", errors="ignore"))
    if len(content) > _PREFIX and len(lines) > 1:
        lines.pop()
    return lines


def _skip_preamble(lines: list[str], skip: int) -> tuple[int, str | None]:
    """Return the first line of the table, and the delimiter if a ``sep=`` line tells it."""
    told = None
    while skip < len(lines):
        line = lines[skip].strip()
        if match := _SEP_LINE.match(line):
            told = match[1]
        elif line and not line.startswith("#"):
            break
        skip += 1
    return skip, told


def _sample(lines: list[str], start: int) -> dict[int, str]:
    """Return line number → line, with content: enough to judge, few where they are long."""
    sample: dict[int, str] = {}
    size = 0
    for number in range(start, len(lines)):
        if lines[number].strip():
            sample[number] = lines[number]
            size += len(lines[number])
        if len(sample) >= _SAMPLE_LINES or (len(sample) >= 4 and size > _SAMPLE_SIZE):
            break
    return sample


def _find_delimiter(sample: list[str]) -> str:
    """Return the delimiter that gives every line the same number of cells, titles aside."""
    titled = None
    for delimiter in DELIMITER_NAMES:
        widths = [len(split_line(line, delimiter)) for line in sample]
        if _agree(widths[1:] or widths) and widths[0] > 1:
            return delimiter
        if titled is None and _agree(widths[len(widths) // 2 :]):
            titled = delimiter
    if titled is not None:
        return titled
    if best := _most_cells(sample):
        return best
    raise InputDataError(
        f"The file has one column only (first line {shorten(sample[0])!r}); gene names and at "
        "least one column of values were expected.",
        remedy="Separate columns by tab, comma or semicolon, or choose the delimiter by hand.",
    )


def _agree(widths: list[int]) -> bool:
    width, agreeing = Counter(widths).most_common(1)[0]
    return width > 1 and agreeing >= 0.9 * len(widths)


def _most_cells(sample: list[str]) -> str | None:
    """Return the delimiter that gives the most cells in a line, if any gives two."""
    cells = {
        d: max(len(split_line(line, d)) for line in sample) for d in DELIMITER_NAMES if d != " "
    }
    best = max(cells, key=lambda delimiter: cells[delimiter])
    return best if cells[best] > 1 else None


def _count_titles(rows: list[list[str]], width: int) -> int:
    """Return how many lines stand above the table: titles, with nothing beyond the first cell."""
    titles = 0
    while width >= 3 and titles < len(rows) - 1 and not any(rows[titles][1:]):
        titles += 1
    return titles


def _is_data(row: list[str], width: int) -> bool:
    """Tell whether the first row holds values: a gene, then numbers only."""
    values = [cell for cell in row[1:] if not is_missing(cell)]
    if len(row) != width or not values or not all(map(_NUMBER.match, values)):
        return False
    if _COUNTING_ROW.match(row[0]):
        return True
    return bool(row[0]) and load_gene_table().resolve(row[:1])["symbol"].notna().item()


def _commented_header(comments: list[str], delimiter: str, width: int) -> list[str] | None:
    """Return the last comment line as header if it has the width of the table."""
    if not comments or not comments[-1].startswith("#"):
        return None
    names = split_line(comments[-1].lstrip("#").strip(), delimiter)
    return names if len(names) == width else None


def _fit_header(header: list[str], cells: list[list[str]], width: int) -> list[str]:
    """Bring the header to the width of the rows: R leaves out the name of the first column."""
    while len(header) > width and not header[-1]:
        header = header[:-1]
    if len(header) > width:
        if any(len(row) >= len(header) for row in cells):
            return header
        raise InputDataError(
            f"The header names {len(header)} columns, but the rows have {width} cells; the same "
            "number was expected.",
            remedy="Check quotes and delimiters in the header, or choose the delimiter by hand.",
        )
    excess = range(len(header), width)
    if all(is_missing(row[i]) for row in cells for i in excess if i < len(row)):
        return header + [""] * len(excess)
    if len(excess) == 1 and header[0].casefold() not in CORNER_WORDS:
        return ["", *header]
    raise InputDataError(
        f"The header names {len(header)} columns, but the rows have {width} cells; the same number "
        "was expected.",
        remedy="Give every column a name; if commas are decimal marks, separate columns by "
        "semicolons or tabs.",
    )


def _find_decimal(cells: list[list[str]], told: str | None) -> tuple[str, str | None]:
    """Return the decimal mark, and the mark between thousands if there is one."""
    values = [cell for row in cells for cell in row[1:] if "," in cell or "." in cell]
    english = [value for value in values if _ENGLISH.match(value)]
    german = [value for value in values if _GERMAN.match(value)]
    if told is None:
        told = _choose_decimal(english, german, cells)
    other, numbers = (",", english) if told == "." else (".", german)
    grouped = [value for value in {*english, *german} if other in value]
    return told, other if grouped and set(grouped) <= set(numbers) else None


def _choose_decimal(english: list[str], german: list[str], cells: list[list[str]]) -> str:
    only_english = sum(not _GERMAN.match(value) for value in english)
    only_german = sum(not _ENGLISH.match(value) for value in german)
    if only_english or only_german:
        return "." if only_english >= only_german else ","
    if not any("," in value for value in german):
        return "."
    # "1,234" everywhere: thousands, unless larger numbers stand there without a mark
    if any(cell.isdigit() and len(cell) > 3 for row in cells for cell in row[1:]):
        return ","
    raise InputDataError(
        f"The comma in numbers such as {shorten(german[0])!r} may be a decimal "
        "mark or stand between "
        "thousands; nothing in the first rows tells which.",
        remedy="Choose the decimal mark by hand, or export the table with a decimal point.",
    )


def _rate_delimiter(rows: list[list[str]], delimiter: str, told: bool) -> Detection:
    """Say how many of the first rows have the same number of cells with this delimiter."""
    width, agreeing = Counter(map(len, rows)).most_common(1)[0]
    reason = f"{agreeing} of the first {len(rows)} rows have {width} cells with it."
    if told:
        return Detection(delimiter, 1.0, f"Chosen by hand. {reason}", overridden=True)
    return Detection(delimiter, round(agreeing / len(rows), 3), reason)


def _rate_decimal(cells: list[list[str]], decimal: str, told: bool) -> Detection:
    """Say how many numbers of the first rows are written with this decimal mark."""
    marked = [
        cell for row in cells for cell in row[1:] if _ENGLISH.match(cell) or _GERMAN.match(cell)
    ]
    pattern = _ENGLISH if decimal == "." else _GERMAN
    agreeing = sum(bool(pattern.match(cell)) for cell in marked)
    reason = (
        f"{agreeing:,} of {len(marked):,} numbers with a mark in the first rows can be read so."
        if marked
        else "The first rows hold whole numbers only: no mark is needed."
    )
    if told:
        return Detection(decimal, 1.0, f"Chosen by hand. {reason}", overridden=True)
    return Detection(decimal, round(agreeing / len(marked), 3) if marked else 1.0, reason)


def _text_columns(
    cells: list[list[str]], width: int, decimal: str, thousands: str | None
) -> frozenset[int]:
    """Return the columns in which most cells are not numbers, and the first."""
    columns = {0}
    for column in range(1, width):
        filled = [row[column] for row in cells if column < len(row) and not is_missing(row[column])]
        # a number in another notation is no text: reading it will fail, and say where it stands
        text = sum(
            not (is_number(cell, decimal, thousands) or _ENGLISH.match(cell) or _GERMAN.match(cell))
            for cell in filled
        )
        if text > len(filled) / 2:
            columns.add(column)
    return frozenset(columns)


def is_number(cell: str, decimal: str, thousands: str | None) -> bool:
    """Tell whether a cell is a number in the given notation."""
    if thousands and thousands in cell:
        return bool((_ENGLISH if decimal == "." else _GERMAN).match(cell))
    if decimal != ".":
        cell = cell.replace(".", "x").replace(decimal, ".")
    return bool(_NUMBER.match(cell))


def as_number(cell: str, decimal: str, thousands: str | None) -> float:
    """Return the number in a cell that `is_number`."""
    if thousands:
        cell = cell.replace(thousands, "")
    return float(cell.replace(decimal, "."))
