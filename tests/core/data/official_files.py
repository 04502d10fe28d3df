"""Synthetic files in the official formats, and a table of data sets that a local host serves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resvae_core.data.drugs import Drug
from resvae_core.data.sources import load_data_sets
from tests.core.data.local_host import Host

TEXTS = {
    "title": "Synthetic",
    "content": "Nothing in it was measured.",
    "release": "release 1",
    "licence": "free",
    "licence_url": "https://example.org/licence",
    "citation": "nobody",
    "homepage": "https://example.org",
}


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a table of data sets; texts that a row lacks are filled."""
    path.write_text(json.dumps([TEXTS | row for row in rows]), encoding="utf-8")
    return path


def file_row(host: Host, path: str, content: bytes, **more: Any) -> dict[str, Any]:
    """Serve a file and return its row of a data set."""
    name = "/" + path.rpartition("/")[2]
    host.files[name] = content
    return {"path": path, "url": host.url + name, "form": "csv", **more}


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def official_rows(host: Host, folder: Path) -> list[dict[str, Any]]:
    """Return the rows of the real table with addresses of a local host, for files of a folder.

    Digests and sizes are those of the synthetic files.
    """
    kept = []
    for row in (asdict(one) for one in load_data_sets().values()):
        files = [file for file in row["files"] if (folder / file["path"]).is_file()]
        for file in files:
            content = (folder / file["path"]).read_bytes()
            name = f"/{file['path']}"
            host.files[name] = content
            file["url"] = host.url + name
            if file["md5"]:
                file |= {"size": len(content), "md5": md5(content)}
        if files:
            kept.append(row | {"files": files})
    return kept


def write_official_release(folder: Path, drugs: list[Drug], n_lines: int, genes: list[str]) -> None:
    """Write GDSC1, GDSC2 and DepMap files: lines respond to the first gene and their tissue."""
    rng = np.random.default_rng(3)
    for name in ("gdsc", "depmap"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ids = [f"ACH-{number:06d}" for number in range(1, n_lines + 1)]
    cosmic = np.arange(1, n_lines + 1) + 900_000
    # two tissues large enough to be a reference of the range check, and four smaller ones
    common = ["LUAD", "BRCA"]
    tissue = np.resize([*common, "SKCM", *common, "COREAD", *common, "GBM", *common, "OV"], n_lines)
    values = np.abs(rng.normal(4, 1.5, (n_lines, len(genes)))).round(4)
    columns = [f"{gene} ({number})" for number, gene in enumerate(genes, 1)]
    columns[:2] = ["TP53 (7157)", "EGFR (1956)"]
    pd.DataFrame(values, ids, columns).to_csv(
        folder / "depmap/OmicsExpressionProteinCodingGenesTPMLogp1.csv"
    )
    pd.DataFrame(
        {
            "ModelID": ids,
            "CellLineName": ids,
            "COSMICID": cosmic.astype(float),
            "OncotreeLineage": np.char.capitalize(tissue.astype(str)),
        }
    ).to_csv(folder / "depmap/Model.csv", index=False)
    for screen in ("GDSC1", "GDSC2"):
        _response(rng, [drug for drug in drugs if drug.screen == screen], cosmic, tissue, values)[
            RESPONSE_COLUMNS
        ].assign(DATASET=screen).to_excel(
            folder / f"gdsc/{screen}_fitted_dose_response_27Oct23.xlsx", index=False
        )


RESPONSE_COLUMNS = [
    *("COSMIC_ID", "CELL_LINE_NAME", "TCGA_DESC", "DRUG_ID", "DRUG_NAME", "MAX_CONC", "LN_IC50"),
    *("AUC", "Z_SCORE"),
]


def _response(
    rng: np.random.Generator,
    drugs: list[Drug],
    cosmic: np.ndarray[Any, Any],
    tissue: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
) -> pd.DataFrame:
    parts = [pd.DataFrame(columns=RESPONSE_COLUMNS)]
    for number, drug in enumerate(drugs):
        effect = values[:, number % values.shape[1]] - 3.4 + rng.normal(0, 0.3, len(cosmic))
        parts.append(
            pd.DataFrame(
                {
                    "COSMIC_ID": cosmic,
                    "CELL_LINE_NAME": [f"L{one}" for one in cosmic],
                    "TCGA_DESC": tissue,
                    "DRUG_ID": drug.drug_id,
                    "DRUG_NAME": drug.name,
                    "MAX_CONC": 10.0,
                    "LN_IC50": (drug.threshold_ln_ic50 + 0.8 * effect).round(5),
                    "AUC": 0.5,
                    "Z_SCORE": 0.0,
                }
            )
        )
    kept = parts[1:] or parts
    return pd.concat(kept, ignore_index=True)


def xena_matrix(patients: list[str], genes: list[str]) -> bytes:
    """Return a matrix as on Xena's GDC hub: genes × samples, log2(TPM + 1), gzip."""
    rng = np.random.default_rng(1)
    samples = [f"{patient}-01A" for patient in patients]
    table = pd.DataFrame(rng.uniform(0, 8, (len(genes), len(samples))).round(4), genes, samples)
    text = table.rename_axis("Ensembl_ID").to_csv(sep="\t")
    return gzip.compress(text.encode(), mtime=0)


def sheet(table: pd.DataFrame) -> bytes:
    """Return an Excel file."""
    stream = io.BytesIO()
    table.to_excel(stream, index=False)
    return stream.getvalue()
