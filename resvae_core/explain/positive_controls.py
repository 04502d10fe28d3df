"""Drug and gene pairs that are known, and whether models and cell lines show them.

Measures, each on the training lines:

- *attribution*: mean |attribution| of the gene's expression to the drug's score, by model; rank
  among the genes that the models read. Models saw these lines, as members of the folds they were
  fitted on: it asks what they learned, not how well.
- *association*: |Spearman| of the gene's expression with measured ln IC50; rank among the genes
  that the models read, or, for another gene, among all that are measured on the same lines.
- *association within tissue*: the same after the tissue's mean rank is taken from both, because
  lineage confounds (lapatinib and ERBB2).
- *association in one tissue*: the same on the lines of the cancer type that the pair is known from
  in the clinic, where there is one: EGFR in lung adenocarcinoma, ERBB2 in breast cancer, MGMT in
  glioblastoma.
- *mutation*: difference of mean ln IC50, mutant minus wild type; rank by its size among the genes
  with at least ten mutant lines.

A measure passes where the gene is in the top 5 % with the expected direction; by chance about one
in forty does. It is not assessable, and passes for nobody, where the gene varies in fewer than ten
lines, or fewer than ten lines were measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from resvae_core.data.files import require_files
from resvae_core.data.screens import MISASSIGNED_LINES, TrainingSet, read_lines
from resvae_core.data.symbols import average_by_symbol
from resvae_core.explain.associations import MIN_PATIENTS, correlate
from resvae_core.explain.attribution import Progress, matrices_of_set
from resvae_core.explain.biomarkers import ASSOCIATED, ATTRIBUTED
from resvae_core.explain.cohort_reading import attribution_slopes
from resvae_core.models.base import CELL_LINES
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import ModelSet

Array = NDArray[np.float64]
Direction = Literal["resistant", "sensitive"]

ATTRIBUTION = "attribution"
ASSOCIATION, WITHIN_TISSUE = "association", "association within tissue"
IN_ONE_TISSUE = "association in {tissue}"
MUTATION = "mutation"

MIN_LINES = MIN_PATIENTS
"""Lines that a correlation needs, and lines in which a gene must be above its lowest value."""
MERGED_FILE = "gdsc/expression_merged.parquet"
MUTATION_FILE = "gdsc/mutation.parquet"
TOP_SHARE = 0.05
MIN_MUTANTS = 10
MUTANT = 0.5
"""|value| of the mutation table from which a line counts as mutant; fractions are weaker."""
COLUMNS = (
    "drug",
    "gene",
    "measure",
    "model",
    "effect",
    "rank",
    "n_genes",
    "top_share",
    "direction",
    "expected_direction",
    "passes",
    "n_lines",
    "why_not_assessable",
)


@dataclass(frozen=True)
class Control:
    """A gene that is known to matter for a drug.

    Parameters
    ----------
    drug, gene
        Name in the drug catalogue; symbol.
    expression
        What high expression of the gene is known, or expected, to go with.
    mutation
        What a mutation of it goes with; None where it is not looked at.
    tissue
        Tissue label of the lines of the cancer type that the pair is known from; None where it is
        not known from one above all.
    """

    drug: str
    gene: str
    expression: Direction
    mutation: Direction | None = None
    tissue: str | None = None


CONTROLS = (
    Control("Gefitinib", "EGFR", "sensitive", tissue="LUAD"),
    Control("Erlotinib", "EGFR", "sensitive", tissue="LUAD"),
    Control("Afatinib", "EGFR", "sensitive", tissue="LUAD"),
    Control("Lapatinib", "ERBB2", "sensitive", tissue="BRCA"),
    Control("Afatinib", "ERBB2", "sensitive", tissue="BRCA"),
    Control("Dabrafenib", "BRAF", "sensitive", mutation="sensitive"),
    Control("PLX-4720", "BRAF", "sensitive", mutation="sensitive"),
    Control("Nutlin-3a (-)", "TP53", "sensitive", mutation="resistant"),
    Control("Nutlin-3a (-)", "MDM2", "sensitive"),
    Control("Venetoclax", "BCL2", "sensitive"),
    Control("Palbociclib", "RB1", "sensitive"),
    Control("Palbociclib", "CDKN2A", "resistant"),
    Control("Topotecan", "SLFN11", "sensitive"),
    Control("Irinotecan", "SLFN11", "sensitive"),
    Control("Cisplatin", "SLFN11", "sensitive"),
    Control("Talazoparib", "SLFN11", "sensitive"),
    Control("Docetaxel", "ABCB1", "resistant"),
    Control("Paclitaxel", "ABCB1", "resistant"),
    Control("Vinblastine", "ABCB1", "resistant"),
    Control("Vinorelbine", "ABCB1", "resistant"),
    Control("Temozolomide", "MGMT", "resistant", tissue="GBM"),
)
"""The pairs of the project's list of positive controls, in its order.

Expression of a gene that acts by mutation (BRAF, TP53) is listed all the same: models read
expression and nothing else.
"""


@dataclass(frozen=True)
class _Lines:
    """What was measured on the training lines."""

    genes: pd.DataFrame
    """(n_lines, n_genes) expression, the models' genes and more; NaN where not measured."""
    panel: list[str]
    mutations: pd.DataFrame
    """(n_lines, n_genes) True for mutant; lines without data are left out."""
    ln_ic50: pd.DataFrame
    tissue: pd.Series[str]


def positive_controls(
    model_set: ModelSet,
    training_set: TrainingSet,
    folder: Path,
    progress: Progress = lambda done, total: None,
) -> pd.DataFrame:
    """Look for the known pairs.

    Parameters
    ----------
    model_set
        A set with an ensemble.
    training_set
        The lines that it was trained on.
    folder
        Folder of installed data, for genes outside the panel and for mutations.
    progress
        Called with (lines explained, lines in total).

    Returns
    -------
    pd.DataFrame
        One row a control, measure and model (every learned one for attribution, the ensemble
        first; "" else); columns `COLUMNS`. ``effect``: log-odds of resistance per SD of expression
        (attribution), Spearman's rho with ln IC50, or ln µM; ``top_share`` = rank / n_genes;
        ``passes``: in the top 5 % with the expected direction. Where the gene is not measured,
        one row that says why, with NaN; so does a measure that has too few lines, or in whose
        lines the gene hardly varies.

    Raises
    ------
    InputDataError
        If a file is missing.
    """
    lines = _read(training_set, folder)
    rows = _attributions(model_set, training_set, lines.panel, progress)
    for control in CONTROLS:
        if control.gene not in lines.genes:
            rows.append(_missing(control, f"{control.gene} is not measured"))
            continue
        rows += _associations(control, lines)
        if control.mutation:
            rows.append(_mutation(control, lines))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {(control.drug, control.gene): place for place, control in enumerate(CONTROLS)}
    place = [order[pair] for pair in zip(table["drug"], table["gene"], strict=True)]
    return table.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def best_by_kind(table: pd.DataFrame, model: str = Ensemble.kind) -> pd.DataFrame:
    """Return the best measure of each pair: one row for attribution, one for the cell lines.

    Parameters
    ----------
    table
        As `positive_controls` gives it.
    model
        The one model whose attributions count.

    Returns
    -------
    pd.DataFrame
        Columns ``drug``, ``gene``, ``kind`` (attributed or associated), ``measure``,
        ``top_share``, ``direction``, ``passes``, ``why_not_assessable``. A measure with the
        expected direction goes before one without, then the smaller share.
    """
    models = table["model"].fillna("")  # which a CSV file gives back as missing
    counted = table[models.isin(["", model])]
    kind = np.where(counted["measure"] == ATTRIBUTION, ATTRIBUTED, ASSOCIATED)
    counted = counted.assign(kind=kind, wrong=counted["direction"] != counted["expected_direction"])
    columns = ["drug", "gene", "kind", "measure", "top_share", "direction", "passes"]
    best = counted.sort_values(["wrong", "top_share"], kind="stable")
    best = best.drop_duplicates(["drug", "gene", "kind"]).sort_index()
    return best[[*columns, "why_not_assessable"]].reset_index(drop=True)


def passed_pairs(table: pd.DataFrame, genes: Sequence[str]) -> pd.DataFrame:
    """Say of each pair whose gene the models read by which measures it is found.

    Parameters
    ----------
    table
        As `positive_controls` gives it; of the models only the ensemble counts.
    genes
        Genes that the models read.

    Returns
    -------
    pd.DataFrame
        ``drug``, ``gene``, ``passes`` (by any measure), and ``measures`` that did, separated by
        ``; ``.
    """
    models = table["model"].fillna("")
    counted = table[table["gene"].isin(genes) & models.isin(["", Ensemble.kind])]
    rows = []
    for (drug, gene), pair in counted.groupby(["drug", "gene"], sort=False):
        measures = pair.loc[pair["passes"].astype(bool), "measure"]
        rows.append((drug, gene, bool(len(measures)), "; ".join(measures)))
    return pd.DataFrame(rows, columns=["drug", "gene", "passes", "measures"])


def _read(training_set: TrainingSet, folder: Path) -> _Lines:
    require_files(folder, (MERGED_FILE, MUTATION_FILE))
    panel = training_set.expression.values
    names = panel.index
    merged = pd.read_parquet(folder / MERGED_FILE).drop(
        index=list(MISASSIGNED_LINES), errors="ignore"
    )
    merged = average_by_symbol(merged).reindex(names)
    others = merged.loc[:, ~merged.columns.isin(panel.columns)]
    cosmic = read_lines(folder)["cosmic_id"].reindex(names)
    mutated = pd.read_parquet(folder / MUTATION_FILE).abs() >= MUTANT
    known = cosmic.isin(mutated.index)
    mutations = mutated.loc[cosmic[known]].set_axis(names[known], axis=0)
    return _Lines(
        genes=pd.concat([panel, others], axis=1),
        panel=[str(gene) for gene in panel.columns],
        mutations=mutations,
        ln_ic50=training_set.screen.ln_ic50,
        tissue=training_set.screen.tissue,
    )


def _attributions(
    model_set: ModelSet, training_set: TrainingSet, panel: list[str], progress: Progress
) -> list[dict[str, object]]:
    controls = [control for control in CONTROLS if control.gene in panel]
    samples = model_set.samples(training_set.expression, reference=CELL_LINES)
    kinds = sorted(model_set.learned, key=lambda kind: kind != Ensemble.kind)
    drugs = list(dict.fromkeys(control.drug for control in controls))
    found = matrices_of_set(model_set, samples, drugs, kinds=kinds, progress=progress)
    read = training_set.expression.values.reindex(columns=list(model_set.genes))
    rows = []
    for control in controls:
        at = model_set.genes.index(control.gene)
        for kind in kinds:
            values = found[kind, control.drug].values
            slope = attribution_slopes(values[:, [at]], read[[control.gene]])[0]
            size = np.abs(values).mean(axis=0)
            rows.append(
                _row(control, ATTRIBUTION, kind, slope, _rank(size, at), len(size), len(values))
            )
    return rows


def _associations(control: Control, lines: _Lines) -> list[dict[str, object]]:
    response = lines.ln_ic50[control.drug]
    used = (response.notna() & lines.genes[control.gene].notna()).to_numpy()
    genes = lines.genes[lines.panel] if control.gene in lines.panel else lines.genes
    genes = genes[used].dropna(axis="columns")
    at = list(genes.columns).index(control.gene)
    values, target = genes.to_numpy(float), response[used].to_numpy(float)[:, None]
    tissue = lines.tissue[used].to_numpy(str)
    everywhere = np.ones(len(tissue), dtype=bool)
    looks = [(ASSOCIATION, everywhere, None), (WITHIN_TISSUE, everywhere, tissue)]
    if control.tissue:
        looks.append((IN_ONE_TISSUE.format(tissue=control.tissue), tissue == control.tissue, None))
    return [
        _association(control, measure, values[here], target[here], at, groups)
        for measure, here, groups in looks
    ]


def _association(
    control: Control,
    measure: str,
    values: Array,
    target: Array,
    at: int,
    tissue: NDArray[np.str_] | None,
) -> dict[str, object]:
    """Return one look at the gene of column ``at``; given the tissues, what is left within them."""
    if len(values) < MIN_LINES:
        return _missing(control, f"only {len(values)} lines, fewer than {MIN_LINES}", measure)
    ranks, target_ranks = rankdata(values, axis=0), rankdata(target, axis=0)
    rho = correlate(ranks, target_ranks).effect[:, 0]
    if tissue is not None:
        # what hardly varies as measured does not vary more because tissues' means were taken
        varies = np.isfinite(rho)
        rho = correlate(_within(ranks, tissue), _within(target_ranks, tissue)).effect[:, 0]
        rho[~varies] = np.nan
    size = np.abs(rho)
    n_genes = int(np.isfinite(size).sum())
    return _row(control, measure, "", rho[at], _rank(size, at), n_genes, len(values))


def _mutation(control: Control, lines: _Lines) -> dict[str, object]:
    response = lines.ln_ic50[control.drug].reindex(lines.mutations.index).dropna()
    mutated = lines.mutations.loc[response.index]
    mutated = mutated.loc[:, mutated.sum() >= MIN_MUTANTS]
    if control.gene not in mutated:
        why = f"fewer than {MIN_MUTANTS} lines have a mutated {control.gene}"
        return _missing(control, why, MUTATION)
    is_mutant, values = mutated.to_numpy(float), response.to_numpy(float)
    n_mutants = is_mutant.sum(axis=0)
    of_mutants = values @ is_mutant / n_mutants
    of_others = values @ (1 - is_mutant) / (len(values) - n_mutants)
    at = list(mutated.columns).index(control.gene)
    difference = of_mutants - of_others
    rank = _rank(np.abs(difference), at)
    return _row(control, MUTATION, "", difference[at], rank, len(difference), len(values))


def _row(
    control: Control,
    measure: str,
    model: str,
    effect: float,
    rank: int,
    n_genes: int,
    n_lines: int,
) -> dict[str, object]:
    if not np.isfinite(effect):
        why = f"{control.gene} varies in fewer than {MIN_LINES} of {n_lines} lines"
        return _missing(control, why, measure, model)
    direction = "resistant" if effect > 0 else "sensitive"
    expected = _expected(control, measure)
    return {
        "drug": control.drug,
        "gene": control.gene,
        "measure": measure,
        "model": model,
        "effect": effect,
        "rank": rank,
        "n_genes": n_genes,
        "top_share": rank / n_genes,
        "direction": direction,
        "expected_direction": expected,
        "passes": rank <= TOP_SHARE * n_genes and direction == expected,
        "n_lines": n_lines,
        "why_not_assessable": "",
    }


def _missing(
    control: Control, why: str, measure: str = ASSOCIATION, model: str = ""
) -> dict[str, object]:
    return {
        "drug": control.drug,
        "gene": control.gene,
        "measure": measure,
        "model": model,
        "expected_direction": _expected(control, measure),
        "passes": False,
        "why_not_assessable": why,
    }


def _expected(control: Control, measure: str) -> Direction | None:
    return control.mutation if measure == MUTATION else control.expression


def _rank(size: Array, at: int) -> int:
    """Return the place of one gene by size, 1 = largest."""
    return 1 + int((size > size[at]).sum())


def _within(values: Array, tissue: NDArray[np.str_]) -> Array:
    """Take from each column the mean of the line's tissue."""
    table = pd.DataFrame(values)
    within: Array = (table - table.groupby(tissue).transform("mean")).to_numpy(float)
    return within
