"""A report as a zip of tables, each opening with what it is traced by."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from resvae_core.config import RESEARCH_USE
from resvae_core.reporting.document import write_json
from resvae_core.reporting.report import (
    DrugRow,
    GeneRow,
    Metric,
    ModelRow,
    ModelVersion,
    PathwayRow,
    Report,
    SharedGene,
)
from resvae_core.reporting.wording import (
    NO_CALL,
    SYNTHETIC,
    cancer,
    reasons,
    type_check,
    was_read,
    would_help,
)
from resvae_core.spreadsheets import as_text, comment

README = """\
ResVAE export of {date}

{notice}.

{synthetic}Sample: {sample}
Cancer type: {cancer}
Drug: {drug}; model: {model}
{type_check}Range verdict: {verdict}. {reasons}

Probability = P(resistant), 0 to 1: higher is more resistant. Intervals are 90 %. Attributions are
log-odds of resistance: positive argues for resistant. An empty cell is not known, never 0.

Files
-----
{files}
Lines that start with "#" say where a table comes from.
"""
ABOUT = {
    "models.csv": "what each model says of the drug",
    "drugs.csv": "all drugs by the chosen model, most sensitive first",
    "genes.csv": "genes with the largest part in the chosen model's score",
    "shared-genes.csv": "genes that at least three of the five models name",
    "pathways.csv": "the same attributions, added up by pathway",
    "validation.csv": "the chosen model on cell lines left out of training",
    "model-versions.csv": "the models of the set, with the digests of their weights",
    "report.json": "the whole report for programs",
}


def write_bundle(report: Report) -> bytes:
    """Return a report as a zip of CSV files, ``report.json`` and ``README.txt``.

    A table that the report does not hold has a header and no rows. The same report gives the same
    bytes.
    """
    files = {name: _csv(report, *table) for name, table in _tables(report).items()}
    files["report.json"] = write_json(report)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"README.txt": _readme(report), **files}.items():
            archive.writestr(_entry(name, report.date), content)
    return packed.getvalue()


def provenance_lines(report: Report) -> list[str]:
    """Return the lines that stand above every table."""
    origin = report.provenance
    return [
        RESEARCH_USE,
        *([SYNTHETIC] if report.synthetic else []),
        f"Sample: {report.sample}; cancer type: {report.cancer_type or 'not stated'}; drug: "
        f"{report.drug}; model: {report.model}",
        *filter(None, [type_check(report)]),
        f"Range verdict: {report.verdict.word}",
        f"Models: {origin.model_set}, SHA-256 {origin.set_digest}",
        f"File: SHA-256 {origin.file_digest}",
        f"Date: {report.date}",
    ]


def _tables(report: Report) -> dict[str, tuple[type, Sequence[Any]]]:
    """Return each file's kind of row, and its rows."""
    return {
        "models.csv": (ModelRow, report.models),
        "drugs.csv": (DrugRow, report.drugs),
        "genes.csv": (GeneRow, report.genes),
        "shared-genes.csv": (SharedGene, report.shared),
        "pathways.csv": (PathwayRow, report.pathways),
        "validation.csv": (Metric, report.provenance.metrics),
        "model-versions.csv": (ModelVersion, report.provenance.versions),
    }


def _csv(report: Report, kind: type, rows: Sequence[Any]) -> bytes:
    text = io.StringIO()
    text.writelines(map(comment, provenance_lines(report)))
    writer = csv.DictWriter(text, [field.name for field in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: as_text(cell) for name, cell in asdict(row).items()} for row in rows)
    return text.getvalue().encode()


def _readme(report: Report) -> bytes:
    verdict = report.verdict
    said = [reasons(report), was_read(report)]
    said += [] if verdict.assessable else [NO_CALL, would_help(report)]
    text = README.format(
        date=report.date,
        notice=RESEARCH_USE,
        synthetic=f"{SYNTHETIC}\n" if report.synthetic else "",
        sample=report.sample,
        cancer=cancer(report),
        drug=report.drug,
        model=report.model_title,
        type_check=f"{type_check(report)}\n" if type_check(report) else "",
        verdict=verdict.word,
        reasons=" ".join(filter(None, said)),
        files="".join(f"{name}: {about}\n" for name, about in ABOUT.items()),
    )
    return text.encode()


def _entry(name: str, date: str) -> zipfile.ZipInfo:
    """Return an entry that carries the report's date and nothing of the machine."""
    year, month, day = map(int, date.split("-"))
    entry = zipfile.ZipInfo(name, (max(year, 1980), month, day, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
