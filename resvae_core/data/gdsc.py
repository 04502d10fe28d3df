"""Files of the Genomics of Drug Sensitivity in Cancer (GDSC) project, in every form we accept."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from resvae_core.config import artifacts_folder
from resvae_core.data.files import file_digest, require_columns
from resvae_core.data.symbols import average_by_symbol
from resvae_core.errors import InputDataError

RESPONSE_DTYPES = {
    "cosmic_id": "int64",
    "cell_line_name": "object",
    "drug_id": "int64",
    "drug_name": "object",
    "dataset": "object",
    "ln_ic50": "float64",
    "dose_response_auc": "float64",
    "z_score": "float64",
    "max_conc": "float64",
}
# "fitted dose response" files of releases 8.1 to 8.5
OFFICIAL_COLUMNS = {
    "COSMIC_ID": "cosmic_id",
    "CELL_LINE_NAME": "cell_line_name",
    "DRUG_ID": "drug_id",
    "DRUG_NAME": "drug_name",
    "DATASET": "dataset",
    "LN_IC50": "ln_ic50",
    "AUC": "dose_response_auc",
    "Z_SCORE": "z_score",
    "MAX_CONC": "max_conc",
}
UNCLASSIFIED = {"UNCLASSIFIED", "UNABLE TO CLASSIFY", "OTHER", ""}
PAIR = ["dataset", "drug_id", "cosmic_id"]
MAX_RMA = 20.0


@dataclass(frozen=True)
class MicroarrayExpression:
    """Expression of cell lines measured by microarray: **not** log2(TPM + 1).

    A type of its own, so that it is never mixed with RNA-seq by mistake.

    Parameters
    ----------
    values
        (n_lines, n_genes) RMA-normalised log2 intensities, about 2 to 14. Index: COSMIC ids.
        Columns: current gene symbols; probes of one gene are averaged.
    n_unnamed
        Rows of the file without a gene symbol, left out.
    n_repeated
        Columns of the file that repeat a cell line; the first of each is kept.
    """

    values: pd.DataFrame
    n_unnamed: int
    n_repeated: int
    unit: str = "RMA log2 intensity"

    def __post_init__(self) -> None:
        matrix = self.values.to_numpy()
        if not np.isfinite(matrix).all() or (matrix < 0).any() or (matrix > MAX_RMA).any():
            raise InputDataError(
                f"A microarray value is missing or outside 0 to {MAX_RMA:g}, where RMA log2 "
                "intensities lie.",
                remedy="Use the official Cell_line_RMA_proc_basalExp.txt, unchanged.",
            )


def read_response(path: Path) -> pd.DataFrame:
    """Read drug responses of cell lines.

    Parameters
    ----------
    path
        ``response.parquet`` of the development data, or an official GDSC file "fitted dose
        response" (.xlsx, .csv, .csv.gz).

    Returns
    -------
    pd.DataFrame
        One row a measured pair of line and drug, columns as in `RESPONSE_DTYPES`: ``ln_ic50`` in
        ln(µM), ``dose_response_auc`` 0 to 1 (lower is more sensitive), ``max_conc`` the top dose
        in µM. NaN where the release does not state it.

    Raises
    ------
    InputDataError
        If a column is missing, a value is no number, or a pair occurs twice in one data set.
    """
    if path.suffix == ".parquet":
        table = pd.read_parquet(path).rename(columns={"auc": "dose_response_auc"})
        return table[list(RESPONSE_DTYPES)].astype(RESPONSE_DTYPES)
    return _as_response(_read_official(path), path.name)


def read_tissues(path: Path) -> dict[int, str]:
    """Read the TCGA label of each line from an official "fitted dose response" file.

    Returns
    -------
    dict[int, str]
        COSMIC id to label, as GDSC writes it; lines that it could not classify are left out.
    """
    return _tissues(_read_official(path))


def read_response_and_tissues(path: Path) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read `read_response` and `read_tissues` of an official file at once.

    The Excel files have 240,000 rows and more: reading one takes most of a minute.
    """
    table = _read_official(path)
    return _as_response(table, path.name), _tissues(table)


def read_basal_expression(path: Path) -> MicroarrayExpression:
    """Read ``Cell_line_RMA_proc_basalExp.txt``, the basal expression of the GDSC1000 lines.

    Parameters
    ----------
    path
        Tab-separated file (or the official .zip of it): ``GENE_SYMBOLS``, ``GENE_title``, and one
        column ``DATA.<COSMIC id>`` a line. Some lines come twice (``DATA.1503362.1``).

    Returns
    -------
    MicroarrayExpression
        RMA log2 intensities: a model trained on log2(TPM + 1) must not read them.

    Raises
    ------
    InputDataError
        If a column is missing, no column names a line, or a value is out of range.
    """
    table = pd.read_csv(path, sep="\t")
    require_columns(table.columns, ["GENE_SYMBOLS"], name=f"GDSC expression file {path.name}")
    named = table[table["GENE_SYMBOLS"].notna()]
    lines = named.filter(regex=r"^DATA\.\d+").T
    if lines.empty:
        raise InputDataError(
            f"{path.name} has no column DATA.<COSMIC id>, which would name a cell line.",
            remedy="Use the official Cell_line_RMA_proc_basalExp.txt, unchanged.",
        )
    lines.index = pd.Index(lines.index.str.split(".").str[1].astype(int), name="cosmic_id")
    repeated = lines.index.duplicated()
    lines.columns = pd.Index(named["GENE_SYMBOLS"].astype(str))
    values = average_by_symbol(lines[~repeated]).astype(np.float32)
    return MicroarrayExpression(values, len(table) - len(named), int(repeated.sum()))


def _as_response(official: pd.DataFrame, name: str) -> pd.DataFrame:
    """Take the columns that are used, under our names and as numbers."""
    table = official[list(OFFICIAL_COLUMNS)].rename(columns=OFFICIAL_COLUMNS)
    try:
        response = table.astype(RESPONSE_DTYPES)
    except (ValueError, TypeError) as error:
        raise InputDataError(
            f"{name} has a value that is no number: {error}.",
            remedy="Use the official file, unchanged: ids and ln IC50 are numbers in every row.",
        ) from error
    _refuse_repeats(response, name)
    return response


def _tissues(official: pd.DataFrame) -> dict[int, str]:
    table = official.drop_duplicates("COSMIC_ID").dropna(subset=["TCGA_DESC"])
    labels = zip(table["COSMIC_ID"].astype(int), table["TCGA_DESC"].astype(str), strict=True)
    return {line: label for line, label in labels if label not in UNCLASSIFIED}


def _read_official(path: Path) -> pd.DataFrame:
    if path.suffix == ".xlsx":
        return _read_sheet(path)
    return _with_columns(pd.read_csv(path, low_memory=False), path.name)


def _with_columns(table: pd.DataFrame, name: str) -> pd.DataFrame:
    expected = [*OFFICIAL_COLUMNS, "TCGA_DESC"]
    require_columns(table.columns, expected, name=f"GDSC response file {name}")
    return table[expected]


def _read_sheet(path: Path) -> pd.DataFrame:
    """Read an Excel file, or what an earlier reading of the same bytes left.

    A copy is named after the digests of the file and of itself: one that was changed is not read.
    """
    folder = artifacts_folder() / "read"
    digest = file_digest(path)
    for copy in folder.glob(f"{digest}-*.parquet"):
        if copy.stem == f"{digest}-{file_digest(copy)}":
            return pd.read_parquet(copy)
    table = _with_columns(pd.read_excel(path, engine="openpyxl"), path.name)
    # a copy saves a minute; where none can be kept, the minute is spent each time
    with suppress(OSError, pa.ArrowException):
        folder.mkdir(parents=True, exist_ok=True)
        staged = folder / f".{digest}-{os.getpid()}"
        table.to_parquet(staged, index=False)
        staged.replace(folder / f"{digest}-{file_digest(staged)}.parquet")
    return table


def _refuse_repeats(response: pd.DataFrame, name: str) -> None:
    repeated = response[response.duplicated(PAIR)]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputDataError(
            f"{name} lists {len(repeated)} pairs of line and drug twice, for example "
            f"{first['cell_line_name']} with {first['drug_name']} in {first['dataset']}.",
            remedy="Use one official release, unchanged; do not join releases.",
        )
