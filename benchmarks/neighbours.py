"""How much the nearest cell lines tell, and which space finds the better ones.

    PYTHONPATH=. python benchmarks/neighbours.py --data ../shared/data

Each line is left out of its own neighbourhood. First every candidate space: what is read, how many
components are kept, how distances are taken. Then the two that are shipped, with intervals over
lines, and where tumours land among the lines.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from resvae_core.compute import derive_seed, one_thread
from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.explain import neighbours
from resvae_core.explain.maps import SPACES, LineMap, Space, build_map, distances, locate
from resvae_core.models.base import TUMOURS, Samples
from resvae_core.models.model_set import ModelSet
from resvae_core.models.resvae import ResVAE
from resvae_core.registry.store import load_model_set
from resvae_core.registry.training_run import load_tumours
from resvae_core.tables import Expression, Screen

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Place = Callable[[Array], Array]

K = neighbours.N_NEAREST
KEPT = (8, 16, 32, 64)
N_RESAMPLES = 500
LATENTS = ("vae_ll", "vae_ls", "vae_ld")


def main() -> None:
    """Print the tables of `neighbours.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    with one_thread():
        model_set, training_set = load_model_set(), load_training_set(folder)
        tumours = load_tumours(folder)
        print_candidates(model_set, training_set, tumours)
        print_shipped(model_set, training_set, tumours)


def print_candidates(
    model_set: ModelSet, training_set: TrainingSet, tumours: Mapping[str, Expression]
) -> None:
    """Print a row a candidate space."""
    codes = " | ".join(tumours)
    print(f"| reads | components | distance | ROC AUC | same tissue | {codes} |")
    print("|---" * (5 + len(tumours)) + "|")
    labels = training_set.screen.resistant.to_numpy(float)
    tissue = training_set.screen.tissue.to_numpy(str)
    lines = Samples(training_set.expression)
    people = {code: Samples(cohort, reference=TUMOURS) for code, cohort in tumours.items()}
    for reads in ("genes", *LATENTS):
        own = _read(model_set, reads, lines)
        theirs = {code: _read(model_set, reads, samples) for code, samples in people.items()}
        for name, distance, project in candidates(own):
            places = project(own)
            nearest = _nearest(places, places, leave_out=True)
            cells = [
                f"{mean_auc(labels, nearest).mean():.3f}",
                f"{(tissue[nearest] == tissue[:, None]).mean():.2f}",
            ]
            for code, found in theirs.items():
                lands = tissue[_nearest(project(found), places)]
                cells.append(f"{(lands == find_cancer_type(code).gdsc_tissue).mean():.2f}")
            print(f"| {reads} | {name} | {distance} | " + " | ".join(cells) + " |", flush=True)


def candidates(values: Array) -> Iterator[tuple[str, str, Place]]:
    """Yield components, distance, and the function that places samples."""
    centre, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)

    def standardise(found: Array) -> Array:
        return (found - centre) / spread

    def direct(place: Place) -> Iterator[tuple[str, Place]]:
        yield "Euclidean", place
        yield "cosine", lambda found: _unit(place(found))

    for distance, place in direct(standardise):
        yield "all", distance, place
    _, singular, directions = np.linalg.svd(standardise(values), full_matrices=False)
    for kept in KEPT:
        axes = directions[:kept].T
        scaled = axes / (singular[:kept] / np.sqrt(len(values)))
        for distance, place in direct(lambda found, axes=axes: standardise(found) @ axes):
            yield str(kept), distance, place
        for distance, place in direct(lambda found, axes=scaled: standardise(found) @ axes):
            yield str(kept), f"{distance}, components scaled", place


def print_shipped(
    model_set: ModelSet, training_set: TrainingSet, tumours: Mapping[str, Expression]
) -> None:
    """Print the two spaces as they are shipped, their difference, and where tumours land."""
    screen = training_set.screen
    tissues = screen.tissue.to_dict()
    maps: dict[Space, LineMap] = {
        space: build_map(space, model_set, training_set.expression, names={}, tissues=tissues)
        for space in SPACES
    }
    tables = {space: neighbours.agreement_of_neighbours(one, screen) for space, one in maps.items()}
    labels = screen.resistant.to_numpy(float)
    nearest = {
        space: _nearest(one.vectors, one.vectors, leave_out=True) for space, one in maps.items()
    }
    intervals = resample(labels, nearest)
    print(f"\n| space | variance held | {' | '.join(SHOWN)} | 95 % interval of ROC AUC |")
    print("|---" * (3 + len(SHOWN)) + "|")
    for space, table in tables.items():
        row = table.iloc[-1]
        cells = [f"{row[column]:.3f}" for column in SHOWN.values()]
        low, high = intervals[space]
        print(
            f"| {space} | {maps[space].explained:.2f} | {' | '.join(cells)} "
            f"| {low:.3f} to {high:.3f} |"
        )
    low, high = intervals["difference"]
    better = (tables["latent"]["roc_auc"] > tables["pca"]["roc_auc"])[:-1].sum()
    print(
        f"\nlatent minus pca: 95 % interval over lines {low:+.4f} to {high:+.4f}; "
        f"higher for {better} of {len(screen.drugs)} drugs"
    )
    for space, table in tables.items():
        drugs = table[:-1].assign(lift=table["roc_auc"] - table["tissue_roc_auc"])
        print(
            f"{space}: above the same tissue for {(drugs['lift'] > 0).sum()} of {len(drugs)} "
            f"drugs; ROC AUC {drugs['roc_auc'].min():.2f} to {drugs['roc_auc'].max():.2f}"
        )
        for words, chosen in (
            ("most", drugs.nlargest(5, "lift")),
            ("least", drugs.nsmallest(5, "lift")),
        ):
            told = [
                f"{r.drug} {r.roc_auc:.2f} ({r.tissue_roc_auc:.2f})" for r in chosen.itertuples()
            ]
            print(f"  {words}: {', '.join(told)}")
    print_by_k(maps, screen)
    print_tumours(maps, model_set, tumours)


SHOWN = {
    "ROC AUC": "roc_auc",
    "same tissue drawn": "tissue_roc_auc",
    "agreement": "agreement",
    "same tissue drawn, agreement": "tissue_agreement",
    "all lines drawn, agreement": "chance_agreement",
    "neighbours of the same tissue": "same_tissue",
    "by chance": "same_tissue_by_chance",
}


def print_by_k(maps: Mapping[Space, LineMap], screen: Screen) -> None:
    """Print how the number of neighbours matters."""
    print("\n| space | k | ROC AUC | same tissue drawn |\n|---|---|---|---|")
    for space, one in maps.items():
        for k in (5, 10, 20, 40):
            row = neighbours.agreement_of_neighbours(one, screen, k).iloc[-1]
            print(f"| {space} | {k} | {row['roc_auc']:.3f} | {row['tissue_roc_auc']:.3f} |")


def print_tumours(
    maps: Mapping[Space, LineMap], model_set: ModelSet, tumours: Mapping[str, Expression]
) -> None:
    """Print whose lines tumours lie near, and how near."""
    print(
        "\n| space | cohort | patients | neighbours from its own tissue | by chance | median "
        "distance to the nearest line (lines among each other: 1) | commonest neighbours |"
    )
    print("|---" * 7 + "|")
    for space, one in maps.items():
        tissue = pd.Series(one.tissues)
        for code, cohort in tumours.items():
            places = locate(one, model_set, Samples(cohort, reference=TUMOURS))
            near = neighbours.nearest_lines(one, places)
            own = find_cancer_type(code).gdsc_tissue
            first = near.loc[near["rank"] == 1, "relative"].median()
            common = near["tissue"].value_counts(normalize=True).head(3)
            told = ", ".join(f"{name} {share:.2f}" for name, share in common.items())
            print(
                f"| {space} | {code} | {len(places.samples)} "
                f"| {(near['tissue'] == own).mean():.2f} | {(tissue == own).mean():.2f} "
                f"| {first:.2f} | {told} |"
            )


def resample(labels: Array, nearest: Mapping[str, Indices]) -> dict[str, tuple[float, float]]:
    """Return 95 % bootstrap intervals over lines of each space's mean ROC AUC and the difference.

    Lines are drawn as those that are judged; their neighbours stay who they are.
    """
    rng = np.random.default_rng(derive_seed("neighbours benchmark"))
    shares = {space: _shares(labels, found) for space, found in nearest.items()}
    drawn = [rng.integers(0, len(labels), len(labels)) for _ in range(N_RESAMPLES)]
    values = {
        space: np.array([np.nanmean(_aucs(labels[rows], share[rows])) for rows in drawn])
        for space, share in shares.items()
    }
    values["difference"] = values["latent"] - values["pca"]
    return {name: tuple(np.quantile(v, [0.025, 0.975])) for name, v in values.items()}


def mean_auc(labels: Array, nearest: Indices) -> Array:
    """Return (n_drugs,) ROC AUC of the neighbours' mean label for the line's own."""
    return _aucs(labels, _shares(labels, nearest))


def _shares(labels: Array, nearest: Indices) -> Array:
    """Return (n_lines, n_drugs) share of resistant neighbours, NaN where too few are measured."""
    theirs = labels[nearest]
    measured = np.isfinite(theirs).sum(axis=1)
    share = np.nansum(theirs, axis=1) / np.maximum(measured, 1)
    return np.where(measured >= neighbours.MINIMAL_MEASURED, share, np.nan)


def _aucs(labels: Array, share: Array) -> Array:
    found = np.full(labels.shape[1], np.nan)
    for drug in range(labels.shape[1]):
        known = np.isfinite(labels[:, drug]) & np.isfinite(share[:, drug])
        own, ranks = labels[known, drug], rankdata(share[known, drug])
        n_one, n_zero = (own == 1).sum(), (own == 0).sum()
        if n_one and n_zero:
            found[drug] = (ranks[own == 1].sum() - n_one * (n_one + 1) / 2) / (n_one * n_zero)
    return found


def _read(model_set: ModelSet, reads: str, samples: Samples) -> Array:
    """Return what a space reads: genes, or a model's latent means side by side."""
    import torch

    model = model_set.model(LATENTS[-1] if reads == "genes" else reads)
    assert isinstance(model, ResVAE)
    if reads == "genes":
        return model.standardise(samples).astype(float)
    inputs = torch.from_numpy(model.inputs(samples))
    with torch.inference_mode():
        parts = [one.latent(inputs).numpy() for member in model.networks_ for one in member]
    return np.concatenate(parts, axis=1).astype(float)


def _unit(values: Array) -> Array:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def _nearest(places: Array, pool: Array, *, leave_out: bool = False) -> Indices:
    apart = distances(places, pool)
    if leave_out:
        np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1, kind="stable")[:, :K]


if __name__ == "__main__":
    main()
