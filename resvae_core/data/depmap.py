"""Files of the DepMap portal: expression of cell lines, and what each line is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.data.files import require_columns
from resvae_core.data.symbols import current_symbols
from resvae_core.errors import ExpressionUnitsError, InputDataError
from resvae_core.tables import Expression

# "TSPAN6 (7105)": symbol and Entrez id
GENE_COLUMN = re.compile(r"^(?P<symbol>.+) \((?P<entrez>\d+|nan)\)$")
DEFAULT_ENTRY = "IsDefaultEntryForModel"
MODEL_ID = re.compile(r"^ACH-\d{6}$")
MAX_LOG2_TPM = 20.0


def read_expression(path: Path) -> Expression:
    """Read the expression of cell lines from a DepMap release.

    Parameters
    ----------
    path
        ``OmicsExpressionProteinCodingGenesTPMLogp1.csv`` (to release 24Q4: the first column is
        the model id) or ``OmicsExpressionTPMLogp1HumanProteinCodingGenes.csv`` (from 25Q2: columns
        ``SequencingID``, ``ModelID``, ``IsDefaultEntryForModel`` … stand before the genes, and a
        model may have several rows, of which the default entry is kept).

    Returns
    -------
    Expression
        log2(TPM + 1) as released, protein-coding genes by current symbol. Index: DepMap ids.

    Raises
    ------
    InputDataError
        If no gene column or no model id is found.
    ExpressionUnitsError
        If values do not look like log2(TPM + 1).
    """
    table = pd.read_csv(path, low_memory=False)
    genes = {column: m["symbol"] for column in table.columns if (m := GENE_COLUMN.match(column))}
    if not genes:
        raise InputDataError(
            f"{path.name} has no gene column; expected names such as 'TSPAN6 (7105)', "
            f"found {', '.join(table.columns[:5])}.",
            remedy="Use the official DepMap expression CSV, unchanged.",
        )
    table = _default_entries(table)
    values = table[list(genes)].set_axis(_model_ids(table, path.name), axis=0)
    values = values.set_axis(list(genes.values()), axis=1).astype(np.float32)
    highest = float(np.nanmax(values.to_numpy()))
    if highest > MAX_LOG2_TPM:
        raise ExpressionUnitsError(
            f"{path.name} has a value of {highest:.4g}; log2(TPM + 1) does not exceed "
            f"{MAX_LOG2_TPM:g}.",
            remedy="Use the file whose name says TPMLogp1, not counts or TPM.",
        )
    return Expression(current_symbols(values))


def read_outline(path: Path) -> tuple[pd.Index[str], int]:
    """Read which lines and how many genes an expression file has, without its values.

    Returns
    -------
    Index
        DepMap ids, as `read_expression` would give them.
    int
        Number of gene columns.

    Raises
    ------
    InputDataError
        If no model id is found.
    """
    columns = pd.read_csv(path, nrows=0).columns
    named = [name for name in columns if name in {"ModelID", DEFAULT_ENTRY}]
    table = pd.read_csv(path, usecols=named or [columns[0]], low_memory=False)
    n_genes = sum(GENE_COLUMN.match(str(column)) is not None for column in columns)
    return _model_ids(_default_entries(table), path.name), n_genes


def read_models(path: Path) -> pd.DataFrame:
    """Read ``Model.csv``: which line has which ids.

    Returns
    -------
    pd.DataFrame
        Index ``depmap_id``; columns ``cosmic_id`` (int), ``cell_line_name`` and ``lineage``
        (Oncotree, lower case). Lines without a COSMIC id, which GDSC cannot know, are left out.
    """
    table = pd.read_csv(path, low_memory=False)
    wanted = {
        "ModelID": "depmap_id",
        "COSMICID": "cosmic_id",
        "CellLineName": "cell_line_name",
        "OncotreeLineage": "lineage",
    }
    require_columns(table.columns, wanted, name=f"DepMap model file {path.name}")
    models = table[list(wanted)].rename(columns=wanted).dropna(subset=["cosmic_id"])
    models["cosmic_id"] = models["cosmic_id"].astype("int64")
    models["lineage"] = models["lineage"].str.lower()
    return models.set_index("depmap_id")


def _default_entries(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the default entry of each model, where the release has several."""
    if DEFAULT_ENTRY not in table.columns:
        return table
    return table[table[DEFAULT_ENTRY].astype(str).str.lower().isin({"yes", "true", "1"})]


def _model_ids(table: pd.DataFrame, name: str) -> pd.Index[str]:
    """Take the model ids from their own column, or from the first, which older files leave bare."""
    column = "ModelID" if "ModelID" in table.columns else str(table.columns[0])
    ids = table[column].astype(str)
    wrong = ids[~ids.str.match(MODEL_ID)]
    if len(wrong):
        raise InputDataError(
            f"{name} names a line {wrong.iloc[0]!r} in column {column!r}; expected DepMap ids "
            "such as ACH-000001.",
            remedy="Use the official DepMap expression CSV, unchanged.",
        )
    return pd.Index(ids, name="depmap_id")
