"""Patient cohorts: expression with the clinical record, where they are installed.

Patients are never shipped: a cohort is real where its files are installed, and the one that comes
with the project (``DEMO``) is synthetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from resvae_core.config import ASSETS
from resvae_core.data import gdc, xena
from resvae_core.data.cancer_types import (
    CancerType,
    ExpressionForm,
    find_cancer_type,
    load_cancer_types,
)
from resvae_core.data.receipts import (
    ALTERED_FILE,
    FETCHED,
    finish_installations,
    require_intact,
)
from resvae_core.data.symbols import average_by_symbol, current_symbols
from resvae_core.errors import ExpressionUnitsError, InputDataError, SurvivalDataError
from resvae_core.tables import Expression, SurvivalOutcome

__all__ = [
    "CancerType",
    "CohortData",
    "Endpoint",
    "ExpressionForm",
    "find_cancer_type",
    "installation_stamp",
    "level_cohorts",
    "level_files",
    "list_cohorts",
    "list_forms",
    "load_cancer_types",
    "load_cohort",
]

Endpoint = Literal["OS", "DSS", "PFI", "DFI"]

# in the order of preference: genome-wide first, then the form with more patients
FORM_FILES: dict[ExpressionForm, str] = {
    "log2tpm": "tcga/{code}_expression.parquet",
    "zscore": "tcga/{code}_expression_zscore.parquet",
    "log2tpm_subset": "tcga/{code}_expression_log2tpm_1577.parquet",
}
XENA_FILES = ("tcga/TCGA-{code}.star_tpm.tsv*", "tcga/TCGA-{code}.star_fpkm.tsv*")
GDC_SHEET = "tcga/TCGA-{code}/gdc_sample_sheet*.tsv"
CLINICAL_FILE = "tcga/clinical.parquet"
XENA_CLINICAL = (
    "tcga/Survival_SupplementalTable_S1_20171025_xena_sp*",
    "tcga/TCGA-{code}.survival.tsv*",
)
ENDPOINTS: dict[Endpoint, str] = {
    "OS": "overall survival",
    "DSS": "disease-specific survival",
    "PFI": "progression-free interval",
    "DFI": "disease-free interval",
}
DEMO = "DEMO"
DEMO_FOLDER = ASSETS / "demo"
SYNTHETIC_NOTE = "Synthetic patients drawn from a generative model: no real person, no finding."
ZSCORE_NOTE = (
    "Expression as z-scores within this study: fit to compare its patients gene by gene, never to "
    "be read by a model."
)
SUBSET_NOTE = "log2(TPM + 1) of about 1,600 genes: too few of the genes that the models read."


@dataclass(frozen=True)
class CohortData:
    """Patients of one cohort: expression and clinical record.

    Parameters
    ----------
    code, name
        As in :class:`CancerType`; ``DEMO`` for the shipped synthetic cohort.
    expression_form
        What `values` are.
    values
        (n_patients, n_genes) expression. Index: patients. Columns: current gene symbols.
    clinical
        The same patients in the same order; columns ``os_time_days`` (days), ``os_event`` (1
        event, 0 censored), and so on for DSS, PFI, DFI, then age, sex, stage … as installed.
    synthetic
        True if no real patient is in it.
    note
        What to say beside every figure of it; "" for nothing.
    """

    code: str
    name: str
    expression_form: ExpressionForm
    values: pd.DataFrame
    clinical: pd.DataFrame
    synthetic: bool
    note: str

    @property
    def expression(self) -> Expression:
        """Expression in log2(TPM + 1).

        Raises
        ------
        ExpressionUnitsError
            If the cohort has z-scores, which no model may read.
        """
        if self.expression_form == "zscore":
            raise ExpressionUnitsError(
                f"Cohort {self.code} has within-study z-scores, not log2(TPM + 1).",
                remedy="Use it gene by gene, or install a log2(TPM + 1) matrix of the cohort.",
            )
        return Expression(self.values)

    def outcome(self, endpoint: Endpoint = "OS") -> SurvivalOutcome:
        """Return time and event of the patients who can be followed.

        Parameters
        ----------
        endpoint
            ``OS``, ``DSS``, ``PFI`` or ``DFI``.

        Returns
        -------
        SurvivalOutcome
            Without the patients of :meth:`exclusions`.

        Raises
        ------
        SurvivalDataError
            If the cohort has no such endpoint, or nobody can be followed for it.
        """
        reasons = self._reasons(endpoint)
        followed = self.clinical[reasons == ""]
        if followed.empty:
            raise SurvivalDataError(
                f"No patient of cohort {self.code} has a time and a status for {endpoint}.",
                remedy="Choose another endpoint or cohort.",
            )
        key = endpoint.lower()
        times = followed[f"{key}_time_days"].astype(float)
        return SurvivalOutcome(times, followed[f"{key}_event"] == 1, endpoint)

    def exclusions(self, endpoint: Endpoint = "OS") -> dict[str, int]:
        """Return how many patients :meth:`outcome` leaves out, by reason."""
        reasons = self._reasons(endpoint)
        return {str(reason): int(n) for reason, n in reasons[reasons != ""].value_counts().items()}

    def _reasons(self, endpoint: Endpoint) -> pd.Series[str]:
        """Say for each patient why it is left out; "" if it is not."""
        time, event = f"{endpoint.lower()}_time_days", f"{endpoint.lower()}_event"
        if time not in self.clinical or event not in self.clinical:
            raise SurvivalDataError(
                f"Cohort {self.code} has no endpoint {endpoint!r}; known are "
                f"{', '.join(ENDPOINTS)}.",
                remedy="Choose an endpoint that the clinical table has.",
            )
        reasons = pd.Series("", index=self.clinical.index)
        # a patient never seen after day 0 was never at risk in any interval
        reasons[self.clinical[time] == 0] = "no follow-up after day 0"
        reasons[self.clinical[time] < 0] = "negative time"
        reasons[self.clinical[event].isna()] = "no event status"
        reasons[self.clinical[time].isna()] = "no follow-up time"
        if "Redaction" in self.clinical:
            reasons[self.clinical["Redaction"].notna()] = "record withdrawn"
        return reasons


def list_cohorts(folder: Path | None) -> list[str]:
    """Return the codes of cohorts that can be loaded; the synthetic ``DEMO`` always comes first."""
    if folder is None:
        return [DEMO]
    installed = [
        code
        for code in load_cancer_types()
        if _readers(folder, code) and _clinical_source(folder, code) is not None
    ]
    return [DEMO, *installed]


def list_forms(folder: Path, code: str) -> list[ExpressionForm]:
    """Return the forms in which expression of a cohort is installed, the preferred one first."""
    return list(_readers(folder, code))


def level_cohorts(folder: Path | None) -> list[str]:
    """Return the codes of the real cohorts that are installed genome-wide in log2(TPM + 1).

    What the catalogue says of forms (`CancerType.expression_form`) holds for the development data
    alone; here what is installed counts.
    """
    if folder is None:
        return []
    real = [code for code in list_cohorts(folder) if code != DEMO]
    return [code for code in real if "log2tpm" in list_forms(folder, code)]


def level_files(folder: Path, code: str) -> dict[str, int]:
    """Return what a cohort's genome-wide log2(TPM + 1) is read from.

    Returns
    -------
    dict[str, int]
        Path in the data folder to bytes; of files of the GDC, their sample sheets.
    """
    patterns = (FORM_FILES["log2tpm"], *XENA_FILES, GDC_SHEET)
    found = [path for one in patterns for path in sorted(folder.glob(one.format(code=code)))]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}


def installation_stamp(folder: Path | None) -> str:
    """Return a text that changes when files of a cohort are replaced: their sizes and times.

    Reading and hashing the files themselves would take seconds; whoever replaces a file by one of
    the same size and time is not seen until the data set is verified, which changes it too.
    """
    if folder is None:
        return ""
    paths = [*(folder / "tcga").glob("*"), *(folder / FETCHED).glob(f"*/{ALTERED_FILE}")]
    facts = [
        (path.relative_to(folder).as_posix(), (found := path.stat()).st_size, found.st_mtime_ns)
        for path in sorted(paths)
    ]
    return hashlib.sha256(repr((str(folder), facts)).encode()).hexdigest()


def load_cohort(
    folder: Path | None, code: str, *, form: ExpressionForm | None = None
) -> CohortData:
    """Load the patients of a cohort.

    Parameters
    ----------
    folder
        Folder of installed data; None for the synthetic cohort alone.
    code
        A TCGA code or name, or ``DEMO``.
    form
        Which form of expression, where several are installed; by default the first of
        ``log2tpm``, ``zscore`` and ``log2tpm_subset``.

    Returns
    -------
    CohortData
        Patients that have both expression and a clinical record, in the order of the expression.

    Raises
    ------
    UnknownCohortError
        If there is no such cancer type.
    InputDataError
        If the cohort, or the form, is not installed.
    ArtifactError
        If a file that was fetched is not what it was.
    """
    if code.upper() == DEMO:
        return _load_demo()
    kind = find_cancer_type(code)
    if folder is not None:
        finish_installations(folder)
    readers = {} if folder is None else _readers(folder, kind.code)
    chosen = form or next(iter(readers), None)
    clinical = None if folder is None else _clinical_source(folder, kind.code)
    if chosen not in readers or clinical is None:
        raise _not_installed(kind.code, form, list(readers))
    values, record = readers[chosen](), clinical()
    patients = [name for name in values.index if name in record.index]
    notes = {"zscore": ZSCORE_NOTE, "log2tpm_subset": SUBSET_NOTE}
    return CohortData(
        code=kind.code,
        name=kind.name,
        expression_form=chosen,
        values=values.loc[patients],
        clinical=record.loc[patients],
        synthetic=False,
        note=" ".join(part for part in (notes.get(chosen, ""), kind.note) if part),
    )


def _readers(folder: Path, code: str) -> dict[ExpressionForm, Callable[[], pd.DataFrame]]:
    """Map each installed form of expression to a function that reads it."""
    readers: dict[ExpressionForm, Callable[[], pd.DataFrame]] = {}
    official = _official_reader(folder, code)
    if official is not None:
        readers["log2tpm"] = official
    for form, pattern in FORM_FILES.items():
        path = folder / pattern.format(code=code)
        if path.is_file():
            readers[form] = partial(_read_developed, path, form)
    return dict(sorted(readers.items(), key=lambda item: list(FORM_FILES).index(item[0])))


def _official_reader(folder: Path, code: str) -> Callable[[], pd.DataFrame] | None:
    """Find a Xena matrix or GDC files of the cohort."""
    for pattern in XENA_FILES:
        for path in sorted(folder.glob(pattern.format(code=code)))[:1]:
            return partial(_read_xena, folder, path)
    for sheet in sorted(folder.glob(GDC_SHEET.format(code=code)))[-1:]:
        return partial(_read_gdc, sheet)
    return None


def _read_developed(path: Path, form: ExpressionForm) -> pd.DataFrame:
    values = pd.read_parquet(path)
    return average_by_symbol(values) if form == "zscore" else current_symbols(values)


def _read_xena(folder: Path, path: Path) -> pd.DataFrame:
    require_intact(folder, [path])
    return xena.read_expression(path).expression.values


def _read_gdc(sheet: Path) -> pd.DataFrame:
    return gdc.read_star_counts(gdc.find_star_counts(sheet.parent, sheet)).values


def _clinical_source(folder: Path, code: str) -> Callable[[], pd.DataFrame] | None:
    """Find the clinical table of the cohort."""
    path = folder / CLINICAL_FILE
    if path.is_file():
        return partial(_read_clinical, path, code)
    for pattern in XENA_CLINICAL:
        for table in sorted(folder.glob(pattern.format(code=code)))[:1]:
            return partial(_read_survival, folder, table)
    return None


def _read_survival(folder: Path, path: Path) -> pd.DataFrame:
    require_intact(folder, [path])
    return xena.read_survival(path)


def _read_clinical(path: Path, code: str) -> pd.DataFrame:
    return pd.read_parquet(path, filters=[("cohort", "==", code)]).set_index("patient")


def _load_demo() -> CohortData:
    """Load the shipped synthetic cohort."""
    names = ("cohort_expression.parquet", "cohort_clinical.csv")
    missing = [name for name in names if not (DEMO_FOLDER / name).is_file()]
    if missing:
        raise InputDataError(
            f"The synthetic cohort lacks assets/demo/{' and '.join(missing)}.",
            remedy="Restore it from the repository.",
        )
    expression = pd.read_parquet(DEMO_FOLDER / names[0])
    record = pd.read_csv(DEMO_FOLDER / names[1], index_col=0).loc[expression.index]
    name = "Demonstration cohort (synthetic)"
    return CohortData(DEMO, name, "log2tpm", expression, record, True, SYNTHETIC_NOTE)


def _not_installed(
    code: str, form: ExpressionForm | None, installed: list[ExpressionForm]
) -> InputDataError:
    wanted = f"Cohort {code}" if form is None else f"Cohort {code} as {form}"
    there = f"installed as {', '.join(installed)}" if installed else "none of its forms is there"
    return InputDataError(
        f"{wanted} is not installed ({there}).",
        remedy=f"Run `python -m resvae_core data fetch tcga-{code.lower()}`, set RESVAE_DATA to a "
        f"folder that has it, or use the synthetic cohort {DEMO}.",
    )
