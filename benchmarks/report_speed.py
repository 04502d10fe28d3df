"""How long a report takes, from the sample to each file: ``python benchmarks/report_speed.py``.

Models are loaded and warm, as on a running dashboard; the sample and drug are new, so nothing of
theirs is cached. Writes ``benchmarks/report_speed.md``.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resvae_core.config import ASSETS, RESEARCH_USE
from resvae_core.data.uploads import read_expression
from resvae_core.explain.attribution import attribute_set
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.description import describe_model_set
from resvae_core.registry.store import list_cards, load_model_set
from resvae_core.reporting import (
    Installed,
    build_report,
    write_bundle,
    write_html,
    write_json,
    write_pdf,
)
from resvae_core.tables import Expression

OUT = Path(__file__).with_suffix(".md")
DRUGS = ("Cisplatin", "Erlotinib", "Gemcitabine")
SAMPLES = ("DEMO-1", "DEMO-2", "DEMO-3", "DEMO-4")
WRITERS: dict[str, Callable[..., str | bytes]] = {
    "PDF": write_pdf,
    "HTML": write_html,
    "tables (zip)": write_bundle,
    "JSON": write_json,
}
LIMIT_S = 5.0


def main() -> None:
    """Measure every step for each demo patient and drug, and write the table."""
    upload = read_expression(ASSETS / "demo/patients.csv.gz")
    models = load_model_set()
    installed = Installed(
        describe_model_set(),
        list_cards(),
        {kind: models.threshold(kind) for kind in models.learned},
    )
    measure(models, installed, upload, "DEMO-1", "Afatinib")  # compiles and caches
    runs = [
        measure(models, installed, upload, sample, drug) for sample in SAMPLES for drug in DRUGS
    ]
    text = written(runs)
    OUT.write_text(text, encoding="utf-8")
    print(text)


def measure(
    models: ModelSet, installed: Installed, upload: Any, sample: str, drug: str
) -> dict[str, float]:
    """Return the seconds of each step for one sample and drug."""
    seconds: dict[str, float] = {}

    def timed(step: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        seconds[step] = time.perf_counter() - start
        return result

    expression: Expression = upload.expression.select([sample])
    forecast = timed("forecast", lambda: models.predict(expression, cancer_type="LUAD"))
    attributions = timed(
        "explanation of all models",
        lambda: attribute_set(models, models.samples(expression), drug),
    )
    report = timed(
        "report",
        lambda: build_report(
            forecast,
            sample=sample,
            drug=drug,
            model="ensemble",
            installed=installed,
            qc=upload.qc,
            date="2026-11-21",
            attributions=attributions,
            synthetic=True,
        ),
    )
    for name, write in WRITERS.items():
        timed(name, lambda write=write: write(report))
    seconds["all together"] = sum(seconds.values())
    return seconds


def written(runs: list[dict[str, float]]) -> str:
    """Return the figures as Markdown."""
    rows = [
        f"| {step} | {statistics.median(run[step] for run in runs):.2f} "
        f"| {max(run[step] for run in runs):.2f} |"
        for step in runs[0]
    ]
    slowest = max(run["all together"] for run in runs)
    verdict = "kept" if slowest < LIMIT_S else "MISSED"
    return "\n".join(
        [
            "# How long a report takes",
            "",
            f"`python benchmarks/report_speed.py`, {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, load average {os.getloadavg()[0]:.0f} (what else "
            f"ran at the time). {len(runs)} reports: {len(SAMPLES)} synthetic "
            f"patients, {len(DRUGS)} drugs each; models loaded and warm, nothing of the sample "
            "cached.",
            "",
            "| step | median, s | longest, s |",
            "|---|---|---|",
            *rows,
            "",
            f"A report of one drug is to take less than {LIMIT_S:g} s: {verdict} (longest "
            f"{slowest:.2f} s). Without genes and pathways, which can be switched off, the "
            "explanation is not computed.",
            "",
            f"{RESEARCH_USE}.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
