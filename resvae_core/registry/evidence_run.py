"""From cohorts and a model set to the evidence that is shipped beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.compute import one_thread
from resvae_core.data.cohorts import load_cohort
from resvae_core.data.screens import TrainingSet, load_training_set, read_line_names
from resvae_core.data.transfer_drugs import TRANSFER_COHORTS, load_transfer_drugs
from resvae_core.evaluation.alignment import alignment_effect
from resvae_core.evaluation.clinical_response import response_table
from resvae_core.evaluation.cohort_scores import score_quantiles
from resvae_core.evaluation.transfer import transfer_table
from resvae_core.explain.associations import standardise_genes
from resvae_core.explain.attribution import Parts, matrices_of_set
from resvae_core.explain.biomarkers import biomarker_table, shipped_rows
from resvae_core.explain.cohort_reading import CohortReading, read_patients, score_patients
from resvae_core.explain.maps import SPACES, build_map, to_tables
from resvae_core.explain.named_panel import CLAIMS, named_panel
from resvae_core.explain.neighbours import agreement_of_neighbours
from resvae_core.features.distribution import quantile_table
from resvae_core.models.model_set import ModelSet
from resvae_core.models.patients import Patients, load_patients
from resvae_core.registry.evidence import ALIGNMENT, RESPONSE
from resvae_core.registry.evidence_needs import tables_left_out
from resvae_core.registry.evidence_steps import (
    Compute,
    Keep,
    Tables,
    compute_anew,
    read_slopes,
    slopes_table,
)
from resvae_core.registry.survival_evidence import leading_genes, survival_tables
from resvae_core.registry.training_run import load_tumours
from resvae_core.tables import Expression

Report = Callable[[str], None]
"""Takes what is computed next, in words."""

N_BANDS = 30
"""Genes of each cohort, drug and model whose attributions are summarised."""
QUANTILES = {"q10": 0.10, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9}


@dataclass(frozen=True)
class Findings:
    """What was computed.

    Parameters
    ----------
    tables
        As `evidence.save_evidence` takes them. No row is a patient's.
    left_out
        Tables that the installed data do not suffice for, each with what is missing.
    """

    tables: Tables
    left_out: dict[str, str]


def build_evidence(
    folder: Path, model_set: ModelSet, *, report: Report, keep: Keep = compute_anew
) -> Findings:
    """Compute every table of the evidence that the installed data suffice for.

    Parameters
    ----------
    folder
        Folder of installed data: cell lines, cohorts with survival; recorded responses and
        z-scores of cohorts where they are installed, see `evidence_needs`.
    model_set
        What predicts.
    report
        Told before each step.
    keep
        Asked for the tables of each step; see `evidence_steps.KeptSteps`.

    Raises
    ------
    InputDataError
        If data are not installed.
    """
    missing, tables = tables_left_out(folder), Tables()

    def step(words: str, name: str, compute: Compute) -> None:
        if name in missing:
            report(f"{words}: left out, because {missing[name]}")
            return
        report(words)
        tables.update(keep(name, compute))

    step(
        "transfer: scores of five cohorts",
        "transfer",
        lambda: {"transfer_tasks": transfer_table(folder, model_set)},
    )
    step("recorded response", RESPONSE, lambda: {RESPONSE: response_table(folder, model_set)})
    step("what z-scores lose", ALIGNMENT, lambda: {ALIGNMENT: alignment_effect(folder, model_set)})
    cohorts = {code: load_patients(folder, code, model_set) for code in TRANSFER_COHORTS}
    slopes, bands = _attributions(cohorts, model_set, report, keep)
    tables["cohort_attributions"] = pd.concat(bands, ignore_index=True)
    step("biomarkers", "biomarkers", lambda: _findings(cohorts, model_set, slopes))
    step(
        "survival by leading genes",
        "survival",
        lambda: _survival(folder, cohorts, tables["biomarkers"]),
    )
    tumours = load_tumours(folder)
    # of other cohorts in log2(TPM + 1) the level is that of another gene model and quantifier
    comparable = {code: tumours[code] for code in cohorts if code in tumours}
    step(
        "scores of every drug",
        "scores",
        lambda: {
            "score_quantiles": score_quantiles(comparable, model_set),
            "expression_quantiles": expression_quantiles(tumours, model_set.genes),
        },
    )
    step(
        "maps and neighbours",
        "maps",
        lambda: {
            "cohort_profiles": mean_profiles(tumours, model_set.genes),
            "cohort_genes": measured_genes(cohorts),
            **_maps(folder, model_set, load_training_set(folder), tumours),
        },
    )
    return Findings(tables, missing)


def cohort_sizes(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return code to number of patients of the cohorts of the transfer."""
    sizes = tables["transfer_tasks"].drop_duplicates("cohort").set_index("cohort")["n_patients"]
    return {str(code): int(n) for code, n in sizes.items()}


def mean_profiles(cohorts: Mapping[str, Expression], genes: tuple[str, ...]) -> pd.DataFrame:
    """Return the mean of each model gene in each cohort: what explanations can start from.

    Returns
    -------
    DataFrame
        Columns cohort, gene, mean (log2(TPM + 1)), n_patients.
    """
    parts = []
    for code, cohort in cohorts.items():
        means = cohort.values.reindex(columns=list(genes)).mean().dropna()
        columns = {"cohort": code, "gene": means.index, "mean": means.to_numpy(float)}
        parts.append(pd.DataFrame({**columns, "n_patients": len(cohort.values)}))
    return pd.concat(parts, ignore_index=True)


def expression_quantiles(cohorts: Mapping[str, Expression], genes: tuple[str, ...]) -> pd.DataFrame:
    """Return how the expression of the models' genes is distributed in the reference tumours.

    Returns
    -------
    DataFrame
        As `features.distribution.quantile_table`, over the patients of all cohorts.
    """
    parts = [
        cohort.values.reindex(columns=list(genes)).to_numpy(float) for cohort in cohorts.values()
    ]
    return quantile_table(pd.DataFrame(np.concatenate(parts))).round(4)


def measured_genes(cohorts: Mapping[str, Patients]) -> pd.DataFrame:
    """Return the genes that could have been found in each cohort: measured, and varying enough."""
    rows = []
    for code, patients in cohorts.items():
        varies = np.isfinite(standardise_genes(patients.values.to_numpy(float))).all(axis=0)
        assessable = np.flatnonzero(varies)
        rows += [(code, gene) for gene in sorted(map(str, patients.values.columns[assessable]))]
    return pd.DataFrame(rows, columns=["cohort", "gene"])


def attribution_bands(
    parts: Mapping[tuple[str, str], Parts],
    code: str,
    genes: tuple[str, ...],
    n_genes: int = N_BANDS,
) -> pd.DataFrame:
    """Return how attributions spread over the patients of a cohort, for the genes that count.

    Parameters
    ----------
    parts
        (model, drug) to attributions, columns as in `genes`.
    code
        Of the cohort.
    genes
        Of the models, in their order.
    n_genes
        How many are kept of each model and drug.

    Returns
    -------
    DataFrame
        Columns cohort, drug, model, gene, `QUANTILES` (log-odds of resistance), n_patients; genes
        by mean absolute attribution, largest first.
    """
    rows = []
    for (model, drug), found in parts.items():
        leading = np.argsort(-np.abs(found.values).mean(axis=0), kind="stable")[:n_genes]
        spread = np.quantile(found.values[:, leading], list(QUANTILES.values()), axis=0)
        rows.append(
            pd.DataFrame(
                {
                    **{"cohort": code, "drug": drug, "model": model},
                    "gene": np.array(genes, dtype=object)[leading],
                    **dict(zip(QUANTILES, spread, strict=True)),
                    "n_patients": len(found.values),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _attributions(
    cohorts: Mapping[str, Patients], model_set: ModelSet, report: Report, keep: Keep
) -> tuple[Tables, list[pd.DataFrame]]:
    """Return the slopes of each cohort, and how attributions spread in those with a level."""
    slopes, bands = {}, []
    for code, patients in cohorts.items():
        report(f"attributions of {code} ({len(patients.values)} patients)")
        found = keep(f"attributions-{code}", partial(_explain, patients, model_set))
        slopes[code] = found["slopes"]
        if not patients.aligned:  # of z-scores the level is not known
            bands.append(found["bands"])
    return slopes, bands


def _explain(patients: Patients, model_set: ModelSet) -> Tables:
    drugs = [entry.drug for entry in load_transfer_drugs()[patients.code]]
    samples = model_set.samples(patients.expression)
    with one_thread():
        parts = matrices_of_set(model_set, samples, drugs)
        reading = read_patients(model_set, patients, drugs, matrices=parts)
    return {
        "slopes": slopes_table(reading.slopes, reading.member_slopes, reading.genes),
        "bands": attribution_bands(parts, patients.code, model_set.genes),
    }


def _findings(
    cohorts: Mapping[str, Patients], model_set: ModelSet, slopes: Mapping[str, pd.DataFrame]
) -> Tables:
    """Return biomarkers and the paper's genes."""
    readings: dict[str, CohortReading] = {}
    for code, patients in cohorts.items():
        of_models, of_members = read_slopes(slopes[code])
        with one_thread():
            scored = score_patients(model_set, patients)
        readings[code] = replace(scored, slopes=of_models, member_slopes=of_members)
    return {
        "biomarkers": shipped_rows(biomarker_table(readings.values())),
        "named_panel": named_panel(readings),
    }


def _survival(folder: Path, cohorts: Mapping[str, Patients], biomarkers: pd.DataFrame) -> Tables:
    named: dict[str, list[str]] = {}
    for claim in CLAIMS:
        named.setdefault(claim.cohort, []).append(claim.gene)
    outcomes = {code: load_cohort(folder, code).outcome("OS") for code in cohorts}
    return survival_tables(cohorts, outcomes, leading_genes(biomarkers, named))


def _maps(
    folder: Path,
    model_set: ModelSet,
    training_set: TrainingSet,
    tumours: Mapping[str, Expression],
) -> Tables:
    screen = training_set.screen
    tissues = {str(line): str(tissue) for line, tissue in screen.tissue.items()}
    names = read_line_names(folder)
    maps = [
        build_map(
            space, model_set, training_set.expression, names=names, tissues=tissues, cohorts=tumours
        )
        for space in SPACES
    ]
    agreement = [agreement_of_neighbours(one, screen) for one in maps]
    return {**to_tables(maps), "neighbour_agreement": pd.concat(agreement, ignore_index=True)}
