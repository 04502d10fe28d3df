"""Build ``assets/catalog/drugs.csv``: the drugs, their label thresholds and what to doubt.

Run it from the project root on the development data::

    python scripts/build_drug_catalog.py [DATA_FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from resvae_core.config import CATALOG, data_folder
from resvae_core.data.screens import read_lines

SENSITIVE_QUANTILE = 0.15
MIN_FRACTION_BELOW_TOP_DOSE = 0.10
MIN_RHO = 0.50
FEW_SENSITIVE_LINES = 20
MIN_RELEASE_R = 0.95
MAX_RELEASE_SHIFT = 0.25
RELEASE_82 = "GDSC2_r8.2"

ROUNDED = {
    "fraction_below_top_dose": 4,
    "rho_ln_ic50_auc": 4,
    "release_82_r": 4,
    "release_82_shift": 4,
}

# GDSC's own table has no target for teniposide and "CP11A" for dacarbazine, which is no target.
TARGET_CORRECTIONS = {
    "Dacarbazine": "DNA alkylating agent",
    "Teniposide": "TOP2",
}
# Torisel is temsirolimus; GDSC lists it under rapamycin too.
WRONG_SYNONYMS = {"Rapamycin": {"Torisel"}}
# Other names of the same compound that GDSC's list lacks (INN, brand or code name).
MORE_SYNONYMS = {
    "5-Fluorouracil": ("Fluorouracil", "Adrucil"),
    "5-azacytidine": ("Azacitidine", "Vidaza"),
    "AZD4547": ("Fexagratinib",),
    "Afatinib": ("BIBW-2992",),
    "Alisertib": ("MLN-8237",),
    "Bleomycin": ("Blenoxane",),
    "Buparlisib": ("BKM-120",),
    "Camptothecin": ("CPT",),
    "Cisplatin": ("CDDP",),
    "Cytarabine": ("Ara-C", "Cytosine arabinoside"),
    "Dacarbazine": ("DTIC-Dome",),
    "Entinostat": ("SNDX-275",),
    "Irinotecan": ("CPT-11",),
    "Luminespib": ("NVP-AUY-922",),
    "Methotrexate": ("MTX",),
    "Mitomycin-C": ("Mitomycin",),
    "Mitoxantrone": ("Novantrone",),
    "Nutlin-3a (-)": ("Nutlin-3a", "Nutlin 3"),
    "Olaparib": ("AZD-2281",),
    "PD0325901": ("Mirdametinib",),
    "Palbociclib": ("Ibrance",),
    "Ribociclib": ("Kisqali",),
    "Selumetinib": ("Koselugo",),
    "Temozolomide": ("TMZ",),
    "Topotecan": ("Hycamtin",),
    "Venetoclax": ("ABT199", "Venclexta"),
    "Vorinostat": ("MK0683",),
}


class Confidence(TypedDict):
    """Columns that say how far ln IC50 of a drug can be trusted."""

    low_confidence: str
    low_confidence_reason: str


def main() -> None:
    """Read the data, build the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=data_folder())
    folder: Path = parser.parse_args().data
    table = build(folder / "gdsc")
    table.to_csv(CATALOG / "drugs.csv", index=False, lineterminator="\n")
    print(f"{len(table)} drugs, {(table['low_confidence'] == 'yes').sum()} of low confidence")


def build(gdsc: Path) -> pd.DataFrame:
    """Return one row a drug, in the columns of ``assets/catalog/drugs.md``."""
    chosen = pd.read_csv(gdsc / "drugs_72.csv")
    names = pd.read_parquet(gdsc / "drugs.parquet").set_index("drug_id")["synonyms"]
    response = pd.read_parquet(gdsc / "response.parquet")
    lines = set(read_lines(gdsc.parent)["cosmic_id"])
    by_drug = dict(tuple(response.groupby("drug_id")))
    rows = [
        _row(drug, names.get(drug["drug_id"]), by_drug[drug["drug_id"]], lines)
        for _, drug in chosen.iterrows()
    ]
    # the thresholds keep every digit: a line may lie exactly on its percentile
    return pd.DataFrame(rows).round(ROUNDED)


def _row(
    drug: pd.Series, synonyms: str | None, response: pd.DataFrame, lines: set[int]
) -> dict[str, object]:
    screened = response[response["dataset"] == drug["dataset"]].set_index("cosmic_id")
    earlier = response[response["dataset"] == RELEASE_82].set_index("cosmic_id")["ln_ic50"]
    threshold, source = _threshold(drug, screened["ln_ic50"])
    agreement = _agreement(screened["ln_ic50"], earlier)
    filled = earlier[~earlier.index.isin(screened.index)] if agreement["uses_release_82"] else None
    own = _in_training(screened["ln_ic50"], lines)
    extra = _in_training(filled, lines) if filled is not None else own.iloc[:0]
    n_sensitive = int((own <= threshold).sum() + (extra <= threshold).sum())
    doses = _doses(screened)
    return {
        "name": drug["drug_name"],
        "synonyms": "; ".join(_synonyms(drug["drug_name"], synonyms)),
        "target": _target(drug),
        "pathway": drug["pathway"],
        "drug_class": drug["class"],
        "screen": drug["dataset"],
        "drug_id": drug["drug_id"],
        "threshold_ln_ic50": threshold,
        "threshold_source": source,
        **doses,
        "n_lines_screened": len(screened),
        "n_training_lines": len(own) + len(extra),
        "n_sensitive_lines": n_sensitive,
        "n_lines_from_release_82": len(extra),
        **agreement | {"uses_release_82": "yes" if agreement["uses_release_82"] else "no"},
        **_confidence(doses["fraction_below_top_dose"], doses["rho_ln_ic50_auc"]),
        "note": _note(n_sensitive, threshold, doses["top_dose_um"]),
    }


def _threshold(drug: pd.Series, ln_ic50: pd.Series) -> tuple[float, str]:
    """Give the threshold in ln(µM), and its source in words."""
    if drug["dataset"] == "GDSC1":
        return float(drug["s5c_threshold_ln_ic50"]), "Iorio et al. 2016, Table S5C"
    share = f"{SENSITIVE_QUANTILE:.0%}".rstrip("%")
    source = f"{share}th percentile of ln IC50 of the {len(ln_ic50)} lines screened in GDSC2"
    return float(np.quantile(ln_ic50, SENSITIVE_QUANTILE)), source


def _agreement(current: pd.Series, earlier: pd.Series) -> dict[str, float | bool]:
    """Compare two releases of one screen on the lines that both have."""
    both = pd.concat([current, earlier], axis=1, join="inner", keys=["current", "earlier"])
    if len(both) < 3:
        return {"release_82_r": np.nan, "release_82_shift": np.nan, "uses_release_82": False}
    r = float(both.corr().iloc[0, 1])
    shift = float((both["earlier"] - both["current"]).median())
    agrees = r >= MIN_RELEASE_R and abs(shift) <= MAX_RELEASE_SHIFT
    return {"release_82_r": r, "release_82_shift": shift, "uses_release_82": agrees}


def _in_training(values: pd.Series, lines: set[int]) -> pd.Series:
    return values[values.index.isin(lines)]


def _doses(screened: pd.DataFrame) -> dict[str, float]:
    """Describe the doses; the GDSC1 release does not state concentrations."""
    top = screened["max_conc"].max()
    below = (screened["ln_ic50"] < np.log(screened["max_conc"])).mean()
    return {
        "top_dose_um": float(top),
        "fraction_below_top_dose": float(below) if np.isfinite(top) else np.nan,
        "rho_ln_ic50_auc": float(screened["ln_ic50"].corr(screened["auc"], method="spearman")),
    }


def _confidence(below: float, rho: float) -> Confidence:
    reasons = []
    if below < MIN_FRACTION_BELOW_TOP_DOSE:
        reasons.append(
            f"only {below:.1%} of the lines have an IC50 below the top dose, "
            "so most values are extrapolated"
        )
    if rho < MIN_RHO:
        reasons.append(f"ln IC50 hardly follows the dose–response AUC (Spearman {rho:.2f})")
    return {
        "low_confidence": "yes" if reasons else "no",
        "low_confidence_reason": "; ".join(reasons),
    }


def _synonyms(name: str, listed: str | None) -> list[str]:
    """Merge GDSC's synonyms with ours, each once, without the name itself."""
    own = [part.strip() for part in listed.split(",")] if isinstance(listed, str) else []
    unique = dict.fromkeys([*own, *MORE_SYNONYMS.get(name, ())])
    left_out = {"", name, *WRONG_SYNONYMS.get(name, ())}
    return [synonym for synonym in unique if synonym not in left_out]


def _target(drug: pd.Series) -> str:
    if drug["drug_name"] in TARGET_CORRECTIONS:
        return TARGET_CORRECTIONS[drug["drug_name"]]
    return ", ".join(part.strip() for part in drug["target"].split(","))


def _note(n_sensitive: int, threshold: float, top_dose: float) -> str:
    notes = []
    if np.exp(threshold) > top_dose:
        notes.append("the threshold lies above the top dose, among extrapolated values")
    if n_sensitive < FEW_SENSITIVE_LINES:
        notes.append(f"only {n_sensitive} sensitive lines to learn from")
    return "; ".join(notes)


if __name__ == "__main__":
    main()
