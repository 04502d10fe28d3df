"""Build ``assets/catalog/cohorts.csv``: the TCGA cancer types and what there is for each.

Run it from the project root on the development data::

    python scripts/build_cohort_catalog.py [DATA_FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from resvae_core.config import CATALOG, data_folder
from resvae_core.data.cohorts import FORM_FILES
from resvae_core.data.screens import read_lines

# TCGA study abbreviations and names, as the Genomic Data Commons lists them
NAMES = {
    "ACC": "Adrenocortical carcinoma",
    "BLCA": "Bladder urothelial carcinoma",
    "BRCA": "Breast invasive carcinoma",
    "CESC": "Cervical squamous cell carcinoma and endocervical adenocarcinoma",
    "CHOL": "Cholangiocarcinoma",
    "COAD": "Colon adenocarcinoma",
    "DLBC": "Diffuse large B-cell lymphoma",
    "ESCA": "Esophageal carcinoma",
    "GBM": "Glioblastoma multiforme",
    "HNSC": "Head and neck squamous cell carcinoma",
    "KICH": "Kidney chromophobe",
    "KIRC": "Kidney renal clear cell carcinoma",
    "KIRP": "Kidney renal papillary cell carcinoma",
    "LAML": "Acute myeloid leukemia",
    "LGG": "Brain lower grade glioma",
    "LIHC": "Liver hepatocellular carcinoma",
    "LUAD": "Lung adenocarcinoma",
    "LUSC": "Lung squamous cell carcinoma",
    "MESO": "Mesothelioma",
    "OV": "Ovarian serous cystadenocarcinoma",
    "PAAD": "Pancreatic adenocarcinoma",
    "PCPG": "Pheochromocytoma and paraganglioma",
    "PRAD": "Prostate adenocarcinoma",
    "READ": "Rectum adenocarcinoma",
    "SARC": "Sarcoma",
    "SKCM": "Skin cutaneous melanoma",
    "STAD": "Stomach adenocarcinoma",
    "TGCT": "Testicular germ cell tumors",
    "THCA": "Thyroid carcinoma",
    "THYM": "Thymoma",
    "UCEC": "Uterine corpus endometrial carcinoma",
    "UCS": "Uterine carcinosarcoma",
    "UVM": "Uveal melanoma",
}
# colon and rectum share one label among the lines
SHARED_LABELS = {"COAD": "COREAD", "READ": "COREAD"}
FEW_LINES = 10
NOTES = {
    "GBM": "Most patients lack RNA-seq: expression covers about a quarter of the clinical records.",
    "READ": (
        "Expression comes from another gene model and quantifier (RSEM, hg19): standardise within "
        "the cohort before comparing it with others."
    ),
    "SKCM": "Most TCGA samples are metastases; survival starts at the diagnosis of the primary.",
}


def main() -> None:
    """Read the data, build the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=data_folder())
    table = build(parser.parse_args().data)
    table.to_csv(CATALOG / "cohorts.csv", index=False, lineterminator="\n")
    print(table[["code", "gdsc_tissue", "n_lines", "expression_form"]].to_string(index=False))


def build(folder: Path) -> pd.DataFrame:
    """Return one row a cancer type, in the columns of ``assets/catalog/cohorts.md``."""
    patients = pd.read_parquet(folder / "tcga/clinical.parquet", columns=["cohort"])["cohort"]
    lines = read_lines(folder)["tissue"].value_counts().to_dict()
    counts = patients.value_counts().to_dict()
    return pd.DataFrame([_row(folder, code, counts[code], lines) for code in NAMES])


def _row(folder: Path, code: str, n_patients: int, lines: dict[str, int]) -> dict[str, object]:
    label = SHARED_LABELS.get(code, code)
    n_lines = lines.get(label, 0)
    shapes = _shapes(folder, code)
    first = next(iter(shapes), "none")
    n_expression, n_genes = shapes.get(first, (0, 0))
    return {
        "code": code,
        "name": NAMES[code],
        "gdsc_tissue": label if n_lines else "",
        "n_lines": n_lines,
        "n_patients": n_patients,
        "expression_form": first,
        "other_forms": "; ".join(list(shapes)[1:]),
        "n_expression": n_expression,
        "n_genes": n_genes,
        "note": " ".join(part for part in (_line_note(n_lines), NOTES.get(code, "")) if part),
    }


def _shapes(folder: Path, code: str) -> dict[str, tuple[int, int]]:
    """Give patients and genes of each form of expression, in the order of preference."""
    shapes = {}
    for form, pattern in FORM_FILES.items():
        path = folder / pattern.format(code=code)
        if path.is_file():
            metadata = pq.read_metadata(path)
            # one column of the file is the index
            shapes[form] = (metadata.num_rows, metadata.num_columns - 1)
    return shapes


def _line_note(n_lines: int) -> str:
    if n_lines == 0:
        return "No training line carries this label: predictions rest on other tissues."
    if n_lines < FEW_LINES:
        noun = "line carries" if n_lines == 1 else "lines carry"
        return f"Only {n_lines} training {noun} this label."
    return ""


if __name__ == "__main__":
    main()
