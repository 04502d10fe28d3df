"""Fitted models kept while a set is trained, so that a run that was killed goes on where it was.

A folder a run, named by a digest of all that decides the result: configurations, data, code that
fits, encoders' weights, library versions, kind of device. In it a folder a model, moved into place
when it is complete, with the digest of each of its files: what was cut short or altered is fitted
again, never trusted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from resvae_core import durable_files
from resvae_core.compute import choose_device
from resvae_core.config import models_folder
from resvae_core.data.files import file_digest, replacing_folder, write_json
from resvae_core.data.screens import TrainingSet
from resvae_core.errors import ArtifactError
from resvae_core.models.base import ResponseModel
from resvae_core.models.catalog import Effort, build_model, load_model
from resvae_core.registry.card import library_versions

HISTORY_FILE = "history.json"
HELD_OUT_FILE = "held_out.safetensors"
DIGESTS_FILE = "digests.json"
STARTED_FILE = "started.json"
HELD_OUT = "held_out_"
"""Attribute of a fitted model: out-of-fold scores, which a shipped model does not carry."""

PACKAGE = Path(__file__).resolve().parent.parent
CODE = ("compute.py", "tables.py", "data", "features", "networks", "encoders", "training", "models")
"""What decides how a model is fitted; every other part may change under a stopped run."""


@dataclass(frozen=True)
class Checkpoints:
    """The kept models of one run.

    Parameters
    ----------
    folder
        Made when the first model is kept; may be deleted at any time when nothing trains.
    """

    folder: Path

    @classmethod
    def of_run(
        cls,
        root: Path,
        kinds: Sequence[str],
        training_set: TrainingSet,
        effort: Effort = "full",
    ) -> Checkpoints:
        """Return the checkpoints below `root` of the run that fits these kinds on these data."""
        return cls(root / run_key(kinds, training_set, effort))

    def started(self, date: str) -> str:
        """Return the date at which this run was first started: `date`, if that is now.

        A run that is killed and taken up on another day bears the first day's date.
        """
        path = self.folder / STARTED_FILE
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["date"])
        except (OSError, ValueError, KeyError, TypeError):
            self.folder.mkdir(parents=True, exist_ok=True)
            durable_files.write_json(path, {"date": date})
            return date

    def load(self, kind: str) -> ResponseModel | None:
        """Return the kept model of a kind; None where there is none or a file of it is altered."""
        entry = self.folder / kind
        if not _is_intact(entry):
            return None
        model = load_model(entry)
        model.restore_history(json.loads((entry / HISTORY_FILE).read_text(encoding="utf-8")))
        if (entry / HELD_OUT_FILE).is_file():
            setattr(model, HELD_OUT, load_file(entry / HELD_OUT_FILE)[HELD_OUT])
        return model

    def keep(self, model: ResponseModel) -> ResponseModel:
        """Keep a fitted model and return it as it is read back.

        Whoever goes on with what was read back gets the same bytes whether the run was killed after
        this model or not.
        """

        def write(staged: Path) -> None:
            model.save(staged)
            write_json(staged / HISTORY_FILE, model.history())
            held_out = getattr(model, HELD_OUT, None)
            if held_out is not None:
                save_file({HELD_OUT: np.ascontiguousarray(held_out)}, staged / HELD_OUT_FILE)
            digests = {p.name: file_digest(p) for p in sorted(staged.iterdir())}
            write_json(staged / DIGESTS_FILE, digests)

        return self._put(model.kind, write)

    def files(self, kind: str) -> dict[str, bytes]:
        """Return the content of a kept model's files by name: what `take_over` takes elsewhere."""
        return {p.name: p.read_bytes() for p in sorted((self.folder / kind).iterdir())}

    def take_over(self, kind: str, files: Mapping[str, bytes]) -> ResponseModel:
        """Keep a model that was kept elsewhere, and return it.

        Raises
        ------
        ArtifactError
            If a file is missing or altered.
        """

        def write(staged: Path) -> None:
            staged.mkdir()
            for name, content in files.items():
                (staged / Path(name).name).write_bytes(content)
            if not _is_intact(staged):
                raise ArtifactError(
                    f"The model {kind!r} that a worker sent is not complete.",
                    remedy="Start the training again: what was finished is kept.",
                )

        return self._put(kind, write)

    def _put(self, kind: str, write: Callable[[Path], None]) -> ResponseModel:
        """Keep what `write` makes, unless another process has kept the same model meanwhile."""
        with replacing_folder(self.folder / kind) as staged:
            if not _is_intact(self.folder / kind):
                write(staged)
        kept = self.load(kind)
        if kept is None:
            raise ArtifactError(
                f"Files of the model {kind!r} changed while they were kept in {self.folder.name}/.",
                remedy="Check that the disk works and that nothing else writes there; then start "
                "the training again: what was finished is kept.",
            )
        return kept


def run_key(kinds: Sequence[str], training_set: TrainingSet, effort: Effort = "full") -> str:
    """Return the digest (16 hex digits) of all that decides what a run's models become."""
    models = [build_model(kind, effort=effort) for kind in kinds]
    screen = training_set.screen
    decisive = {
        "configurations": {model.kind: model.configuration() for model in models},
        "devices": sorted(
            {str(choose_device(model.device)) for model in models if hasattr(model, "device")}
        ),
        "data": training_set.digests,
        "expression": training_set.expression.digest(),
        "response": hashlib.sha256(
            screen.ln_ic50.to_numpy(float).tobytes() + screen.resistant.to_numpy(float).tobytes()
        ).hexdigest(),
        "labels": [*screen.drugs, *screen.tissue],
        "files": dict(_decisive_files(CODE)),
        "versions": library_versions(),
    }
    text = json.dumps(decisive, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_digest(parts: Sequence[str] | None = None) -> str:
    """Return the SHA-256 (hex) of code and encoders' weights: of all that decides what is fitted.

    Parameters
    ----------
    parts
        Modules and folders of the package; all that fits, where None.
    """
    files = dict(_decisive_files(CODE if parts is None else parts))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _decisive_files(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Return name and digest of modules and folders of the package, and of encoders' weights."""
    code = [p for name in parts for p in sorted([PACKAGE / name, *(PACKAGE / name).rglob("*.py")])]
    for path in code:
        if path.is_file():
            yield path.relative_to(PACKAGE).as_posix(), file_digest(path)
    encoders = models_folder() / "encoders"
    for path in sorted(encoders.rglob("*.safetensors")):
        yield f"encoders/{path.relative_to(encoders).as_posix()}", file_digest(path)


def _is_intact(entry: Path) -> bool:
    """Tell whether every file of an entry, and no other, is as it was written."""
    try:
        digests = json.loads((entry / DIGESTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    found = {p.name: file_digest(p) for p in entry.iterdir() if p.name != DIGESTS_FILE}
    return bool(found == digests)
