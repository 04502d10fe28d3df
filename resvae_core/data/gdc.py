"""Files of the Genomic Data Commons (GDC): gene counts by STAR, one file a sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from resvae_core.data.barcodes import choose_primary
from resvae_core.data.files import require_columns
from resvae_core.data.genes import load_gene_table
from resvae_core.data.symbols import sum_by_symbol, to_log2
from resvae_core.errors import ExpressionUnitsError, InputDataError
from resvae_core.tables import Expression

STAR_COLUMNS = ["gene_id", "gene_name", "tpm_unstranded"]
SHEET_COLUMNS = ["File ID", "File Name", "Sample ID"]
# the file's TPM sum to a million over all genes; a cut file or another column would not
TPM_TOTAL = (0.9e6, 1.1e6)


def read_star_counts(files: Mapping[str, Path]) -> Expression:
    """Read ``*.rna_seq.augmented_star_gene_counts.tsv`` files.

    Parameters
    ----------
    files
        Name of a sample or patient to its file (.tsv or .tsv.gz).

    Returns
    -------
    Expression
        log2(TPM + 1) from the column ``tpm_unstranded``, rows in the order of `files`. Genes are
        found by Ensembl id, else by the name in the file; genes that share a symbol (such as the
        copies on the Y chromosome) are summed.

    Raises
    ------
    InputDataError
        If a column is missing or there is no file.
    ExpressionUnitsError
        If the TPM of a file do not sum to a million.
    """
    if not files:
        raise InputDataError(
            "No STAR count file was given.", remedy="Name at least one *.star_gene_counts.tsv."
        )
    return Expression(to_log2(pd.DataFrame([_tpm(path, name) for name, path in files.items()])))


def find_star_counts(folder: Path, sheet: Path) -> dict[str, Path]:
    """Find the file of each patient's primary tumour by the GDC sample sheet.

    Parameters
    ----------
    folder
        Where ``gdc-client`` put the files: ``<File ID>/<File Name>``, or all in one folder.
    sheet
        ``gdc_sample_sheet.<date>.tsv`` with the columns ``File ID``, ``File Name``, ``Sample ID``.

    Returns
    -------
    dict[str, Path]
        Patient (``TCGA-XX-XXXX``) to file, for files that are there.
    """
    table = pd.read_csv(sheet, sep="\t", dtype=str)
    require_columns(table.columns, SHEET_COLUMNS, name=f"GDC sample sheet {sheet.name}")
    paths = {
        sample: path
        for file_id, file_name, sample in table[SHEET_COLUMNS].itertuples(index=False)
        for path in (folder / file_id / file_name, folder / file_name)
        if path.is_file()
    }
    return {patient: paths[name] for patient, name in choose_primary(paths).sample_of.items()}


def _tpm(path: Path, name: str) -> pd.Series[float]:
    """Give the TPM of one file by current symbol."""
    table = pd.read_csv(path, sep="\t", comment="#")
    require_columns(table.columns, STAR_COLUMNS, name=f"STAR count file {path.name}")
    # the first rows (N_unmapped, N_multimapping …) count reads, not genes
    table = table[table["gene_id"].str.startswith("ENSG")]
    total = float(table["tpm_unstranded"].sum())
    if not TPM_TOTAL[0] <= total <= TPM_TOTAL[1]:
        raise ExpressionUnitsError(
            f"The TPM of {path.name} sum to {total:,.0f}; expected a million.",
            remedy="Download the file again: it may be cut short or altered.",
        )
    symbols = load_gene_table().canonical(list(table["gene_id"]))
    names = [
        gene if symbol.startswith("ENSG") else symbol
        for symbol, gene in zip(symbols, table["gene_name"], strict=True)
    ]
    row = pd.DataFrame([table["tpm_unstranded"].to_numpy(float)], index=[name], columns=names)
    return sum_by_symbol(row).iloc[0]
