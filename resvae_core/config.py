"""Where things lie, and wording that must be the same everywhere."""

from __future__ import annotations

import os
from pathlib import Path

RESEARCH_USE = "Research use only – not for diagnosis or treatment decisions"

PROJECT_ROOT = Path(__file__).resolve().parent.parent
ASSETS = PROJECT_ROOT / "assets"
CATALOG = ASSETS / "catalog"
ARRIVING = "fetched"
"""Folder of the data folder with what has arrived and what came when: no data by itself."""


def models_folder() -> Path:
    """Return the folder of saved models: ``RESVAE_MODELS``, else ``models/`` of this project."""
    return Path(os.environ.get("RESVAE_MODELS") or PROJECT_ROOT / "models")


def encoders_folder() -> Path:
    """Return the folder of encoders that the user fetched or placed.

    ``RESVAE_ENCODERS`` if it is set, else ``encoders/`` of this project. It need not exist. The
    encoders that are shipped lie in ``encoders/`` of the `models_folder`.
    """
    return Path(os.environ.get("RESVAE_ENCODERS") or PROJECT_ROOT / "encoders")


def artifacts_folder() -> Path:
    """Return the folder of what runs leave behind: ``RESVAE_ARTIFACTS``, else ``artifacts/``.

    Finished folds and models, from which an interrupted run goes on. It need not exist, and may be
    deleted when nothing runs.
    """
    return Path(os.environ.get("RESVAE_ARTIFACTS") or PROJECT_ROOT / "artifacts")


def state_folder() -> Path:
    """Return the folder of what this installation writes: ``RESVAE_STATE``, else ``state/``.

    Jobs and their results, settings, retrained model sets, and the database where no other is
    named. It need not exist. Unlike `artifacts_folder`, it is worth a backup.
    """
    return Path(os.environ.get("RESVAE_STATE") or PROJECT_ROOT / "state")


def inbox_folder() -> Path:
    """Return where jobs take cohorts from: ``RESVAE_INBOX``, else ``inbox/`` of the state folder.

    Whoever may write there decides what can be scored. It need not exist.
    """
    return Path(os.environ.get("RESVAE_INBOX") or state_folder() / "inbox")


def data_folder() -> Path | None:
    """Return the folder of installed real data, or None where there is none.

    ``RESVAE_DATA`` if it is set, else ``data/`` in this project where something is installed in it,
    else ``shared/data`` beside it.
    """
    named = os.environ.get("RESVAE_DATA")
    if named:
        return Path(named) if Path(named).is_dir() else None
    own, shared = PROJECT_ROOT / "data", PROJECT_ROOT.parent / "shared" / "data"
    if own.is_dir() and any(path.name != ARRIVING for path in own.iterdir()):
        return own
    return shared if shared.is_dir() else None
