"""An empty table to fill in, for those who have values but no file that is read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from resvae_core.config import RESEARCH_USE
from resvae_core.data.uploads.units import COMPLETE

if TYPE_CHECKING:
    from openpyxl import Workbook

SAMPLE = "sample_1"
EXAMPLE = "synthetic_example"
EXAMPLE_SHEET = "Example (synthetic)"
INSTRUCTIONS = (
    RESEARCH_USE,
    "One row a gene, one column a sample: counts, TPM, FPKM or log2(x + 1) of these, the same "
    "unit in all. Leave a cell empty where a gene was not measured; never write 0 for it.",
    "These are the genes that the models read. Add all other genes that you have: with "
    f"{COMPLETE:.0%} of the protein-coding genes the unit is detected safely, and counts can be "
    "converted.",
    "Name samples by a study code. Leave out names, birth dates and record numbers.",
)
"""What is to be done with the template; its first line is on every export."""

EXAMPLE_VALUES = (0.0, 1.58, 3.17, 4.75, 6.34)
"""Made-up log2(TPM + 1), repeated down the example: nobody's, and plain to see as such."""


def template_csv(genes: Sequence[str]) -> str:
    """Return a CSV file with the genes and one empty column for a sample.

    Parameters
    ----------
    genes
        Symbols, in the order of the rows.
    """
    comments = "".join(f"# {line}\n" for line in INSTRUCTIONS)
    return comments + f"gene,{SAMPLE}\n" + "".join(f"{gene},\n" for gene in genes)


def template_workbook(genes: Sequence[str]) -> bytes:
    """Return an XLSX workbook: a sheet to fill in, and one that shows how it looks when filled.

    The example is on a sheet of its own, so that an empty template is refused rather than read as
    somebody's sample.

    Parameters
    ----------
    genes
        Symbols, in the order of the rows.
    """
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    empty = ["" for _ in genes]
    shown = [EXAMPLE_VALUES[i % len(EXAMPLE_VALUES)] for i in range(len(genes))]
    _add_sheet(book, "Expression", SAMPLE, genes, empty)
    _add_sheet(book, EXAMPLE_SHEET, EXAMPLE, genes, shown)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _add_sheet(
    book: Workbook, title: str, sample: str, genes: Sequence[str], values: Sequence[float | str]
) -> None:
    """Write instructions, header and one row a gene; names as text, so that none becomes a date."""
    sheet = book.create_sheet(title)
    for line in INSTRUCTIONS:
        sheet.append([line])
    sheet.append(["gene", sample])
    for gene, value in zip(genes, values, strict=True):
        sheet.append([gene, value if value != "" else None])
    for cell in sheet["A"]:
        cell.number_format = "@"
    sheet.column_dimensions["A"].width = 18
