"""The contract of everything that predicts drug response, floors included."""

from __future__ import annotations

import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from resvae_core.errors import ArtifactError, NotFittedError
from resvae_core.tables import Expression, Screen

CELL_LINES = "cell_lines"
TUMOURS = "tumours"
NO_TISSUE = "unknown"

WEIGHTS_FILE = "weights.safetensors"
MODEL_FILE = "model.json"
SCHEMA_VERSION = 1

Arrays = dict[str, NDArray[Any]]
Document = dict[str, Any]


@dataclass(frozen=True)
class Samples:
    """What a model may read about samples.

    Parameters
    ----------
    expression
        (n_samples, n_genes) log2(TPM + 1).
    tissue
        (n_samples,) tissue labels of the training screen, or None where it is not known. Scores,
        probabilities and calls of learned models do not read it: floors do, and it chooses
        whose conformal thresholds apply (solid tissues' or blood's).
    reference
        Whose moments standardise the genes: ``cell_lines`` or ``tumours``.
    """

    expression: Expression
    tissue: pd.Series[str] | None = None
    reference: str = CELL_LINES

    def tissues(self) -> NDArray[np.str_]:
        """Return (n_samples,) tissue labels, ``unknown`` where there is none."""
        if self.tissue is None:
            return np.full(len(self.expression.samples), NO_TISSUE)
        return self.tissue.reindex(self.expression.values.index).fillna(NO_TISSUE).to_numpy(str)

    def select(self, samples: tuple[str, ...]) -> Samples:
        """Return the named samples, in the order asked for."""
        tissue = None if self.tissue is None else self.tissue.loc[list(samples)]
        return Samples(self.expression.select(samples), tissue, self.reference)


@dataclass(frozen=True)
class Prediction:
    """Predicted resistance, every frame (n_samples, n_drugs) in the order of the samples.

    Parameters
    ----------
    log_odds
        Calibrated log-odds of resistance: the score that attributions add up to.
    probability
        P(resistant) in [0, 1], the logistic of the log-odds.
    lower, upper
        90 % interval of the probability for the uncertainty of training (see `calibration`).
    ln_ic50
        Expected ln IC50 (ln µM); NaN for models that predict none, floors among them.
    conformal
        Classes that are not excluded at 90 %, in the words of `conformal.WORDS`, by the thresholds
        of the sample's lineage (solid or blood); a class that either lineage keeps where the
        tissue is not known. None for floors.
    """

    log_odds: pd.DataFrame
    probability: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame
    ln_ic50: pd.DataFrame
    conformal: pd.DataFrame | None = None


class ResponseModel(ABC):
    """Something that predicts resistance to drugs.

    The constructor stores the configuration, `fit` learns and returns self, learned values end in
    an underscore. A model predicts each sample on its own: predicting A alone equals predicting A
    among others, and the order of genes and samples carries no meaning.
    """

    kind: ClassVar[str]
    """Name in tables and cards, for example ``random_forest``."""
    title: ClassVar[str]
    """Name for people."""
    reads: ClassVar[tuple[str, ...]]
    """Declared inputs: ``expression``, ``tissue``, or none."""
    is_floor: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    """Kinds of models that this one is built from; they are fitted first."""

    drugs_: tuple[str, ...]
    genes_: tuple[str, ...]
    threshold_: float
    """Probability below which a line is called sensitive, chosen on training folds."""
    _history: Sequence[dict[str, float]] = ()

    def build_from(self, parts: Mapping[str, ResponseModel]) -> None:  # noqa: B027
        """Take the fitted models of `needs`; called before `fit`, and after loading.

        Parameters
        ----------
        parts
            Kind to fitted model, for every kind of `needs`.
        """

    @abstractmethod
    def fit(self, samples: Samples, screen: Screen) -> Self:
        """Learn from cell lines; `samples` and `screen` list the same lines in the same order."""

    @abstractmethod
    def predict(self, samples: Samples) -> Prediction:
        """Predict every drug for every sample.

        Raises
        ------
        NotFittedError
            If the model was not fitted.
        GeneCoverageError
            If none of the model's genes is in the data.
        """

    @abstractmethod
    def configuration(self) -> Document:
        """Return the constructor's arguments, as JSON-ready values."""

    @abstractmethod
    def learned(self) -> tuple[Arrays, Document]:
        """Return what was learned: arrays, and JSON-ready values."""

    @abstractmethod
    def restore(self, arrays: Arrays, document: Document) -> None:
        """Take over what `learned` returned."""

    def history(self) -> list[dict[str, float]]:
        """Return one record a training step that was logged; empty where nothing iterates."""
        return list(self._history)

    def restore_history(self, records: Sequence[dict[str, float]]) -> None:
        """Take over what `history` returned: `save` does not write it."""
        self._history = list(records)

    def check_fitted(self) -> None:
        """Raise `NotFittedError` before `fit`."""
        if not hasattr(self, "drugs_"):
            raise NotFittedError(
                f"The model {self.kind!r} has not been fitted.", remedy="Call fit() or load one."
            )

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors`` and ``model.json`` into a folder, made if needed."""
        self.check_fitted()
        arrays, document = self.learned()
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / WEIGHTS_FILE)
        (folder / WEIGHTS_FILE).chmod(0o644)  # safetensors makes it private to the user
        text = json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "kind": self.kind,
                "configuration": self.configuration(),
                "genes": list(self.genes_),
                "drugs": list(self.drugs_),
                "threshold": self.threshold_,
                "learned": document,
            },
            indent=1,
        )
        (folder / MODEL_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read back what `save` wrote; the result predicts identically.

        Raises
        ------
        ArtifactError
            If a file is missing, unreadable, of another kind of model or of another schema.
        """
        document = read_model_document(folder)
        if document["kind"] != cls.kind:
            raise ArtifactError(
                f"{folder.name} holds a {document['kind']!r}, not a {cls.kind!r}.",
                remedy="Load it with the class of its kind.",
            )
        model = cls(**document["configuration"])
        model.genes_ = tuple(document["genes"])
        model.drugs_ = tuple(document["drugs"])
        model.threshold_ = float(document["threshold"])
        try:
            model.restore(load_file(folder / WEIGHTS_FILE), document["learned"])
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError, zlib.error) as error:
            raise ArtifactError(
                f"The weights of {folder.name} are missing or do not fit its configuration "
                f"({type(error).__name__}).",
                remedy="Restore the model's folder from the repository, or train it again.",
            ) from error
        return model


def read_model_document(folder: Path) -> Document:
    """Read and check ``model.json``.

    Raises
    ------
    ArtifactError
        If it is missing, is no JSON, or has another schema version.
    """
    path = folder / MODEL_FILE
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path.name} of the model {folder.name!r} is missing or is no JSON.",
            remedy="Restore the model's folder from the repository, or train it again.",
        ) from error
    if document.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"The model {folder.name!r} has schema version {document.get('schema_version')!r}; "
            f"this program reads {SCHEMA_VERSION}.",
            remedy="Train it again with this version.",
        )
    return document
