"""Maps of the training cell lines, on which a new sample can be placed.

A map is a space in which distances are taken: the first principal components of what it reads,
each scaled to the spread that the lines have in it (a Mahalanobis distance in those components).
Its first two components are the picture. Everything is linear and frozen, so a sample is placed
exactly, alone or among others, and nothing moves when another one comes.

- ``latent``: the latent means μ of VAE_LD's five networks side by side. The networks saw these
  lines when they were trained, though not how the lines respond: the autoencoder reads no labels.
- ``pca``: the standardised genes that the models read.

Patients are standardised with the moments of tumours, lines with those of lines, so the two are
comparable gene by gene. `benchmarks/neighbours.md` says how far neighbours can be trusted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from resvae_core.errors import ArtifactError, ConfigError, InputDataError
from resvae_core.models.base import CELL_LINES, TUMOURS, Samples
from resvae_core.models.model_set import ModelSet
from resvae_core.models.resvae import ResVAE
from resvae_core.tables import Expression

Matrix = NDArray[np.float32]
Space = Literal["latent", "pca"]

SPACES: dict[Space, str] = {
    "latent": "latent means of VAE_LD",
    "pca": "principal components of the genes that the models read",
}
"""What distances are taken in, in words."""
LATENT_MODEL = "vae_ld"
N_COMPONENTS = 32
MINIMAL_COHORT = 10
"""Patients that a cohort needs to be drawn: fewer could be told apart."""
MINIMAL_SPREAD = 1e-6
LINE_TABLE, AXES_TABLE, COHORT_TABLE = "line_map", "line_map_axes", "cohort_map"
COMPONENTS = [f"c{number:02d}" for number in range(1, N_COMPONENTS + 1)]
AREA_COLUMNS = ["space", "cohort", "n_patients", "x", "y", "var_x", "var_y", "cov_xy"]
RESTORE = "Restore the models' folder from the repository, or make the evidence again."


@dataclass(frozen=True)
class CohortArea:
    """Where a cohort lies on the picture: an aggregate, no patient can be read from it.

    Parameters
    ----------
    code
        TCGA code, or ``DEMO``.
    n_patients
        How many it is of, at least `MINIMAL_COHORT`.
    centre
        (2,) mean of their coordinates.
    covariance
        (2, 2) of their coordinates.
    """

    code: str
    n_patients: int
    centre: Matrix
    covariance: Matrix

    def outline(self, share: float = 0.5, n_points: int = 73) -> Matrix:
        """Return (n_points, 2) an ellipse that holds about `share` of the patients.

        Exactly that share if their coordinates were normal.
        """
        angle = np.linspace(0, 2 * np.pi, n_points)
        circle = np.sqrt(chi2.ppf(share, 2)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        values, vectors = np.linalg.eigh(self.covariance)
        axes = vectors * np.sqrt(np.maximum(values, 0))
        outline: Matrix = (self.centre + circle @ axes.T).astype(np.float32)
        return outline


@dataclass(frozen=True)
class Positions:
    """Where samples lie on a map.

    Parameters
    ----------
    space
        Of the map.
    samples
        Names, in order.
    vectors
        (n_samples, n_components); distances are Euclidean in these.
    """

    space: Space
    samples: tuple[str, ...]
    vectors: Matrix

    @property
    def coordinates(self) -> Matrix:
        """(n_samples, 2) on the picture."""
        return self.vectors[:, :2]


@dataclass(frozen=True)
class LineMap:
    """The cell lines in a space, and what places new samples beside them.

    It holds no measured response, and of patients only `CohortArea`.

    Parameters
    ----------
    space
        ``latent`` or ``pca``.
    lines, names, tissues
        Ids, names and tissue labels of the lines, in one order.
    vectors
        (n_lines, n_components) where the lines lie; each component has standard deviation 1.
    centre, spread
        (n_features,) mean and standard deviation of each feature over the lines.
    components
        (n_components, n_features), each divided by its standard deviation over the lines.
    areas
        Of cohorts.
    fingerprint
        Of the models that make the features, see `fingerprint`.
    """

    space: Space
    lines: tuple[str, ...]
    names: tuple[str, ...]
    tissues: tuple[str, ...]
    vectors: Matrix
    centre: Matrix
    spread: Matrix
    components: Matrix
    areas: tuple[CohortArea, ...]
    fingerprint: str

    @cached_property
    def typical_distance(self) -> float:
        """Median over the lines of the distance to the nearest other line."""
        apart = distances(self.vectors, self.vectors)
        np.fill_diagonal(apart, np.inf)
        return float(np.median(apart.min(axis=1)))

    @cached_property
    def explained(self) -> float:
        """Share of the standardised features' variance that the components hold, 0 to 1."""
        variances = 1 / np.square(self.components.astype(float)).sum(axis=1)
        return float(variances.sum() / (self.spread > MINIMAL_SPREAD).sum())

    @property
    def positions(self) -> Positions:
        """Where the lines themselves lie."""
        return Positions(self.space, self.lines, self.vectors)

    def table(self) -> pd.DataFrame:
        """Return one row a line: ``line``, ``name``, ``tissue``, ``x``, ``y``."""
        x, y = self.positions.coordinates.T
        columns = {"line": self.lines, "name": self.names, "tissue": self.tissues, "x": x, "y": y}
        return pd.DataFrame(columns)


def build_map(
    space: Space,
    model_set: ModelSet,
    lines: Expression,
    *,
    names: Mapping[str, str],
    tissues: Mapping[str, str],
    cohorts: Mapping[str, Expression] | None = None,
) -> LineMap:
    """Make a map of cell lines.

    Parameters
    ----------
    space
        ``latent`` or ``pca``.
    model_set
        Models that make the features.
    lines
        (n_lines, n_genes) log2(TPM + 1) of the training lines.
    names, tissues
        Line id to its name (the id itself where it has none) and its tissue label.
    cohorts
        Code to log2(TPM + 1) of patients; those with fewer than `MINIMAL_COHORT` are left out.

    Raises
    ------
    ConfigError
        If there is no such space, or the set lacks the model of the latent space.
    InputDataError
        If there are not more lines than components.
    """
    if len(lines.samples) <= N_COMPONENTS:
        raise InputDataError(
            f"A map of {N_COMPONENTS} components needs more lines than that; there are "
            f"{len(lines.samples)}.",
            remedy="Use the whole training set.",
        )
    found = features(space, model_set, Samples(lines, reference=CELL_LINES))
    centre, spread = found.mean(axis=0), np.maximum(found.std(axis=0), MINIMAL_SPREAD)
    components = _components((found - centre) / spread)
    drawn = LineMap(
        space=space,
        lines=tuple(lines.samples),
        names=tuple(names.get(line, line) for line in lines.samples),
        tissues=tuple(tissues[line] for line in lines.samples),
        vectors=_project(found, centre, spread, components),
        centre=centre,
        spread=spread,
        components=components,
        areas=(),
        fingerprint=fingerprint(space, model_set),
    )
    areas = [_area(drawn, model_set, code, cohort) for code, cohort in (cohorts or {}).items()]
    return replace(drawn, areas=tuple(area for area in areas if area is not None))


def locate(line_map: LineMap, model_set: ModelSet, samples: Samples) -> Positions:
    """Place samples on a map, each on its own.

    Parameters
    ----------
    line_map
        Where.
    model_set
        The models that the map was made with.
    samples
        Patients with reference ``tumours``, cell lines with ``cell_lines``. A gene that was not
        measured is read as the mean of the reference: with many of them missing, a sample lies
        nearer to the middle than it should.

    Raises
    ------
    ArtifactError
        If the map was made with other models.
    GeneCoverageError, ConfigError
        As the models' own reading of samples.
    """
    if fingerprint(line_map.space, model_set) != line_map.fingerprint:
        raise ArtifactError(
            f"The map ({line_map.space}) was made with other models than {model_set.name}.",
            remedy=RESTORE,
        )
    found = features(line_map.space, model_set, samples)
    vectors = _project(found, line_map.centre, line_map.spread, line_map.components)
    return Positions(line_map.space, tuple(samples.expression.samples), vectors)


def features(space: Space, model_set: ModelSet, samples: Samples) -> Matrix:
    """Return (n_samples, n_features) what a space is made of, before it is scaled.

    Raises
    ------
    ConfigError
        If there is no such space, or the set lacks the model of the latent space.
    """
    model = _model(space, model_set)
    if space == "pca":
        return model.standardise(samples)
    return _latent_means(model, model.inputs(samples))


def fingerprint(space: Space, model_set: ModelSet) -> str:
    """Return a digest (hex) of genes, moments and latent weights: another training, another one."""
    model = _model(space, model_set)
    digest = hashlib.sha256("\x1f".join([space, *model.genes_]).encode())
    for reference in sorted(model.moments_):
        digest.update(model.moments_[reference].mean.tobytes())
        digest.update(model.moments_[reference].sd.tobytes())
    if space == "latent":
        for networks in model.networks_:
            for network in networks:
                digest.update(network.mean.weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def distances(first: Matrix, second: Matrix) -> NDArray[np.float64]:
    """Return (n_first, n_second) Euclidean distances."""
    rows = [np.linalg.norm(second.astype(float) - row.astype(float), axis=1) for row in first]
    return np.stack(rows) if rows else np.empty((0, len(second)))


def to_tables(maps: Sequence[LineMap]) -> dict[str, pd.DataFrame]:
    """Return maps as tables, under 1 MB for both spaces.

    Returns
    -------
    dict
        ``line_map``: a row a space and line, with ``line``, ``name``, ``tissue`` and its place
        ``c01``, ``c02``, …; ``line_map_axes``: a row a space and feature, with ``fingerprint``,
        ``centre``, ``spread`` and the feature's part in every component; ``cohort_map``: a row a
        space and cohort, with ``n_patients``, ``x``, ``y``, ``var_x``, ``var_y`` and ``cov_xy``.
    """
    return {
        LINE_TABLE: pd.concat([_line_rows(one) for one in maps], ignore_index=True),
        AXES_TABLE: pd.concat([_axes_rows(one) for one in maps], ignore_index=True),
        COHORT_TABLE: pd.DataFrame(
            [_area_row(one.space, area) for one in maps for area in one.areas],
            columns=AREA_COLUMNS,
        ),
    }


def from_tables(tables: Mapping[str, pd.DataFrame], space: Space) -> LineMap:
    """Read one map back from what `to_tables` returned.

    Raises
    ------
    ArtifactError
        If a table lacks the space, or a column.
    """
    try:
        lines, axes, cohorts = (
            tables[name][tables[name]["space"] == space]
            for name in (LINE_TABLE, AXES_TABLE, COHORT_TABLE)
        )
        return LineMap(
            space=space,
            lines=tuple(lines["line"].astype(str)),
            names=tuple(lines["name"].astype(str)),
            tissues=tuple(lines["tissue"].astype(str)),
            vectors=np.ascontiguousarray(lines[COMPONENTS].to_numpy(np.float32)),
            centre=axes["centre"].to_numpy(np.float32),
            spread=axes["spread"].to_numpy(np.float32),
            components=np.ascontiguousarray(axes[COMPONENTS].to_numpy(np.float32).T),
            areas=tuple(_area_of(row) for row in cohorts.to_dict("records")),
            fingerprint=str(axes["fingerprint"].iloc[0]),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ArtifactError(
            f"The tables hold no map of the space {space!r} ({error!r}).", remedy=RESTORE
        ) from error


def _line_rows(line_map: LineMap) -> pd.DataFrame:
    head = {"line": line_map.lines, "name": line_map.names, "tissue": line_map.tissues}
    rows = pd.DataFrame({"space": line_map.space, **head})
    return rows.join(pd.DataFrame(line_map.vectors, columns=COMPONENTS))


def _axes_rows(line_map: LineMap) -> pd.DataFrame:
    head = {"centre": line_map.centre, "spread": line_map.spread}
    rows = pd.DataFrame({"space": line_map.space, "fingerprint": line_map.fingerprint, **head})
    return rows.join(pd.DataFrame(line_map.components.T, columns=COMPONENTS))


def _area_row(space: Space, area: CohortArea) -> tuple[str | int | float, ...]:
    ((var_x, cov_xy), (_, var_y)) = area.covariance.tolist()
    return (space, area.code, area.n_patients, *area.centre.tolist(), var_x, var_y, cov_xy)


def _area_of(row: Mapping[Hashable, Any]) -> CohortArea:
    centre = np.array([row["x"], row["y"]], np.float32)
    covariance = [[row["var_x"], row["cov_xy"]], [row["cov_xy"], row["var_y"]]]
    return CohortArea(
        str(row["cohort"]), int(row["n_patients"]), centre, np.array(covariance, np.float32)
    )


def _model(space: Space, model_set: ModelSet) -> ResVAE:
    if space not in SPACES:
        raise ConfigError(
            f"{space!r} is no space that lines are mapped in.",
            remedy=f"Use one of: {', '.join(SPACES)}.",
        )
    model = model_set.model(LATENT_MODEL)
    assert isinstance(model, ResVAE)
    return model


def _latent_means(model: ResVAE, inputs: Matrix) -> Matrix:
    """Return (n_samples, n_networks · n_latent) means μ of every network, side by side."""
    import torch

    parts = []
    for network in (one for networks in model.networks_ for one in networks):
        device = next(network.parameters()).device
        with torch.inference_mode():
            parts.append(network.latent(torch.from_numpy(inputs).to(device)).cpu().numpy())
    means: Matrix = np.concatenate(parts, axis=1)
    return means


def _components(standardised: Matrix) -> Matrix:
    """Return (n_components, n_features) principal components, each divided by its spread."""
    values = standardised.astype(float)
    _, singular, directions = np.linalg.svd(values, full_matrices=False)
    directions = directions[:N_COMPONENTS]
    # libraries differ in the sign: the largest part of each direction is positive
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    spread = singular[:N_COMPONENTS] / np.sqrt(len(values))
    scaled: Matrix = (directions / spread[:, None]).astype(np.float32)
    return scaled


def _project(found: Matrix, centre: Matrix, spread: Matrix, components: Matrix) -> Matrix:
    vectors = ((found - centre) / spread).astype(float) @ components.astype(float).T
    return np.ascontiguousarray(vectors, np.float32)


def _area(
    line_map: LineMap, model_set: ModelSet, code: str, cohort: Expression
) -> CohortArea | None:
    """Return where a cohort lies, None where it is too small to be shown."""
    if len(cohort.samples) < MINIMAL_COHORT:
        return None
    places = locate(line_map, model_set, Samples(cohort, reference=TUMOURS)).coordinates
    centre, covariance = places.mean(axis=0), np.cov(places.T)
    return CohortArea(code, len(places), centre, covariance.astype(np.float32))
