"""How far predictions move from the active model set to a candidate, on reference cohorts.

Cohorts are the installed real ones in log2(TPM + 1); where there is none, the shipped synthetic
one, and the table says so. Two sets may be equally good and yet speak differently of a patient who
was told a result before: that is what this is about, not who is right.

The table is kept in ``<state>/drift/<candidate>-<first digits of the active set's digest>/``
(``drift.csv``, with ``drift.json`` that names both sets by their digests and says what was
installed of the cohorts): no part of either set.
The shipped set is never the candidate: what came with the program is returned to, not tried out.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from resvae_core.compute import one_thread
from resvae_core.config import state_folder
from resvae_core.data.cohorts import DEMO, level_cohorts, level_files, load_cohort
from resvae_core.durable_files import write_text
from resvae_core.errors import ConfigError
from resvae_core.features.range_check import IN_RANGE
from resvae_core.models.model_set import RESISTANT, SENSITIVE, Forecast, ModelSet
from resvae_core.registry.library import SetEntry
from resvae_core.registry.pointer import SHIPPED
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression

Array = NDArray[np.float64]

FOLDER, TABLE_FILE, DOCUMENT_FILE = "drift", "drift.csv", "drift.json"
COHORTS = "cohorts"
"""In the document: what was installed of each cohort, as `installed_references` gives it."""
DEFAULTS = "default"
"""What the table calls the two default models, each of its set."""
COLUMNS = (
    "cohort",
    "synthetic",
    "model",
    "drug",
    "n",
    "mean_change",
    "p95_change",
    "spearman",
    "n_firm_active",
    "n_firm",
    "to_resistant",
    "to_sensitive",
    "changed_calls",
    "in_range_active",
    "in_range_candidate",
    "changed_range",
)
FAR = 95
"""Percentile of the absolute change that says how far the far ones move."""


def reference_cohorts(data: Path | None) -> dict[str, Expression]:
    """Return the installed real cohorts in log2(TPM + 1) by code; else the synthetic one alone.

    Parameters
    ----------
    data
        Folder of installed data; None where there is none.
    """
    return {
        code: load_cohort(data, code, form="log2tpm").expression
        for code in installed_references(data)
    }


def installed_references(data: Path | None) -> dict[str, dict[str, int]]:
    """Return which cohorts `reference_cohorts` would read, and their files, without reading them.

    Returns
    -------
    dict[str, dict[str, int]]
        Code to files, as `cohorts.level_files` gives them; none for the synthetic cohort.
    """
    if data is None or not (real := level_cohorts(data)):
        return {DEMO: {}}
    return {code: level_files(data, code) for code in real}


def prediction_drift(
    candidate: ModelSet,
    active: ModelSet,
    cohorts: Mapping[str, Expression],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Compare what two sets say of the same patients.

    Parameters
    ----------
    cohorts
        Code to expression in log2(TPM + 1), as `reference_cohorts` gives them.
    progress
        Called with (cohorts done, cohorts in total).

    Returns
    -------
    DataFrame
        One row a cohort, learned model that both have (and `DEFAULTS`: the two default models) and
        drug that both have: ``mean_change`` of P(resistant), candidate minus active;
        ``p95_change``: 95th percentile of its absolute value; ``spearman`` of the two over
        patients, NaN where one is constant; ``n_firm_active``: patients whom the active set calls
        resistant or sensitive, ``n_firm``: whom both do; ``to_resistant``, ``to_sensitive``: how
        many of these turn over; ``changed_calls``: share of all patients whose call is another
        one; ``in_range_*``: share of patients in range;
        ``changed_range``: share whose verdict is another one; ``synthetic``: no real patient.

    Raises
    ------
    ConfigError
        If the sets share no drug.
    """
    drugs = [drug for drug in active.drugs if drug in candidate.drugs]
    if not drugs:
        raise ConfigError(
            f"{candidate.name} and {active.name} share no drug: nothing can be compared.",
            remedy="Train the candidate on drugs of the active set.",
        )
    kinds = [kind for kind in active.learned if kind in candidate.learned]
    parts: list[pd.DataFrame] = []
    for done, (code, expression) in enumerate(cohorts.items()):
        progress(done, len(cohorts))
        parts += _cohort_parts(candidate, active, code, expression, drugs, kinds)
    progress(len(cohorts), len(cohorts))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def write_drift(
    candidate: SetEntry,
    active: SetEntry,
    data: Path | None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Compute a candidate's drift against the active set and keep it in the state folder.

    Parameters
    ----------
    data
        Folder of installed data; None where there is none.

    Raises
    ------
    ArtifactError
        If a set is not intact.
    ConfigError
        If the sets share no drug, or the candidate is the shipped set.
    """
    require_candidate(candidate.id)
    installed = installed_references(data)
    with one_thread():
        table = prediction_drift(
            load_model_set(candidate.folder),
            load_model_set(active.folder),
            reference_cohorts(data),
            progress=progress,
        )
    folder = drift_folder(candidate, active)
    folder.mkdir(parents=True, exist_ok=True)
    text = table.to_csv(index=False, float_format="%.6g")
    write_text(folder / TABLE_FILE, text)
    document = _document(candidate, active, text.encode("utf-8")) | {COHORTS: installed}
    write_text(folder / DOCUMENT_FILE, json.dumps(document, indent=1) + "\n")
    return table


def require_candidate(identifier: str) -> None:
    """Refuse the shipped set as what is held against another one.

    Raises
    ------
    ConfigError
        If the id is that of the shipped set.
    """
    if identifier == SHIPPED:
        raise ConfigError(
            "The model set that came with the program is no candidate: a drift to it is not "
            "computed.",
            remedy="Roll back to it, or promote it with a reason.",
        )


def drift_folder(candidate: SetEntry, active: SetEntry) -> Path:
    """Return where the drift of a candidate against an active set is kept; it need not exist."""
    return state_folder() / FOLDER / f"{candidate.id}-{active.digest[:8]}"


def load_drift(candidate: SetEntry, active: SetEntry) -> pd.DataFrame | None:
    """Return a candidate's drift; None where it was not computed against this active set."""
    folder = drift_folder(candidate, active)
    try:
        content = (folder / TABLE_FILE).read_bytes()
    except OSError:
        return None
    kept = {key: value for key, value in _kept(folder).items() if key != COHORTS}
    if kept != _document(candidate, active, content):
        return None
    return pd.read_csv(io.BytesIO(content))


def why_outdated(candidate: SetEntry, active: SetEntry, data: Path | None) -> str:
    """Say why a kept drift is not of the cohorts that are installed now.

    Parameters
    ----------
    data
        Folder of installed data; None where there is none.

    Returns
    -------
    str
        Sentences; "" where it is, where none is kept, and where no real cohort is installed now: it
        could not be computed on more.
    """
    document, now = _kept(drift_folder(candidate, active)), installed_references(data)
    if not document or DEMO in now:
        return ""
    kept: dict[str, dict[str, int]] | None = document.get(COHORTS)
    if kept is None:  # of an earlier version
        return "It does not say what was installed of its cohorts."
    if DEMO in kept:
        return f"It was computed on the synthetic cohort alone; {', '.join(now)} can be read now."
    facts = {
        "Installed since": [code for code in now if code not in kept],
        "No longer installed": [code for code in kept if code not in now],
        "Other files since": [code for code in now if code in kept and kept[code] != now[code]],
    }
    return " ".join(f"{words}: {', '.join(codes)}." for words, codes in facts.items() if codes)


def drift_stamp(candidate: SetEntry, active: SetEntry) -> str:
    """Return what changes when a candidate's drift is computed anew; empty where there is none."""
    path = drift_folder(candidate, active) / DOCUMENT_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _kept(folder: Path) -> dict[str, Any]:
    """Return what stands beside a kept table; empty where there is none that can be read."""
    try:
        document = json.loads((folder / DOCUMENT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _document(candidate: SetEntry, active: SetEntry, content: bytes) -> dict[str, str]:
    return {
        "candidate": candidate.digest,
        "active": active.digest,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _cohort_parts(
    candidate: ModelSet,
    active: ModelSet,
    code: str,
    expression: Expression,
    drugs: list[str],
    kinds: list[str],
) -> Iterator[pd.DataFrame]:
    own, other = (
        one.predict(expression, drugs=drugs, models=[*dict.fromkeys([*kinds, one.default_model])])
        for one in (candidate, active)
    )
    ranges = _range_shares(own, other)
    pairs = {DEFAULTS: (candidate.default_model, active.default_model)}
    pairs |= {kind: (kind, kind) for kind in kinds}
    for name, (kind, counterpart) in pairs.items():
        before, after = _wide(other, counterpart, drugs), _wide(own, kind, drugs)
        table = _compare_drugs(before, after, drugs).assign(**ranges)
        yield table.assign(cohort=code, synthetic=code == DEMO, model=name)


def _wide(forecast: Forecast, kind: str, drugs: list[str]) -> tuple[Array, NDArray[np.str_]]:
    """Return (n_samples, n_drugs) probabilities and calls of a model."""
    rows = forecast.table[forecast.table["model"] == kind]
    shape = (-1, len(drugs))
    return (
        rows["probability"].to_numpy(float).reshape(shape),
        rows["call"].to_numpy(str).reshape(shape),
    )


def _compare_drugs(
    before: tuple[Array, NDArray[np.str_]], after: tuple[Array, NDArray[np.str_]], drugs: list[str]
) -> pd.DataFrame:
    (old, old_calls), (new, new_calls) = before, after
    change = new - old
    turned_up = (old_calls == SENSITIVE) & (new_calls == RESISTANT)
    turned_down = (old_calls == RESISTANT) & (new_calls == SENSITIVE)
    was_firm = np.isin(old_calls, (RESISTANT, SENSITIVE))
    firm = was_firm & np.isin(new_calls, (RESISTANT, SENSITIVE))
    return pd.DataFrame(
        {
            "drug": drugs,
            "n": len(old),
            "mean_change": change.mean(axis=0),
            "p95_change": np.percentile(np.abs(change), FAR, axis=0),
            "spearman": _spearman(old, new),
            "n_firm_active": was_firm.sum(axis=0),
            "n_firm": firm.sum(axis=0),
            "to_resistant": turned_up.sum(axis=0),
            "to_sensitive": turned_down.sum(axis=0),
            "changed_calls": (old_calls != new_calls).mean(axis=0),
        }
    )


def _spearman(old: Array, new: Array) -> Array:
    """Return the rank correlation of each column; NaN where one of them is constant."""
    ranks = [rankdata(values, axis=0) for values in (old, new)]
    centred = [rank - rank.mean(axis=0) for rank in ranks]
    product = (centred[0] * centred[1]).sum(axis=0)
    size = np.sqrt((centred[0] ** 2).sum(axis=0) * (centred[1] ** 2).sum(axis=0))
    found: Array = np.divide(product, size, out=np.full(len(size), np.nan), where=size > 0)
    return found


def _range_shares(own: Forecast, other: Forecast) -> dict[str, float]:
    candidate, active = (one.ranges["range"].to_numpy(str) for one in (own, other))
    return {
        "in_range_active": float((active == IN_RANGE).mean()),
        "in_range_candidate": float((candidate == IN_RANGE).mean()),
        "changed_range": float((candidate != active).mean()),
    }
