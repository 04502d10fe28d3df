"""Model cards: what a model is for, what it learned from, how good it is, and its limits.

Sections follow TRIPOD+AI and the Model Facts label: what it must not be used for comes before
what it is used for.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from resvae_core import __version__
from resvae_core.config import RESEARCH_USE
from resvae_core.data.inventory import load_manifest
from resvae_core.data.screens import TrainingSet
from resvae_core.models.base import ResponseModel
from resvae_core.models.catalog import title_of
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.floors import DrugTissueMean
from resvae_core.models.resvae import ResVAE

SCHEMA_VERSION = 1

NOT_FOR = (
    "Diagnosis, or choosing, starting, changing or stopping a treatment.",
    "Samples that the range check calls out of range; single-cell profiles; normal tissue.",
    "Comparing probabilities between drugs as if they were chances of a patient's response: they "
    "are calibrated on cell lines, whose drug response is not that of a tumour in a patient.",
)
PURPOSE = (
    "Research: ranking drugs and exploring hypotheses about resistance from bulk RNA-seq of a "
    "tumour, by models trained on cell lines."
)
LIMITS = (
    "Trained on cancer cell lines, not on patients. No probability here was validated against the "
    "response of a patient.",
    "Reads a panel of cancer genes, not the genome. More than 5 % of them missing lower the range "
    "verdict.",
    "Tumours are standardised with frozen moments of reference tumours of few cancer types; for "
    "others the level of the probability is less certain than their order.",
    "'Sensitive' is a label on ln IC50: for GDSC2 drugs, the lowest 15 % of all lines screened. "
    "About 85 of 100 lines are therefore resistant to any drug before anything is known.",
    "A cell line of the training set that is uploaded looks better predicted than a new one.",
    "Settings were chosen by dozens of trials on one of the three fold splits of the same lines "
    "(benchmarks/experiments.md), so the figures may be slightly favourable. The default model is "
    "the best within tissue by a small margin.",
    "Of the training lines, 143 have expression restored from z-scores (r 0.9999 on shared lines).",
    "Drugs whose ln IC50 is mostly extrapolated beyond the top dose are marked as low confidence.",
)
SEEN_BY_THE_ENCODER = (
    "The expression encoder behind it was pretrained on expression of all cell lines, those of the "
    "test folds too, never on a response: the figures on cell lines are favourable by what "
    "benchmarks/encoder_leak.md says."
)
MISSING_GENES = {
    "genes": "read as the mean of the reference",
    "ranks": "left out of the sample's ranks",
    "embedding": "left out of the encoder's sum over genes",
}
INTERVAL = (
    "90 % confidence interval of the probability, for having seen a limited sample of cell lines "
    "(delete-a-group jackknife and standard error of the calibration curve). It says nothing of "
    "what else decides a patient's response."
)
LIBRARIES = ("numpy", "pandas", "scikit-learn", "torch", "xgboost", "xgboost-cpu", "safetensors")


@dataclass(frozen=True)
class Card:
    """A model's card, as it stands in ``card.json``.

    Parameters
    ----------
    document
        JSON-ready sections; see `write_card` for their names.
    """

    document: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Kind and the first digits of the weights' digest; "" before the model is saved."""
        return str(self.document.get("id", ""))

    @property
    def kind(self) -> str:
        """Kind of model, for example ``xgboost``."""
        return str(self.document["kind"])

    @property
    def title(self) -> str:
        """Name for people."""
        return str(self.document["title"])

    def metrics(self, split: str = "leave_cell_line_out") -> pd.DataFrame:
        """Return metric, mean, lower, upper, floor, p_value of a split; empty if not judged."""
        rows = self.document["metrics"].get(split, [])
        return pd.DataFrame(rows, columns=["metric", "mean", "lower", "upper", "floor", "p_value"])


def write_card(
    model: ResponseModel,
    training_set: TrainingSet,
    evaluation: Mapping[str, pd.DataFrame],
    *,
    created: str,
    references: Mapping[str, str],
) -> Card:
    """Write a model's card from what trained and judged it.

    Parameters
    ----------
    model
        Fitted.
    training_set
        What it was fitted on.
    evaluation
        As `evaluation.summary.evaluation_tables` gives it: ``summary``, which may be empty, and
        ``ablations`` where there were any.
    created
        ISO date.
    references
        Reference name to a sentence that says what it is made of.
    """
    screen = training_set.screen
    labels = screen.resistant
    return Card(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": model.kind,
            "title": model.title,
            "is_floor": model.is_floor,
            "created": created,
            "notice": RESEARCH_USE,
            "not_for": list(NOT_FOR),
            "purpose": PURPOSE,
            "inputs": _inputs(model),
            "output": {
                "probability": "P(resistant), 0 to 1, higher = more resistant",
                "interval": INTERVAL,
                "threshold": model.threshold_,
                "threshold_source": "highest mean Matthews correlation on held-out training lines",
                "label": "ln IC50 above the drug's threshold in assets/catalog/drugs.csv",
            },
            "training": {
                "n_lines": len(screen.lines),
                "n_drugs": len(screen.drugs),
                "n_pairs": int(labels.notna().sum().sum()),
                "share_resistant": round(float(labels.stack().mean()), 4),
                "sources": training_set.describe_sources(),
                "references": dict(references),
                "data_digests": dict(training_set.digests),
                "licences": _terms(training_set),
            },
            "configuration": model.configuration(),
            "seed": model.configuration().get("seed"),
            "metrics": _metrics(evaluation["summary"], model.kind),
            "ablations": _ablations(evaluation.get("ablations"), model.kind),
            "limits": [*LIMITS, *([SEEN_BY_THE_ENCODER] if _rests_on_encoder(model) else [])],
            "versions": library_versions(),
            "genes": list(model.genes_),
            "drugs": list(model.drugs_),
        }
    )


def _terms(training_set: TrainingSet) -> dict[str, str]:
    """Return the terms of each source that the training read, by its name."""
    manifest = load_manifest()
    used = {
        key for file in manifest.files if file.path in training_set.digests for key in file.sources
    }
    return {manifest.sources[key].name: manifest.sources[key].licence for key in sorted(used)}


def _inputs(model: ResponseModel) -> dict[str, Any]:
    channels = list(model.config.channels) if isinstance(model, ResVAE) else ["genes"]
    inputs: dict[str, Any] = {
        "reads": list(model.reads),
        "unit": "log2(TPM + 1)",
        "n_genes": len(model.genes_),
    }
    if model.is_floor:
        return inputs | {"missing_genes": "not read, as is every gene"}
    if isinstance(model, Ensemble):
        return inputs | {"parts": list(model.needs), "missing_genes": "as in its parts"}
    if isinstance(model, ResVAE) and model.encoder_ is not None:
        inputs["encoder"] = {"name": model.encoder_.name, "digest": model.encoder_.digest}
    missing = ", ".join(MISSING_GENES[channel] for channel in channels)
    return inputs | {"channels": channels, "missing_genes": missing}


def _rests_on_encoder(model: ResponseModel) -> bool:
    """Tell whether a model reads an embedding, or learned from one that does."""
    if isinstance(model, Ensemble):
        return any(_rests_on_encoder(part) for part in model.parts_.values())
    return isinstance(model, ResVAE) and (model.encoder_ is not None or model.teacher is not None)


def _metrics(summary: pd.DataFrame, kind: str) -> dict[str, list[dict[str, Any]]]:
    """Return each split's metrics of a model, with the tissue floor's mean beside each."""
    if summary.empty:
        return {}
    floor = summary[summary["model"] == DrugTissueMean.kind].set_index(["split", "metric"])["mean"]
    own = summary[summary["model"] == kind]
    metrics: dict[str, list[dict[str, Any]]] = {}
    for row in own.itertuples():
        entry = {
            "metric": row.metric,
            "mean": _rounded(row.mean),
            "lower": _rounded(row.lower),
            "upper": _rounded(row.upper),
            "floor": _rounded(floor.get((row.split, row.metric))),
            "p_value": _rounded(row.p_value, 6),
        }
        metrics.setdefault(str(row.split), []).append(entry)
    return metrics


def _ablations(table: pd.DataFrame | None, kind: str) -> list[dict[str, Any]]:
    """Return what became of a model where a part is missing or changed, metric by metric."""
    if table is None:
        return []
    return [
        {
            "name": row.model,
            "title": title_of(str(row.model)),
            "metric": row.metric,
            "mean": _rounded(row.mean),
            "difference": _rounded(row.difference),
            "lower": _rounded(row.difference_lower),
            "upper": _rounded(row.difference_upper),
            "p_value": _rounded(row.p_value, 6),
            "p_holm": _rounded(row.p_holm, 6),
        }
        for row in table[table["base"] == kind].itertuples()
    ]


def _rounded(value: Any, digits: int = 4) -> float | None:
    return None if value is None or pd.isna(value) else round(float(value), digits)


def library_versions() -> dict[str, str]:
    """Return the versions of this program, of Python and of what it computes with, by name."""
    found = {"resvae": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
