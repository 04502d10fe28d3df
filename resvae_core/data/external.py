"""What models are held against beside their own screen: another one, and published binary calls.

Both are read as (n_lines, n_drugs) tables on the lines and drug names of the training set, NaN
where there is no measurement.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.data.drugs import find_drug
from resvae_core.data.files import require_columns
from resvae_core.errors import InputDataError, UnknownDrugError

CTRPV2_FILE = "external/ctrpv2_response.parquet"
TABLE_S5C_FILE = "gdsc/binary_labels_iorio2016.parquet"
CALLS = {"R": 1.0, "S": 0.0}


def read_ctrpv2(path: Path, lines: pd.DataFrame) -> pd.DataFrame:
    """Read ln IC50 of the Cancer Therapeutics Response Portal, version 2.

    Parameters
    ----------
    path
        Parquet with columns ``cosmic_id``, ``drug_name`` and ``ln_ic50`` (ln(µM)).
    lines
        As from `data.screens.read_lines`: index line ids, column ``cosmic_id``.

    Returns
    -------
    DataFrame
        (n_lines, n_drugs) of the lines and drugs that both know, drugs by their name in the
        catalogue (so racemic Nutlin-3 stands for Nutlin-3a), in its alphabetical order.

    Raises
    ------
    InputDataError
        If a column is missing, or a pair of line and drug occurs twice.
    """
    table = pd.read_parquet(path)
    require_columns(table.columns, ["cosmic_id", "drug_name", "ln_ic50"], name=path.name)
    table = table.dropna(subset=["cosmic_id"])
    return _arrange(table.assign(drug=_catalogue_names(table["drug_name"])), lines, "ln_ic50", path)


def read_table_s5c(path: Path, lines: pd.DataFrame) -> pd.DataFrame:
    """Read the binary calls of Iorio et al. 2016 (Table S5C), made on the GDSC1 screen.

    Where a drug was screened twice under two ids, its own id in the catalogue is taken, else the id
    with more calls.

    Parameters
    ----------
    path
        Parquet with columns ``cosmic_id``, ``drug_id``, ``drug_name`` and ``label`` (S or R).
    lines
        As in `read_ctrpv2`.

    Returns
    -------
    DataFrame
        (n_lines, n_drugs) 1 resistant, 0 sensitive, NaN not called.

    Raises
    ------
    InputDataError
        If a column is missing, a call is neither S nor R, or a pair occurs twice.
    """
    table = pd.read_parquet(path)
    require_columns(table.columns, ["cosmic_id", "drug_id", "drug_name", "label"], name=path.name)
    unknown = set(table["label"].dropna()) - set(CALLS)
    if unknown:
        raise InputDataError(
            f"{path.name} has the call {min(unknown)!r}; expected S (sensitive) or R (resistant).",
            remedy="Use Table S5C of Iorio et al. 2016, unchanged.",
        )
    table = table.assign(call=table["label"].map(CALLS), drug=_catalogue_names(table["drug_name"]))
    return _arrange(_one_screen_a_drug(table), lines, "call", path)


def _catalogue_names(names: pd.Series[str]) -> pd.Series[str]:
    """Return the catalogue's name of each drug, missing where it has none."""
    known = {}
    for name in names.unique():
        try:
            known[name] = find_drug(str(name)).name
        except UnknownDrugError:
            continue
    return names.map(known)


def _one_screen_a_drug(table: pd.DataFrame) -> pd.DataFrame:
    sizes = table.dropna(subset=["drug"]).groupby(["drug", "drug_id"]).size()
    chosen = {}
    for drug, counts in sizes.groupby(level="drug"):
        own = find_drug(str(drug)).drug_id
        ids = counts.droplevel("drug")
        chosen[drug] = own if own in ids.index else ids.idxmax()
    return table[table["drug_id"] == table["drug"].map(chosen)]


def _arrange(table: pd.DataFrame, lines: pd.DataFrame, value: str, path: Path) -> pd.DataFrame:
    """Give lines × drugs of those that the training set and the catalogue know."""
    line_of = pd.Series(lines.index.astype(str), index=lines["cosmic_id"].to_numpy(np.int64))
    table = table.dropna(subset=["drug", value])
    table = table.assign(line=table["cosmic_id"].astype(np.int64).map(line_of))
    table = table.dropna(subset=["line"])
    repeated = table[table.duplicated(["line", "drug"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputDataError(
            f"{path.name} lists {len(repeated)} pairs of line and drug twice, for example "
            f"{first['line']} with {first['drug']}.",
            remedy="Use one release, unchanged; do not join releases.",
        )
    wide = table.pivot(index="line", columns="drug", values=value)
    wide = wide.reindex([str(line) for line in lines.index if line in wide.index])
    return wide.rename_axis(index=None, columns=None).astype(np.float64)
