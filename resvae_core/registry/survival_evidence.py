"""Survival by the leading genes, as the aggregates that travel with the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from scipy.stats import false_discovery_control

from resvae_core.errors import SurvivalDataError
from resvae_core.models.patients import Patients
from resvae_core.survival.aggregate import Aggregate, aggregate_survival
from resvae_core.tables import SurvivalOutcome

Tables = dict[str, pd.DataFrame]

N_GENES = 5
"""Genes of each kind a cohort and drug whose curves travel."""
MINIMAL_VOTES = 3


def leading_genes(
    biomarkers: pd.DataFrame, named: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the genes of each cohort whose survival curves travel.

    Parameters
    ----------
    biomarkers
        The biomarker table.
    named
        Cohort to genes that are always kept: those that the method's paper names.

    Returns
    -------
    dict
        Cohort to genes in alphabetical order: the `N_GENES` of each drug and kind with the largest
        effect that at least `MINIMAL_VOTES` models agree on, and the named ones.
    """
    agreed = biomarkers[biomarkers["votes"] >= MINIMAL_VOTES]
    ordered = agreed.sort_values("effect", key=abs, ascending=False, kind="stable")
    leading = ordered.groupby(["cohort", "drug", "kind"], sort=False).head(N_GENES)
    genes = {str(code): set(rows["gene"]) for code, rows in leading.groupby("cohort")}
    return {
        code: sorted(genes.get(code, set()) | set(named.get(code, ())))
        for code in dict.fromkeys([*genes, *named])
    }


def survival_tables(
    cohorts: Mapping[str, Patients],
    outcomes: Mapping[str, SurvivalOutcome],
    genes: Mapping[str, Sequence[str]],
) -> Tables:
    """Divide each cohort by each gene at its median and compare overall survival.

    Parameters
    ----------
    cohorts, outcomes
        Code to patients, and to their overall survival.
    genes
        Code to genes; one that cannot be compared (not measured, most values tied, a group under
        10) is left out.

    Returns
    -------
    dict
        ``survival_curves``, ``survival_groups`` and ``survival_tests``, each with cohort and gene;
        the tests with ``q_value`` of the Cox regression, Benjamini–Hochberg over all of them.
    """
    found: dict[str, list[pd.DataFrame]] = {"curves": [], "groups": [], "tests": []}
    for code, names in genes.items():
        for gene in names:
            aggregate = _compare(cohorts[code], outcomes[code], gene)
            if aggregate is None:
                continue
            tables = {
                "curves": aggregate.curves,
                "groups": aggregate.groups,
                "tests": pd.DataFrame([aggregate.test]),
            }
            for name, table in tables.items():
                labelled = table.copy()
                labelled.insert(0, "cohort", code)
                labelled.insert(1, "gene", gene)
                found[name].append(labelled)
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}
    p_values = joined["tests"]["hr_p_value"].to_numpy(float)
    joined["tests"]["q_value"] = false_discovery_control(p_values)
    return {f"survival_{name}": table for name, table in joined.items()}


def _compare(patients: Patients, outcome: SurvivalOutcome, gene: str) -> Aggregate | None:
    if gene not in patients.values.columns:
        return None
    known = [name for name in outcome.patients if name in patients.values.index]
    values = patients.values.loc[known, gene].dropna()
    try:
        aggregate = aggregate_survival(outcome, values)
    except SurvivalDataError:
        return None
    left_out = len(patients.values) - len(values)
    return replace(aggregate, test=aggregate.test | {"n_excluded": left_out})
