"""Model cards: what a model is for, what it learned from, how good it is, and its limits.

Sections follow TRIPOD+AI and the Model Facts label: what it must not be used for comes before
what it is used for.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from resvae_core import __version__
from resvae_core.config import RESEARCH_USE
from resvae_core.data.drugs import Drug
from resvae_core.data.inventory import load_manifest
from resvae_core.data.screens import EXPRESSION_FILE, LabelRule, TrainingSet
from resvae_core.data.sources import find_by_path
from resvae_core.models.base import TUMOURS, ResponseModel
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
NOT_ON_PATIENTS = (
    "Trained on cancer cell lines, not on patients. No probability here was validated against the "
    "response of a patient."
)
SYNTHETIC_LIMIT = (
    "Trained on synthetic data, drawn from a generator: no cell line was measured, and nothing "
    "that it says or reaches is a finding."
)
PANEL_LIMIT = (
    "Reads a panel of cancer genes, not the genome. More than 5 % of them missing lower the range "
    "verdict."
)
GENOME_LIMIT = (
    "Reads {n_genes:,} genes. More than 5 % of them missing lower the range verdict: a file of a "
    "gene panel is out of range."
)
TUMOUR_LIMIT = (
    "Tumours are standardised with frozen moments of reference tumours of few cancer types; for "
    "others the level of the probability is less certain than their order."
)
NO_TUMOUR_LIMIT = (
    "No tumours in log2(TPM + 1) were installed when the set was trained: it has no reference of "
    "tumours and can read cell lines alone."
)
CATALOGUE_LABEL_LIMIT = (
    "'Sensitive' is a label on ln IC50: for GDSC2 drugs, the lowest 15 % of all lines screened. "
    "About 85 of 100 lines are therefore resistant to any drug before anything is known."
)
SHARE_LABEL_LIMIT = (
    "'Sensitive' is a label on ln IC50: for each drug, the lowest {share:.0%} of its measured "
    "training lines, at the thresholds of this card. About {rest:.0f} of 100 lines are therefore "
    "resistant to any drug before anything is known. The thresholds come from all lines, those of "
    "test folds too: they are a convention of what is called sensitive, which no model reads. "
    "Figures cannot be compared with those under another rule."
)
TRAINING_LINES_LIMIT = (
    "A cell line of the training set that is uploaded looks better predicted than a new one."
)
SETTINGS_LIMIT = (
    "Settings were chosen by dozens of trials on one of the three fold splits of the same lines "
    "(benchmarks/experiments.md), so the figures may be slightly favourable. The default model is "
    "the best within tissue by a small margin."
)
OTHER_SETTINGS_LIMIT = (
    "Settings were chosen by dozens of trials on the project's own data and request "
    "(benchmarks/experiments.md), not for this training: where lines are the same, figures may be "
    "slightly favourable."
)
SHIPPED_REQUEST: Mapping[str, Any] = {
    "drugs": [],
    "kinds": [],
    "n_seeds": 3,
    "label_rule": "catalogue",
    "genes": "panel",
    "effort": "full",
}
"""What the shipped set was trained by, as `training_request.TrainingRequest.decisive` gives it:
all drugs and models."""
RESTORED_LIMIT = (
    "Of the training lines, 143 have expression restored from z-scores (r 0.9999 on shared lines)."
)
LOW_CONFIDENCE_LIMIT = (
    "Drugs whose ln IC50 is mostly extrapolated beyond the top dose are marked as low confidence."
)
SHORT_LIMIT = (
    "A short run: few epochs, trees and members, for trying out how training works. Its models are "
    "worse than those of a full run, and nobody should read anything from them."
)
CATALOGUE_LABEL = "ln IC50 above the drug's threshold in assets/catalog/drugs.csv"
SHARE_LABEL = "ln IC50 above the lowest {share:.0%} of the drug's measured training lines"
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

    def labelled(self, drug: Drug) -> Drug:
        """Return a drug with the threshold that this model's labels were made with.

        That of the catalogue, unless the model was trained by another label rule.
        """
        rule = self.document["training"].get("label_rule")
        if rule is None or drug.name not in rule["thresholds_ln_ic50"]:
            return drug
        source = f"the lowest {rule['share']:.0%} of the lines that this model set learned from"
        threshold = rule["thresholds_ln_ic50"][drug.name]
        return replace(drug, threshold_ln_ic50=threshold, threshold_source=source)


def write_card(
    model: ResponseModel,
    training_set: TrainingSet,
    evaluation: Mapping[str, pd.DataFrame],
    *,
    created: str,
    references: Mapping[str, str],
    request: Mapping[str, Any] | None = None,
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
    request
        What the training was asked for; no such section where None, and then it is taken for
        what the shipped set was asked for, which has none.
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
                "label": _label(training_set.label_rule),
            },
            "training": {
                "n_lines": len(screen.lines),
                "n_drugs": len(screen.drugs),
                "n_pairs": int(labels.notna().sum().sum()),
                "share_resistant": round(float(labels.stack().mean()), 4),
                "sources": training_set.describe_sources(),
                **({"synthetic": True} if training_set.synthetic else {}),
                "references": dict(references),
                "data_digests": dict(training_set.digests),
                **({"releases": dict(training_set.releases)} if training_set.releases else {}),
                "licences": _terms(training_set),
                **_label_rule(training_set.label_rule),
            },
            **({} if request is None else {"request": dict(request)}),
            "configuration": model.configuration(),
            "seed": model.configuration().get("seed"),
            "metrics": _metrics(evaluation["summary"], model.kind),
            "ablations": _ablations(evaluation.get("ablations"), model.kind),
            "limits": _limits(model, training_set, references, request or {}),
            "versions": library_versions(),
            "genes": list(model.genes_),
            "drugs": list(model.drugs_),
        }
    )


def _label(rule: LabelRule) -> str:
    return CATALOGUE_LABEL if rule.name == "catalogue" else SHARE_LABEL.format(share=rule.share)


def _label_rule(rule: LabelRule) -> dict[str, Any]:
    """Return the rule with its thresholds, where they are not those of the catalogue."""
    if rule.name == "catalogue":
        return {}
    thresholds = {drug: round(value, 6) for drug, value in rule.thresholds.items()}
    return {
        "label_rule": {
            "name": rule.name,
            "share": rule.share,
            "source": "quantile of the measured training lines' ln IC50, all folds together",
            "thresholds_ln_ic50": thresholds,
        }
    }


def _limits(
    model: ResponseModel,
    training_set: TrainingSet,
    references: Mapping[str, str],
    request: Mapping[str, Any],
) -> list[str]:
    """Return what limits a model, in sentences that are true of its data and labels."""
    rule, own = training_set.label_rule, _is_development(training_set)
    share_limit = SHARE_LABEL_LIMIT.format(share=rule.share, rest=100 * (1 - rule.share))
    shipped = own and (not request or request == SHIPPED_REQUEST)
    asked = request.get("genes", "panel" if EXPRESSION_FILE in training_set.digests else "genome")
    genome = asked == "genome"
    return [
        *([SHORT_LIMIT] if request.get("effort") == "short" else []),
        SYNTHETIC_LIMIT if training_set.synthetic else NOT_ON_PATIENTS,
        GENOME_LIMIT.format(n_genes=len(model.genes_)) if genome else PANEL_LIMIT,
        TUMOUR_LIMIT if TUMOURS in references else NO_TUMOUR_LIMIT,
        CATALOGUE_LABEL_LIMIT if rule.name == "catalogue" else share_limit,
        TRAINING_LINES_LIMIT,
        SETTINGS_LIMIT if shipped else OTHER_SETTINGS_LIMIT,
        *([RESTORED_LIMIT] if own else []),
        LOW_CONFIDENCE_LIMIT,
        *([SEEN_BY_THE_ENCODER] if _rests_on_encoder(model) else []),
    ]


def _is_development(training_set: TrainingSet) -> bool:
    """Tell whether the expression is that of the development data, byte by byte."""
    known = {file.path: file.sha256 for file in load_manifest().files}
    found = training_set.digests.get(EXPRESSION_FILE)
    return found is not None and found == known.get(EXPRESSION_FILE)


def _terms(training_set: TrainingSet) -> dict[str, str]:
    """Return the terms of each source that the training read, by its name."""
    manifest = load_manifest()
    used = {
        key for file in manifest.files if file.path in training_set.digests for key in file.sources
    }
    terms = {manifest.sources[key].name: manifest.sources[key].licence for key in sorted(used)}
    official = [find_by_path(path) for path in training_set.digests]
    return terms | {one.title: one.licence for one in official if one is not None}


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
