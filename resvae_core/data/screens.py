"""The training set: expression of cell lines, and how they responded to each drug."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from resvae_core.data import depmap
from resvae_core.data.drugs import Drug, load_drugs
from resvae_core.data.files import file_digest, require_files
from resvae_core.data.gdsc import UNCLASSIFIED, read_response, read_response_and_tissues
from resvae_core.data.receipts import finish_installations, read_receipts, require_intact
from resvae_core.data.symbols import current_symbols
from resvae_core.errors import InputDataError
from resvae_core.tables import Expression, Screen

RELEASE_82 = "GDSC2_r8.2"
EXPRESSION_FILE = "gdsc/expression_panel.parquet"
LINES_FILE = "gdsc/expression_lines.parquet"
CELL_LINES_FILE = "gdsc/cell_lines.parquet"
RESPONSE_FILE = "gdsc/response.parquet"
TRAINING_FILES = (EXPRESSION_FILE, LINES_FILE, CELL_LINES_FILE, RESPONSE_FILE)

# where official files lie; each pattern finds exactly one file
OFFICIAL_PATTERNS = (
    "depmap/OmicsExpression*TPMLogp1*.csv",
    "depmap/Model.csv",
    "gdsc/GDSC1_fitted_dose_response*",
    "gdsc/GDSC2_fitted_dose_response*",
)

MISASSIGNED_LINES = {
    "ACH-001321": "TT (medullary thyroid) carries the profile of T-T (squamous oesophagus): r = "
    "0.9997, TP63 high and RET low in both. A collision of names in the source.",
}
"""Lines of the development data that are left out, and why."""

MERGED_LABELS = {"COAD/READ": "COREAD"}


SYNTHETIC = "synthetic"
"""What ``expr_source`` says of a line that was drawn from a generator."""

RuleName = Literal["catalogue", "lowest_share"]


@dataclass(frozen=True)
class LabelRule:
    """When a line counts as sensitive to a drug.

    Parameters
    ----------
    name
        ``catalogue`` (the thresholds of the drug catalogue), or ``lowest_share`` (a quantile of
        the measured training lines' ln IC50, drug by drug).
    share
        The quantile of ``lowest_share``, 0 to 1; NaN for ``catalogue``.
    thresholds
        Drug to threshold, ln(µM), of ``lowest_share``; empty for ``catalogue``, whose thresholds
        stand in the catalogue.
    """

    name: RuleName = "catalogue"
    share: float = float("nan")
    thresholds: Mapping[str, float] = field(default_factory=dict)


CATALOGUE_RULE = LabelRule()


@dataclass(frozen=True)
class Survey:
    """What a data folder would train on, told without its expression values.

    Parameters
    ----------
    screen
        As `TrainingSet.screen`.
    n_sites
        Sites of origin, as `read_sites` gives them.
    n_genes
        Genes whose expression is installed.
    genome_wide
        Whether they are those of official files, rather than the development data's panel.
    synthetic
        As `TrainingSet.synthetic`.
    """

    screen: Screen
    n_sites: int
    n_genes: int
    genome_wide: bool
    synthetic: bool = False


@dataclass(frozen=True)
class TrainingSet:
    """Cell lines with expression and drug response, and where each came from.

    Parameters
    ----------
    expression
        (n_lines, n_genes), log2(TPM + 1). Index: DepMap ids.
    screen
        The same lines in the same order; drugs in the order of the catalogue.
    digests
        File name (relative to the data folder) to SHA-256 (hex) of every file that was read.
    sources
        (n_drugs, n_releases) number of measured lines of each drug by release. Index: drug names.
        Columns: ``GDSC1``, ``GDSC2`` and ``GDSC2_r8.2``.
    label_rule
        What the labels of `screen` follow.
    releases
        File name to the release that it is of, and when it was installed, for files that were
        fetched; empty for the development data.
    synthetic
        Whether lines were drawn from a generator: then nothing here counts as a measurement.
    """

    expression: Expression
    screen: Screen
    digests: dict[str, str]
    sources: pd.DataFrame
    label_rule: LabelRule = CATALOGUE_RULE
    releases: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False

    def describe_sources(self) -> str:
        """Say in one sentence how many measurements come from which release, or that none does."""
        totals = self.sources.sum()
        if self.synthetic:
            n_pairs = f"{int(totals.sum()):,} made-up pairs of line and drug"
            return f"Synthetic data, no measurement: {n_pairs}."
        parts = [f"{count:,} from {name}" for name, count in totals.items() if count]
        return f"{int(totals.sum()):,} measured pairs of line and drug: {', '.join(parts)}."


def load_training_set(folder: Path, *, include_release_82: bool = True) -> TrainingSet:
    """Load the expression of cell lines and their responses.

    Parameters
    ----------
    folder
        Folder of installed data: the files of `TRAINING_FILES`, or, where the expression panel is
        absent, the official files of `OFFICIAL_PATTERNS`.
    include_release_82
        Fill lines that the current GDSC2 release lacks (those without a TCGA type) from release
        8.2 of the same screen, for drugs whose two releases agree (``uses_release_82`` in the
        drug catalogue). They are measurements; pairs that nobody measured stay NaN. It changes
        nothing on official files, which are of one release.

    Returns
    -------
    TrainingSet
        668 lines × 682 genes × 72 drugs on the development data.

    Raises
    ------
    InputDataError
        If a file is missing, or the expression and the list of lines disagree.
    ArtifactError
        If a file that was fetched is not what it was.
    """
    developed = (folder / EXPRESSION_FILE).is_file()
    values, lines, response, names = _developed(folder) if developed else _official(folder)
    drugs = list(load_drugs().values())
    screen, sources = build_screen(response, lines, drugs, include_release_82)
    digests = {name: file_digest(folder / name) for name in names}
    require_intact(folder, [folder / name for name in names], digests)
    releases = _releases(folder, names)
    return TrainingSet(
        Expression(values),
        screen,
        digests,
        sources,
        releases=releases,
        synthetic="expr_source" in lines and bool(lines["expr_source"].eq(SYNTHETIC).any()),
    )


def survey(folder: Path) -> Survey:
    """Say what `load_training_set` would find: lines, responses, number of genes.

    Raises
    ------
    InputDataError
        As `load_training_set`.
    """
    if not is_genome_wide(folder):
        training_set = load_training_set(folder)
        n_sites = read_sites(folder, training_set).nunique()
        n_genes = len(training_set.expression.genes)
        return Survey(training_set.screen, n_sites, n_genes, False, training_set.synthetic)
    found = _find_official(folder)
    ids, n_genes = depmap.read_outline(found[0])
    lines, response = _official_lines(found, ids)
    screen, _ = build_screen(response, lines, list(load_drugs().values()))
    return Survey(screen, screen.tissue.nunique(), n_genes, True)


def source_files(folder: Path) -> list[Path]:
    """Return the files that `load_training_set` reads; those that are missing are left out."""
    patterns = OFFICIAL_PATTERNS if is_genome_wide(folder) else TRAINING_FILES
    return [path for pattern in patterns for path in sorted(folder.glob(pattern))]


def require_source_files(folder: Path) -> None:
    """Check that the files that `load_training_set` reads are there, without reading tables.

    Raises
    ------
    InputDataError
        If a file is missing, or there are several of one kind.
    ArtifactError
        If a file that was fetched is not what it was.
    """
    if is_genome_wide(folder):
        _find_official(folder)
    else:
        require_files(folder, TRAINING_FILES)


def read_line_names(folder: Path) -> dict[str, str]:
    """Return the name of each cell line, by its DepMap id."""
    if is_genome_wide(folder):
        table = depmap.read_models(_find_official(folder)[1])
    else:
        table = read_lines(folder)
    return {str(line): str(name) for line, name in table["cell_line_name"].dropna().items()}


def is_genome_wide(folder: Path) -> bool:
    """Tell whether `load_training_set` reads official files, which hold the whole genome."""
    return not (folder / EXPRESSION_FILE).is_file()


def restrict(
    training_set: TrainingSet, drugs: Sequence[str] = (), genes: Collection[str] | None = None
) -> TrainingSet:
    """Return a training set of some drugs and genes; the lines stay.

    Parameters
    ----------
    drugs
        Names, in any order: the result keeps the catalogue's. Where empty, every drug of which
        there is a measurement.
    genes
        Those that are kept, where the expression has them; all where None.

    Raises
    ------
    InputDataError
        If a drug that is named was never measured on these lines, or no gene is left.
    """
    measured = training_set.screen.ln_ic50.notna().any()
    unmeasured = [name for name in drugs if not measured.get(name, False)]
    if unmeasured:
        raise InputDataError(
            f"The installed data have no measurement of {', '.join(unmeasured)}.",
            remedy="Leave them out, or install the GDSC release that has them.",
        )
    wanted = set(drugs) or {str(name) for name in measured.index[measured]}
    return _of_genes(_of_drugs(training_set, wanted), genes)


def _of_drugs(training_set: TrainingSet, wanted: Collection[str]) -> TrainingSet:
    screen, sources = training_set.screen, training_set.sources
    kept = [name for name in screen.drugs if name in wanted]
    if len(kept) == len(screen.drugs):
        return training_set
    chosen = Screen(screen.ln_ic50[kept], screen.resistant[kept], screen.tissue)
    return replace(training_set, screen=chosen, sources=sources.loc[kept])


def _of_genes(training_set: TrainingSet, genes: Collection[str] | None) -> TrainingSet:
    values = training_set.expression.values
    kept = [name for name in values.columns if genes is None or name in genes]
    if len(kept) == values.shape[1]:
        return training_set
    if not kept:
        raise InputDataError(
            f"The expression of the lines has none of the {len(genes or ())} genes asked for.",
            remedy="Check that its columns are gene symbols, or train on all of its genes.",
        )
    return replace(training_set, expression=Expression(values[kept]))


def relabel(training_set: TrainingSet, share: float) -> TrainingSet:
    """Label each drug's lowest share of measured training lines as sensitive.

    The thresholds come from every line, those of later test folds too: they are a convention of
    what is called sensitive, as a published threshold is, and no model reads them.

    Parameters
    ----------
    share
        Quantile of ln IC50, above 0 and below 1.

    Raises
    ------
    InputDataError
        If a drug was never measured.
    """
    ln_ic50 = training_set.screen.ln_ic50
    limits = ln_ic50.quantile(share)
    if limits.isna().any():
        raise InputDataError(
            f"{limits.index[limits.isna()][0]} was measured on no line: it has no quantile.",
            remedy="Leave out drugs without measurements first.",
        )
    thresholds = {str(name): float(limit) for name, limit in limits.items()}
    screen = Screen(ln_ic50, label_resistant(ln_ic50, thresholds), training_set.screen.tissue)
    rule = LabelRule("lowest_share", share, thresholds)
    return replace(training_set, screen=screen, label_rule=rule)


def read_lines(folder: Path) -> pd.DataFrame:
    """Read the cell lines of the development data that have expression of their own.

    Parameters
    ----------
    folder
        Folder of installed data.

    Returns
    -------
    pd.DataFrame
        Index ``depmap_id``; columns ``cosmic_id``, ``cell_line_name``, ``expr_source`` and
        ``tissue``: the TCGA label of the line (COAD/READ and COREAD are one), else GDSC's first
        tissue descriptor in lower case (for example ``bone``), else ``other``.
    """
    lines = pd.read_parquet(folder / LINES_FILE).set_index("depmap_id")
    lines = lines.drop(index=list(MISASSIGNED_LINES), errors="ignore")
    descriptors = pd.read_parquet(folder / CELL_LINES_FILE, columns=["cosmic_id", "tissue1"])
    tissue1 = lines["cosmic_id"].map(descriptors.set_index("cosmic_id")["tissue1"])
    lines["tissue"] = _tissue(lines["tcga"], tissue1)
    return lines[["cosmic_id", "cell_line_name", "expr_source", "tissue"]]


def read_sites(folder: Path, training_set: TrainingSet) -> pd.Series[str]:
    """Read the broad site of origin of each training line: coarser than its tissue.

    ``leave_tissue_out`` holds out sites, so that lung lines without a TCGA label do not stay in
    training while the labelled ones are held out.

    Returns
    -------
    pd.Series
        (n_lines,) GDSC's first tissue descriptor where the development data are installed, else the
        tissue itself. Index: the lines of the screen.
    """
    tissue = training_set.screen.tissue
    if not (folder / LINES_FILE).is_file():
        return tissue
    lines = pd.read_parquet(folder / LINES_FILE).set_index("depmap_id").loc[tissue.index]
    descriptors = pd.read_parquet(folder / CELL_LINES_FILE, columns=["cosmic_id", "tissue1"])
    site = lines["cosmic_id"].map(descriptors.set_index("cosmic_id")["tissue1"])
    return site.fillna(tissue).astype(str).rename("site")


def build_screen(
    response: pd.DataFrame,
    lines: pd.DataFrame,
    drugs: Iterable[Drug],
    include_release_82: bool = True,
) -> tuple[Screen, pd.DataFrame]:
    """Arrange responses as lines × drugs and label them by each drug's threshold.

    Parameters
    ----------
    response
        As from :func:`resvae_core.data.gdsc.read_response`.
    lines
        Index: names of the lines wanted; columns ``cosmic_id`` and ``tissue``.
    drugs
        Drugs wanted, in order.
    include_release_82
        As in :func:`load_training_set`.

    Returns
    -------
    Screen
        Sensitive (0) where ln IC50 is at or below the drug's threshold, else resistant (1); NaN
        where the pair was not measured.
    pd.DataFrame
        (n_drugs, 3) measured lines by release, as ``TrainingSet.sources``.
    """
    ids = pd.Index(lines["cosmic_id"].to_numpy(np.int64))
    by_drug = dict(tuple(response[response["cosmic_id"].isin(ids)].groupby("drug_id")))
    nothing = response.iloc[:0]
    columns, counts = {}, {}
    for drug in drugs:
        measured = by_drug.get(drug.drug_id, nothing)
        values, release = _measurements(measured, drug, include_release_82)
        columns[drug.name] = values.reindex(ids).to_numpy()
        counts[drug.name] = release.value_counts()
    ln_ic50 = pd.DataFrame(columns, index=lines.index)
    thresholds = {drug.name: drug.threshold_ln_ic50 for drug in drugs}
    sources = pd.DataFrame(counts).T.reindex(columns=["GDSC1", "GDSC2", RELEASE_82])
    screen = Screen(ln_ic50, label_resistant(ln_ic50, thresholds), lines["tissue"])
    return screen, sources.fillna(0).astype(int)


def label_resistant(ln_ic50: pd.DataFrame, thresholds: dict[str, float]) -> pd.DataFrame:
    """Label each measured pair: 0 (sensitive) at or below the drug's threshold, 1 above it.

    Parameters
    ----------
    ln_ic50
        (n_lines, n_drugs) ln(µM), NaN where not measured.
    thresholds
        Drug to threshold, ln(µM).

    Returns
    -------
    pd.DataFrame
        (n_lines, n_drugs) float64, NaN exactly where `ln_ic50` is.
    """
    limits = np.array([thresholds[str(name)] for name in ln_ic50.columns])
    resistant = ln_ic50.gt(limits, axis=1).astype(np.float64)
    return resistant.where(ln_ic50.notna())


def _measurements(
    measured: pd.DataFrame, drug: Drug, include_release_82: bool
) -> tuple[pd.Series[float], pd.Series[str]]:
    """Give ln IC50 by COSMIC id, and the release each comes from."""
    releases: list[str] = [drug.screen]
    if include_release_82 and drug.uses_release_82:
        releases.append(RELEASE_82)
    chosen = pd.concat([measured[measured["dataset"] == name] for name in releases])
    chosen = chosen.drop_duplicates("cosmic_id", keep="first").set_index("cosmic_id")
    return chosen["ln_ic50"], chosen["dataset"]


def _developed(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[str]]:
    """Read the development data: expression, lines, responses, names of the files."""
    require_files(folder, TRAINING_FILES)
    values, lines = pd.read_parquet(folder / EXPRESSION_FILE), read_lines(folder)
    values = values.drop(index=list(MISASSIGNED_LINES), errors="ignore")
    if set(values.index) != set(lines.index):
        raise InputDataError(
            f"{EXPRESSION_FILE} and {LINES_FILE} list different cell lines.",
            remedy="Install both from the same release.",
        )
    response = read_response(folder / RESPONSE_FILE)
    return current_symbols(values), lines.loc[values.index], response, list(TRAINING_FILES)


def _official(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[str]]:
    """Read the official files: expression, lines, responses, names of the files."""
    found = _find_official(folder)
    values = depmap.read_expression(found[0]).values
    lines, response = _official_lines(found, values.index)
    used = [path.relative_to(folder).as_posix() for path in found]
    return values.loc[lines.index], lines, response, used


def _official_lines(found: Sequence[Path], ids: pd.Index[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the lines that have expression and a response, with their tissue, and the responses."""
    _, models, *responses = found
    read = [read_response_and_tissues(path) for path in responses]
    response = pd.concat([table for table, _ in read], ignore_index=True)
    labels = read[0][1] | read[1][1]
    lines = depmap.read_models(models)
    lines = lines[lines.index.isin(ids) & lines["cosmic_id"].isin(response["cosmic_id"])]
    lines["tissue"] = _tissue(lines["cosmic_id"].map(labels), lines["lineage"])
    return lines, response


def _find_official(folder: Path) -> list[Path]:
    """Find the official files, as whole as they were installed."""
    finish_installations(folder)
    found = [_find(folder, pattern) for pattern in OFFICIAL_PATTERNS]
    require_intact(folder, found)
    return found


def _releases(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the release of each file that has a receipt."""
    return {
        file.path: f"{receipt.release}, installed {receipt.installed_at[:10]}"
        for receipt in read_receipts(folder).values()
        for file in receipt.files
        if file.path in set(names)
    }


def _find(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    raise InputDataError(
        f"The data folder has no {EXPRESSION_FILE}, and of {pattern} it has {names}; expected "
        "one file.",
        remedy="Fetch one (python -m resvae_core data fetch gdsc), or keep one release of each "
        "official file.",
    )


def _tissue(label: pd.Series[str], descriptor: pd.Series[str]) -> pd.Series[str]:
    """Take the TCGA label; where there is none the descriptor; where there is none ``other``."""
    known = label.replace(MERGED_LABELS).where(~label.isin(UNCLASSIFIED))
    return known.fillna(descriptor.str.lower()).fillna("other")
