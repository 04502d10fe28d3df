"""Whether explanations add up, repeat, depend on the model and hold still, and how long they take.

    PYTHONPATH=. python benchmarks/attribution.py --data ../shared/data --refits artifacts/refits

Prints one table a part. ``--part`` chooses parts: additivity and randomisation need no data;
stability and speed read the LUAD cohort; refits fits every model four times more (to labels
permuted three times, and with another seed), about twenty minutes, and keeps the fits in the
folder of ``--refits`` for the next time. Nothing of a single patient is printed, but of the
synthetic demo patients.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.compute import derive_seed, one_thread
from resvae_core.config import ASSETS
from resvae_core.data.cohorts import load_cohort
from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.data.transfer_drugs import load_transfer_drugs
from resvae_core.data.uploads import read_expression
from resvae_core.explain.attribution import (
    Background,
    attribute_set,
    attribution_matrix,
    matrices_of_set,
)
from resvae_core.explain.sanity import LIMIT, comparison_table, randomise
from resvae_core.explain.stability import (
    over_backgrounds,
    over_folds,
    over_seeds,
)
from resvae_core.models.base import TUMOURS, ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.catalog import build_model, learned_names, load_model, with_needs
from resvae_core.models.model_set import ModelSet
from resvae_core.models.ranking import FIVE
from resvae_core.registry.store import load_model_set
from resvae_core.registry.training_run import load_tumours
from resvae_core.tables import Expression, Screen

COHORT = "LUAD"
N_PATIENTS = 32
"""Patients of the cohort whose explanations are compared, evenly spaced."""
N_COHORT = 500
"""Patients of the cohort that the time for a beeswarm is taken on."""
N_TOP = (20, 50)
N_PERMUTATIONS = 3
"""One permutation says little: all drugs share it, and with it what it has in common by chance."""


def main() -> None:
    """Print the tables of the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--refits", type=Path)
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    model_set = load_model_set()
    for part in options.part:
        print(f"\n## {part}\n", flush=True)
        PARTS[part](model_set, options)


def demo_patients(model_set: ModelSet) -> Samples:
    """Return the four synthetic demo patients."""
    return model_set.samples(read_expression(ASSETS / "demo" / "patients.csv.gz").expression)


def cohort_patients(model_set: ModelSet, options: argparse.Namespace, n: int) -> Samples:
    """Return n patients of the cohort, evenly spaced."""
    values = load_cohort(options.data, COHORT, form="log2tpm").expression.values
    places = np.linspace(0, len(values) - 1, n).round().astype(int)
    return model_set.samples(Expression(values.iloc[places]))


def drugs_of_cohort() -> list[str]:
    """Return the nine drugs that the cohort is looked at for."""
    return [entry.drug for entry in load_transfer_drugs()[COHORT]]


def report_additivity(model_set: ModelSet, options: argparse.Namespace) -> None:
    """Print how far base + attributions are from the score, and whether a second run differs."""
    stories = json.loads((ASSETS / "demo" / "patients.json").read_text(encoding="utf-8"))
    everyone = demo_patients(model_set)
    profile = Samples(everyone.expression.select(("DEMO-2",)))
    background = Background("DEMO-2", "the sensitive demo patient", profile.expression)
    gaps: dict[str, list[str]] = {kind: [] for kind in model_set.learned}
    same = dict.fromkeys(model_set.learned, True)
    for story in stories:
        one = everyone.select((story["sample"],))
        for base in (None, background):
            first, again = (
                attribute_set(model_set, one, story["drug"], background=base) for _ in range(2)
            )
            for kind in gaps:
                gaps[kind].append(f"{first[kind].completeness_error:.0e}")
                same[kind] &= first[kind].table.equals(again[kind].table)
    names = [story["sample"] for story in stories]
    heads = [f"{name}, {base}" for name in names for base in ("own base", "against DEMO-2")]
    print("| model | " + " | ".join(heads) + " | second run |")
    print("|---|" + "---|" * (len(heads) + 1))
    for kind, found in gaps.items():
        verdict = "identical" if same[kind] else "DIFFERS"
        print(f"| {kind} | {' | '.join(found)} | {verdict} |")
    drugs = list(model_set.drugs)
    widest = dict.fromkeys(gaps, 0.0)
    for (kind, _), parts in matrices_of_set(model_set, everyone, drugs).items():
        widest[kind] = max(widest[kind], parts.completeness_error)
    print(f"\nLargest gap over the demo patients × {len(drugs)} drugs:\n")
    print("| model | largest gap, log-odds |\n|---|---|")
    for kind, gap in widest.items():
        print(f"| {kind} | {gap:.1e} |")


def report_randomisation(model_set: ModelSet, options: argparse.Namespace) -> None:
    """Print how attributions correlate with those of randomised copies of the models."""
    ones = learned(model_set)
    others = {kind: randomise(model) for kind, model in ones.items()}
    print_comparison(ones, others, demo_patients(model_set))


def report_refits(model_set: ModelSet, options: argparse.Namespace) -> None:
    """Print how attributions depend on the labels and on the seed."""
    samples, ones = demo_patients(model_set), learned(model_set)
    training_set = load_training_set(options.data)
    for number in range(N_PERMUTATIONS):
        screen = permute(training_set.screen, number)
        permuted = fit_again(training_set, screen, options, f"permutation_{number}")
        print(f"Labels permuted, draw {number + 1} (every line has another's responses):\n")
        print_comparison(ones, permuted, samples)
        counts = ", ".join(f"{kind} {n_silent(model)}" for kind, model in permuted.items())
        print(f"\nOf {len(model_set.drugs)} drugs, calibration gives these slope 0: {counts}.\n")
    second = fit_again(training_set, training_set.screen, options, "seed_1", seed=1)
    print("The same labels with another seed, and so on other folds:\n")
    print_comparison(ones, second, samples, judged=False)
    sets = [model_set, replace(model_set, models=second)]
    tables = [over_seeds(sets, samples, drug, n_top=N_TOP) for drug in drugs_of_cohort()]
    print("\nOverlap of the leading genes over the two seeds:\n")
    print_overlap(pd.concat(tables))


def report_stability(model_set: ModelSet, options: argparse.Namespace) -> None:
    """Print how far the leading genes overlap over members and backgrounds."""
    samples = cohort_patients(model_set, options, N_PATIENTS)
    cohort = load_cohort(options.data, COHORT, form="log2tpm").expression
    backgrounds = [None, Background.mean_of(COHORT, cohort)]
    tables = []
    for drug in drugs_of_cohort()[:3]:
        tables.append(over_folds(model_set, samples, drug, n_top=N_TOP))
        tables.append(over_backgrounds(model_set, samples, drug, backgrounds, n_top=N_TOP))
    print(f"{N_PATIENTS} patients of {COHORT}, {', '.join(drugs_of_cohort()[:3])}:\n")
    print_overlap(pd.concat(tables))


def report_speed(model_set: ModelSet, options: argparse.Namespace) -> None:
    """Print how long one sample takes with all models, and a cohort with the ensemble."""
    one = demo_patients(model_set).select(("DEMO-1",))
    print("| what | seconds |\n|---|---|")
    start = time.perf_counter()
    attribute_set(model_set, one, "Cisplatin")
    print(f"| 1 sample, 1 drug, all 7 models, first call | {time.perf_counter() - start:.2f} |")
    warm = timed(lambda: attribute_set(model_set, one, "Cisplatin"), 20)
    print(f"| 1 sample, 1 drug, all 7 models, warm (median of 20) | {warm:.3f} |")
    for kind, model in learned(model_set).items():
        alone = timed(partial(attribution_matrix, model, one, "Cisplatin"), 10)
        print(f"| 1 sample, 1 drug, {kind}, warm (median of 10) | {alone:.3f} |")
    many = cohort_patients(model_set, options, N_COHORT)
    once = timed(lambda: matrices_of_set(model_set, many, ["Cisplatin"], kinds=["ensemble"]), 1)
    print(f"| {N_COHORT} patients, 1 drug, ensemble (and so its five models) | {once:.1f} |")
    drugs = drugs_of_cohort()
    nine = timed(lambda: matrices_of_set(model_set, many, drugs, kinds=FIVE), 1, warm=False)
    print(f"| {N_COHORT} patients, {len(drugs)} drugs, the five models | {nine:.1f} |")


PARTS: dict[str, Callable[[ModelSet, argparse.Namespace], None]] = {
    "additivity": report_additivity,
    "randomisation": report_randomisation,
    "refits": report_refits,
    "stability": report_stability,
    "speed": report_speed,
}


def learned(model_set: ModelSet) -> dict[str, ResponseModel]:
    """Return the models that learn from expression."""
    return {kind: model_set.model(kind) for kind in model_set.learned}


def fit_again(
    training_set: TrainingSet,
    screen: Screen,
    options: argparse.Namespace,
    name: str,
    *,
    seed: int = 0,
) -> dict[str, ResponseModel]:
    """Fit every learned model to a screen, or read it back."""
    samples = Samples(training_set.expression, training_set.screen.tissue)
    tumours = list(load_tumours(options.data).values())
    fitted: dict[str, ResponseModel] = {}
    for kind in with_needs(learned_names()):
        folder = options.refits / name / kind
        if folder.is_dir():
            model = load_model(folder)
            model.build_from(fitted)
        else:
            model = build_model(kind, seed=seed)
            model.build_from(fitted)
            with one_thread():
                model.fit(samples, screen)
            assert isinstance(model, CalibratedModel)
            model.add_reference(TUMOURS, tumours)
            model.save(folder)
        fitted[kind] = model
    return fitted


def permute(screen: Screen, number: int) -> Screen:
    """Give every line the responses of another."""
    rng = np.random.default_rng(derive_seed("permuted labels", number))
    order = rng.permutation(len(screen.lines))
    ln_ic50, resistant = (
        frame.iloc[order].set_axis(frame.index) for frame in (screen.ln_ic50, screen.resistant)
    )
    return Screen(ln_ic50, resistant, screen.tissue)


def n_silent(model: ResponseModel) -> int:
    """Return for how many drugs calibration found that the score tells nothing."""
    return int((model.calibration_.slope == 0).sum()) if isinstance(model, CalibratedModel) else 0


def print_comparison(
    ones: Mapping[str, ResponseModel],
    others: Mapping[str, ResponseModel],
    samples: Samples,
    *,
    judged: bool = True,
) -> None:
    """Print rank correlations by model: their mean, and the largest of a drug and of a patient."""
    table = comparison_table(ones, others, samples, drugs_of_cohort())
    heads = ["model", "mean", "one drug", "one drug and patient", "of sizes, mean"]
    heads += [f"every drug below {LIMIT}"] if judged else []
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for kind, rows in table.groupby("model", sort=False):
        mean, sizes = rows["spearman"].mean(), rows["spearman_of_sizes"].mean()
        drug, single = (largest(rows[name]) for name in ("spearman", "largest"))
        verdict = f" {'yes' if rows['spearman'].abs().max() < LIMIT else 'no'} |" if judged else ""
        print(f"| {kind} | {mean:+.3f} | {drug:+.3f} | {single:+.3f} | {sizes:.3f} |{verdict}")


def largest(values: pd.Series[float]) -> float:
    """Return the value that is furthest from 0."""
    return float(values.iloc[values.abs().argmax()])


def print_overlap(table: pd.DataFrame) -> None:
    """Print the mean Jaccard overlap by model, what differs, and number of leading genes."""
    means = table.groupby(["model", "over", "k"], sort=False)["jaccard"].mean().unstack([1, 2])
    print("| model | " + " | ".join(f"{name[0]}, top {name[1]}" for name in means.columns) + " |")
    print("|---|" + "---|" * means.shape[1])
    for kind, row in zip(means.index, means.to_numpy(), strict=True):
        print(f"| {kind} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


def timed(call: Callable[[], object], repeats: int, *, warm: bool = True) -> float:
    """Return the median seconds of a call, after one to warm up."""
    if warm:
        call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
