"""Recorded response of patients to drugs.

TCGA's clinical records hold one row a course of a drug, with the response where a clinician wrote
one down. It is often the response to a whole regimen, repeated for each of its drugs.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resvae_core.data.drugs import find_drug
from resvae_core.data.files import require_columns, require_files
from resvae_core.errors import InputDataError, UnknownDrugError

RESPONSE_FILE = "tcga/drug_response.parquet"
COLUMNS = ["patient", "cohort", "drug", "responder", "start_day", "n_courses"]


def read_drug_response(folder: Path) -> pd.DataFrame:
    """Read one response a patient and drug: that of the first course with one on record.

    A later course of the same drug is given after the first one failed or the disease came back,
    to a tumour that is no longer the one that was sequenced; so the first one counts. Courses are
    ordered by the day on which they began, those without a day last, and of courses that began
    together the worse response is taken. Of 2,231 pairs 111 have several courses, of which 18
    disagree. Taking any response as a response would change 3 of the patients with expression in
    cohorts where at least 20 are on record: 2 of LGG with temozolomide, 1 of BLCA with cisplatin.

    Parameters
    ----------
    folder
        Folder of installed data.

    Returns
    -------
    DataFrame
        Columns ``patient``, ``cohort`` (TCGA code), ``drug`` (name as in the catalogue; drugs that
        the catalogue does not know by that spelling are left out), ``responder`` (True for a
        complete or partial response, False for stable or progressive disease), ``start_day``
        (since diagnosis, NaN where not recorded), ``n_courses`` (with a response on record).

    Raises
    ------
    InputDataError
        If the file is missing or lacks a column, or a response is neither 1 nor 0.
    """
    require_files(folder, [RESPONSE_FILE])
    table = pd.read_parquet(folder / RESPONSE_FILE)
    wanted = ["patient", "cohort", "drug_name", "responder", "start_day"]
    require_columns(table.columns, wanted, name=RESPONSE_FILE)
    known = table.loc[table["responder"].notna(), wanted]
    if not known["responder"].isin([0, 1]).all():
        raise InputDataError(
            f"{RESPONSE_FILE} has a response that is neither 1 (responder) nor 0.",
            remedy="Install the file unchanged.",
        )
    known = known.assign(drug=_catalogue_names(known["drug_name"])).dropna(subset=["drug"])
    return first_courses(known)


def first_courses(courses: pd.DataFrame) -> pd.DataFrame:
    """Keep one course a patient and drug; see `read_drug_response`.

    Parameters
    ----------
    courses
        Columns ``patient``, ``cohort``, ``drug``, ``responder`` (1 or 0), ``start_day``.
    """
    pair = ["patient", "drug"]
    ordered = courses.sort_values([*pair, "start_day", "responder"], na_position="last")
    counted = ordered.assign(
        n_courses=ordered.groupby(pair)["responder"].transform("size"),
        responder=ordered["responder"] == 1,
    )
    return counted.drop_duplicates(pair)[COLUMNS].reset_index(drop=True)


def _catalogue_names(names: pd.Series[str]) -> pd.Series[str]:
    """Return the catalogue's name of each drug, missing where it has none."""
    known = {}
    for name in names.dropna().unique():
        try:
            known[name] = find_drug(str(name)).name
        except UnknownDrugError:
            continue
    return names.map(known)
