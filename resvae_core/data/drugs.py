"""The catalogue of the drugs that models predict, with the rule behind each label.

The rows are in ``assets/catalog/drugs.csv``, built by ``scripts/build_drug_catalog.py`` and
described in ``assets/catalog/drugs.md``.
"""

from __future__ import annotations

import csv
import difflib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from resvae_core.config import CATALOG
from resvae_core.errors import CatalogError, UnknownDrugError

DrugClass = Literal["chemotherapy", "targeted"]
ScreenName = Literal["GDSC1", "GDSC2"]

DRUG_CLASSES: dict[str, DrugClass] = {"chemotherapy": "chemotherapy", "targeted": "targeted"}
SCREENS: dict[str, ScreenName] = {"GDSC1": "GDSC1", "GDSC2": "GDSC2"}


@dataclass(frozen=True)
class Drug:
    """One drug as it was screened: what it is, and when a line counts as sensitive to it.

    Parameters
    ----------
    name
        Name as in the GDSC screen; the key everywhere.
    synonyms
        Other names of the same compound (brand, code and generic names).
    target, pathway
        As annotated by GDSC; "" where GDSC has none.
    drug_class
        ``chemotherapy`` or ``targeted``.
    screen
        ``GDSC1`` or ``GDSC2``: where the training measurements come from.
    drug_id
        GDSC ``DRUG_ID`` within that screen.
    threshold_ln_ic50
        ln(µM). A line with ln IC50 at or below it is labelled sensitive, one above it resistant.
    threshold_source
        Where the threshold comes from, in words.
    top_dose_um
        Highest concentration screened, in µM; NaN for GDSC1, whose release does not state it.
    fraction_below_top_dose
        Share of screened lines whose IC50 lies below the top dose, 0 to 1; NaN for GDSC1.
    rho_ln_ic50_auc
        Spearman correlation of ln IC50 with the dose–response AUC over the screened lines.
    n_lines_screened, n_training_lines, n_sensitive_lines
        Lines measured in the screen; those of them in the training set; and the sensitive ones
        among the latter.
    n_lines_from_release_82
        Training lines whose value comes from the earlier release 8.2 of the same screen.
    release_82_r, release_82_shift
        Pearson correlation of the two releases, and the median of (8.2 minus current) in ln(µM),
        on lines that both have; NaN where fewer than three lines do.
    uses_release_82
        Whether the two releases agree well enough for 8.2 to fill lines that the current lacks.
    low_confidence
        True if ln IC50 hardly reflects a measured effect for this drug.
    low_confidence_reason
        Why, in words; "" where `low_confidence` is False.
    note
        Further caution (threshold above the top dose, few sensitive lines); "" for none.
    """

    name: str
    synonyms: tuple[str, ...]
    target: str
    pathway: str
    drug_class: DrugClass
    screen: ScreenName
    drug_id: int
    threshold_ln_ic50: float
    threshold_source: str
    top_dose_um: float
    fraction_below_top_dose: float
    rho_ln_ic50_auc: float
    n_lines_screened: int
    n_training_lines: int
    n_sensitive_lines: int
    n_lines_from_release_82: int
    release_82_r: float
    release_82_shift: float
    uses_release_82: bool
    low_confidence: bool
    low_confidence_reason: str
    note: str

    @property
    def threshold_um(self) -> float:
        """The threshold as a concentration, in µM."""
        return math.exp(self.threshold_ln_ic50)

    @property
    def threshold_above_top_dose(self) -> bool:
        """Whether the threshold lies above the highest dose screened (False where unknown)."""
        return self.threshold_um > self.top_dose_um


@lru_cache(maxsize=4)
def load_drugs(path: Path = CATALOG / "drugs.csv") -> dict[str, Drug]:
    """Load the drug catalogue.

    Parameters
    ----------
    path
        CSV with the columns of ``assets/catalog/drugs.md``.

    Returns
    -------
    dict[str, Drug]
        Name to drug, in the order of the file, which is the order of every drug axis. One shared
        object: do not change it.

    Raises
    ------
    CatalogError
        If the file is missing, lacks a column, or a value in it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            drugs = [_drug(row) for row in csv.DictReader(stream)]
    except (OSError, KeyError, ValueError) as error:
        raise CatalogError(
            f"The drug catalogue {path.name} cannot be read: {error!r}.",
            remedy="Restore it from the repository or run scripts/build_drug_catalog.py.",
        ) from error
    return {drug.name: drug for drug in drugs}


def find_drug(name: str) -> Drug:
    """Find a drug by its name or a synonym; case, spaces and hyphens do not matter.

    Parameters
    ----------
    name
        For example ``"gefitinib"``, ``"Iressa"`` or ``"5 fu"``.

    Raises
    ------
    UnknownDrugError
        If no drug has that name; the message lists the nearest ones.
    """
    found = _index().get(_key(name))
    if found is not None:
        return found
    raise UnknownDrugError(
        f"No drug named {name!r} is among the {len(load_drugs())} that the models know.",
        remedy=f"Did you mean {_nearest(name)}?",
    )


@lru_cache(maxsize=1)
def _index() -> dict[str, Drug]:
    """Map the keys of names and synonyms to drugs; a name wins over another drug's synonym."""
    drugs = load_drugs().values()
    index = {_key(synonym): drug for drug in drugs for synonym in drug.synonyms}
    return index | {_key(drug.name): drug for drug in drugs}


def _key(name: str) -> str:
    return re.sub(r"[\s\-_()]", "", name).casefold()


def _nearest(name: str) -> str:
    index = _index()
    keys = difflib.get_close_matches(_key(name), index, n=5, cutoff=0.0)
    return " or ".join(list(dict.fromkeys(index[key].name for key in keys))[:3])


def _drug(row: dict[str, str]) -> Drug:
    return Drug(
        name=row["name"],
        synonyms=tuple(row["synonyms"].split("; ")) if row["synonyms"] else (),
        target=row["target"],
        pathway=row["pathway"],
        drug_class=DRUG_CLASSES[row["drug_class"]],
        screen=SCREENS[row["screen"]],
        drug_id=int(row["drug_id"]),
        threshold_ln_ic50=float(row["threshold_ln_ic50"]),
        threshold_source=row["threshold_source"],
        top_dose_um=_number(row["top_dose_um"]),
        fraction_below_top_dose=_number(row["fraction_below_top_dose"]),
        rho_ln_ic50_auc=_number(row["rho_ln_ic50_auc"]),
        n_lines_screened=int(row["n_lines_screened"]),
        n_training_lines=int(row["n_training_lines"]),
        n_sensitive_lines=int(row["n_sensitive_lines"]),
        n_lines_from_release_82=int(row["n_lines_from_release_82"]),
        release_82_r=_number(row["release_82_r"]),
        release_82_shift=_number(row["release_82_shift"]),
        uses_release_82=row["uses_release_82"] == "yes",
        low_confidence=row["low_confidence"] == "yes",
        low_confidence_reason=row["low_confidence_reason"],
        note=row["note"],
    )


def _number(text: str) -> float:
    return float(text) if text else math.nan
