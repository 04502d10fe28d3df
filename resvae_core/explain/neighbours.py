"""Who lies nearest to a sample: cell lines with their measured response, and patients.

Neighbours illustrate a prediction, they are none. `agreement_of_neighbours` says how much their
labels tell: each line's own label against those of its nearest lines, itself left out, beside as
many lines drawn from the same tissue (`benchmarks/neighbours.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import derive_seed
from resvae_core.data.drugs import find_drug
from resvae_core.errors import ConfigError, InputDataError, UnknownDrugError
from resvae_core.explain.maps import LineMap, Positions, distances
from resvae_core.tables import Screen

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

N_NEAREST = 10
N_DRAWS = 20
"""Draws of lines of the same tissue that the baseline averages over."""
MINIMAL_MEASURED = 3
"""Measured neighbours that a line needs to be judged for a drug."""
NOT_MEASURED = "not measured"
ALL_DRUGS = "all drugs"
NOBODY = -1
"""Stands in the place of a neighbour where there are fewer than asked for."""


@dataclass(frozen=True)
class PatientGroup:
    """Patients among whom the nearest are sought.

    Parameters
    ----------
    code, name
        Of the cohort, as in `resvae_core.data.cohorts.CohortData`.
    positions
        Where its patients lie, on the same map as the samples.
    synthetic
        True if no real patient is in it.
    """

    code: str
    name: str
    positions: Positions
    synthetic: bool


def nearest_lines(line_map: LineMap, positions: Positions, k: int = N_NEAREST) -> pd.DataFrame:
    """Return the nearest cell lines of each sample.

    Parameters
    ----------
    line_map
        Where the lines lie.
    positions
        Where the samples lie on it, from `maps.locate`.
    k
        Lines a sample.

    Returns
    -------
    DataFrame
        k rows a sample, nearest first: ``sample``, ``rank`` (1 to k), ``line``, ``name``,
        ``tissue``, ``distance`` (in standard deviations of the map's components) and ``relative``
        (distance divided by the median distance from a line to its nearest other line: 1 is as
        near as lines usually are, 2 twice as far).

    Raises
    ------
    ConfigError
        If the positions are of another map, or k does not lie between 1 and the number of lines.
    """
    _require_same_space(line_map.space, positions)
    table = _nearest(positions, line_map.positions, k)
    chosen = table.pop("place").to_numpy()
    table["line"] = np.array(line_map.lines, dtype=object)[chosen]
    table["name"] = np.array(line_map.names, dtype=object)[chosen]
    table["tissue"] = np.array(line_map.tissues, dtype=object)[chosen]
    table["relative"] = table["distance"] / line_map.typical_distance
    return table[["sample", "rank", "line", "name", "tissue", "distance", "relative"]]


def with_response(table: pd.DataFrame, screen: Screen, drug: str) -> pd.DataFrame:
    """Add to nearest lines what the screen measured.

    Parameters
    ----------
    table
        From `nearest_lines`.
    screen
        Responses of the lines, where they are installed: they are not shipped.
    drug
        Name or synonym.

    Returns
    -------
    DataFrame
        The table with ``ln_ic50`` (ln µM, NaN where not measured) and ``label``: ``resistant``,
        ``sensitive`` or ``not measured``.

    Raises
    ------
    UnknownDrugError
        If the drug is not known, or not in the screen.
    """
    name = _drug_of(screen, drug)
    resistant = table["line"].map(screen.resistant[name])
    words = resistant.map({1.0: "resistant", 0.0: "sensitive"}).fillna(NOT_MEASURED)
    return table.assign(ln_ic50=table["line"].map(screen.ln_ic50[name]), label=words)


def count_responses(table: pd.DataFrame, screen: Screen, drug: str) -> pd.DataFrame:
    """Count each sample's nearest lines by their response.

    Parameters
    ----------
    table
        From `with_response`, of the same drug.

    Returns
    -------
    DataFrame
        One row a sample: ``sample``, ``n_measured``, ``n_resistant``, ``base_rate`` (share of all
        measured lines that are resistant, 0 to 1) and ``n_lines`` (lines measured at all).
    """
    name = _drug_of(screen, drug)
    measured = table[table["label"] != NOT_MEASURED]
    resistant = measured["label"] == "resistant"
    samples = table["sample"].drop_duplicates()
    per_sample = pd.DataFrame({"sample": samples})
    for column, counted in (("n_measured", measured), ("n_resistant", measured[resistant])):
        counts = counted.groupby("sample").size()
        per_sample[column] = samples.map(counts).fillna(0).astype(int)
    known = screen.resistant[name].dropna()
    return per_sample.assign(base_rate=known.mean(), n_lines=len(known)).reset_index(drop=True)


def nearest_patients(
    positions: Positions,
    groups: Sequence[PatientGroup],
    k: int = N_NEAREST,
    *,
    score: pd.Series[float] | None = None,
) -> pd.DataFrame:
    """Return the nearest patients of each sample.

    Parameters
    ----------
    positions
        Where the samples lie.
    groups
        Cohorts that are at hand, on the same map: installed ones, or the synthetic one.
    k
        Patients a sample, at most.
    score
        Patient to the ensemble's P(resistant), where it is at hand.

    Returns
    -------
    DataFrame
        At most k rows a sample, nearest first: ``sample``, ``rank``, ``patient``, ``cohort``,
        ``cohort_name``, ``synthetic``, ``distance`` and ``score`` (NaN where none was given). A
        sample that is itself in a cohort, under the same name, is not its own neighbour.

    Raises
    ------
    ConfigError
        If there is no group, one lies on another map, or k is below 1.
    """
    if not groups:
        raise ConfigError(
            "There is no cohort among which patients could be sought.",
            remedy="Install one, or use the synthetic cohort DEMO.",
        )
    for group in groups:
        _require_same_space(positions.space, group.positions)
    pool = Positions(
        positions.space,
        tuple(name for group in groups for name in group.positions.samples),
        np.concatenate([group.positions.vectors for group in groups]),
    )
    owner = np.repeat(np.arange(len(groups)), [len(g.positions.samples) for g in groups])
    table = _nearest(positions, pool, min(k + 1, len(pool.samples)) if k > 0 else k)
    chosen = table.pop("place").to_numpy()
    table["patient"] = np.array(pool.samples, dtype=object)[chosen]
    columns = {"cohort": "code", "cohort_name": "name", "synthetic": "synthetic"}
    for column, field in columns.items():
        table[column] = np.array([getattr(g, field) for g in groups])[owner[chosen]]
    table = table[table["patient"] != table["sample"]]
    table["rank"] = table.groupby("sample", sort=False).cumcount() + 1
    table["score"] = np.nan if score is None else table["patient"].map(score)
    order = ["sample", "rank", "patient", *columns, "distance", "score"]
    return table.loc[table["rank"] <= k, order].reset_index(drop=True)


def agreement_of_neighbours(
    line_map: LineMap, screen: Screen, k: int = N_NEAREST, *, seed: int = 0
) -> pd.DataFrame:
    """Say how often the nearest lines share a line's own label: each line left out of its own.

    Parameters
    ----------
    line_map
        The space.
    screen
        Labels of its lines.
    k
        Nearest lines that are asked.
    seed
        Of the draws from the same tissue.

    Returns
    -------
    DataFrame
        One row a drug, then one for ``all drugs`` (means over the drugs): ``space``, ``drug``,
        ``k``, ``n_lines`` (judged: with a label, and `MINIMAL_MEASURED` measured neighbours),
        ``base_rate`` (share of them that is resistant); ``roc_auc`` of the neighbours' mean label
        for the line's own label, and ``agreement``, the mean share of neighbours that carry the
        same label as the line. Beside both what as many lines drawn at random from the same
        tissue give (``tissue_roc_auc``, ``tissue_agreement``, means over `N_DRAWS` draws), and
        what lines drawn from all give (``chance_agreement``; the ROC AUC is 0.5 then).
        ``same_tissue`` is the share of neighbours from the line's own tissue,
        ``same_tissue_by_chance`` that of lines drawn from all; both are of the space, not of the
        drug.

    Raises
    ------
    InputDataError
        If the map and the screen do not share their lines.
    ConfigError
        If k does not lie between 1 and the number of the other lines.
    """
    if set(line_map.lines) - set(screen.lines):
        raise InputDataError(
            "The map has cell lines that the screen lacks.",
            remedy="Use the training set that the map was made from.",
        )
    labels = screen.select(line_map.lines).resistant
    tissue = np.array(line_map.tissues)
    nearest = _other_lines(line_map, k)
    rng = np.random.default_rng(derive_seed("neighbours of the same tissue", seed))
    drawn = [_judge(labels, _draw(tissue, k, rng)) for _ in range(N_DRAWS)]
    table = _judge(labels, nearest)
    for column in ("roc_auc", "agreement"):
        table[f"tissue_{column}"] = np.mean([one[column] for one in drawn], axis=0)
    table["chance_agreement"] = table["base_rate"] ** 2 + (1 - table["base_rate"]) ** 2
    table.loc[len(table)] = [ALL_DRUGS, *table.drop(columns="drug").mean()]
    table["n_lines"] = table["n_lines"].round().astype(int)
    table.insert(0, "space", line_map.space)
    table.insert(2, "k", k)
    table["same_tissue"] = float(np.mean(tissue[nearest] == tissue[:, None]))
    others = (tissue == tissue[:, None]).sum(axis=1) - 1
    table["same_tissue_by_chance"] = float(np.mean(others / (len(tissue) - 1)))
    return table


def _nearest(positions: Positions, pool: Positions, k: int) -> pd.DataFrame:
    """Return sample, rank, place in the pool, and distance; equally near ones in their order."""
    if not 1 <= k <= len(pool.samples):
        raise ConfigError(
            f"{k} neighbours were asked for; 1 to {len(pool.samples)} can be shown.",
            remedy="Ask for a number in that range.",
        )
    apart = distances(positions.vectors, pool.vectors)
    places = np.argsort(apart, axis=1, kind="stable")[:, :k]
    return pd.DataFrame(
        {
            "sample": np.repeat(np.array(positions.samples, dtype=object), k),
            "rank": np.tile(np.arange(1, k + 1), len(places)),
            "place": places.ravel(),
            "distance": np.take_along_axis(apart, places, axis=1).ravel(),
        }
    )


def _other_lines(line_map: LineMap, k: int) -> Indices:
    """Return (n_lines, k) places of each line's nearest other lines."""
    n_lines = len(line_map.lines)
    if not 1 <= k < n_lines:
        raise ConfigError(
            f"{k} neighbours were asked for; 1 to {n_lines - 1} can be judged.",
            remedy="Ask for a number in that range.",
        )
    apart = distances(line_map.vectors, line_map.vectors)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1, kind="stable")[:, :k]


def _draw(tissue: NDArray[np.str_], k: int, rng: np.random.Generator) -> Indices:
    """Draw k other lines of the same tissue; all of them where there are fewer."""
    drawn = np.full((len(tissue), k), NOBODY)
    for line, own in enumerate(tissue):
        others = np.flatnonzero(tissue == own)
        others = others[others != line]
        if len(others) < MINIMAL_MEASURED:  # nothing to learn from the tissue
            others = np.delete(np.arange(len(tissue)), line)
        chosen = rng.permutation(others)[:k]
        drawn[line, : len(chosen)] = chosen
    return drawn


def _judge(labels: pd.DataFrame, neighbours: Indices) -> pd.DataFrame:
    """Compare each line's label with its neighbours': a row a drug."""
    from sklearn.metrics import roc_auc_score

    own = labels.to_numpy(float)
    theirs = np.where((neighbours == NOBODY)[:, :, None], np.nan, own[neighbours])
    n_measured = np.isfinite(theirs).sum(axis=1)
    share = np.nansum(theirs, axis=1) / np.maximum(n_measured, 1)
    same = np.where(own == 1, share, 1 - share)
    judged = np.isfinite(own) & (n_measured >= MINIMAL_MEASURED)
    rows = []
    for number, drug in enumerate(labels.columns):
        label, mean = own[judged[:, number], number], share[judged[:, number], number]
        both = len(np.unique(label)) == 2
        rows.append(
            {
                "drug": drug,
                "n_lines": len(label),
                "base_rate": label.mean() if len(label) else np.nan,
                "roc_auc": roc_auc_score(label, mean) if both else np.nan,
                "agreement": same[judged[:, number], number].mean() if len(label) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _drug_of(screen: Screen, drug: str) -> str:
    name = find_drug(drug).name
    if name not in screen.drugs:
        raise UnknownDrugError(
            f"The screen has no measurements of {name}.",
            remedy=f"Choose one of its {len(screen.drugs)} drugs.",
        )
    return name


def _require_same_space(space: str, positions: Positions) -> None:
    if positions.space != space:
        raise ConfigError(
            f"Samples were placed in the space {positions.space!r}, not in {space!r}.",
            remedy="Place both on the same map.",
        )
