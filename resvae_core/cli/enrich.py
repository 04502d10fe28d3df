"""``enrich``: which gene sets a basket or a ranking of genes is enriched in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import typer

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.options import ModelsOption, OutOption, write_table
from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.drugs import find_drug
from resvae_core.data.gene_sets import (
    HOW_TO_GET,
    REACTOME_LICENCE,
    GeneSets,
    find_gene_sets,
    gene_sets_folders,
    list_gene_sets,
    read_gmt,
    recorded,
)
from resvae_core.data.pathways import PATHWAYS, load_pathways
from resvae_core.errors import ConfigError, InputDataError
from resvae_core.explain.biomarkers import ATTRIBUTED
from resvae_core.explain.enrichment import (
    Background,
    Enrichment,
    choose_background,
    current_symbols,
    genes_of_cohort,
    over_representation,
    prerank,
)
from resvae_core.jobs import data_sets
from resvae_core.jobs.data_sets import GENE_SETS, Request
from resvae_core.registry.evidence import load_evidence
from resvae_core.registry.store import load_model_set

PRERANK = "prerank"
COHORT_GENES = "cohort_genes"


@dataclass(frozen=True)
class Question:
    """What is asked: a basket, or a ranking that a basket can be cut from.

    Parameters
    ----------
    genes
        The basket; None where there is a ranking.
    ranking
        Gene to value; None where there is a basket.
    cohort
        TCGA code of the cohort that the genes were chosen in; None where nobody said.
    """

    genes: list[str] | None = None
    ranking: pd.Series[float] | None = None
    cohort: str | None = None


def enrich(
    genes: Annotated[
        str | None, typer.Option("--genes", help="Basket: symbols, separated by commas.")
    ] = None,
    genes_file: Annotated[
        Path | None,
        typer.Option("--genes-file", help="Basket, a gene a line; a ranking with a value behind."),
    ] = None,
    cohort: Annotated[
        str | None, typer.Option("--cohort", help="Shipped biomarkers: cancer type …")
    ] = None,
    drug: Annotated[str | None, typer.Option("--drug", help="… and drug.")] = None,
    kind: Annotated[
        Literal["attributed", "associated"],
        typer.Option("--kind", help="Which of them; of associated genes the strongest are there."),
    ] = "attributed",
    gmt: Annotated[
        str | None,
        typer.Option("--gmt", help="A GMT file, an installed collection, or 'pathways' (shipped)."),
    ] = None,
    method: Annotated[
        Literal["ora", "prerank"] | None,
        typer.Option("--method", help="Over-representation of a basket, or GSEA of a ranking."),
    ] = None,
    background: Annotated[
        Path | None,
        typer.Option("--background", help="Genes that could have been chosen, one a line."),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", help="Genes of a ranking that make its basket.", min=1)
    ] = 50,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch Reactome's pathways (CC0) and stop.")
    ] = False,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Digest that the fetched archive must have.")
    ] = None,
    list_sets: Annotated[
        bool, typer.Option("--list", help="List the installed collections and stop.")
    ] = False,
    models: ModelsOption = None,
    out: OutOption = None,
) -> None:
    """Test gene sets for enrichment in a basket or a ranking of genes.

    Columns: set, size, overlap, genes, p_value, q_value, es, nes, background_size. Of a basket all
    genes that could have been chosen are the background: those of --background; of shipped
    biomarkers, the genes measured in the cohort, of their kind; else the models' genes where the
    basket holds no other, or all protein-coding ones.
    """
    if fetch:
        _fetch(sha256)
        return
    if list_sets:
        _list()
        return
    if cohort is not None or drug is not None:
        _require_one_source(genes, genes_file, extra=1)
        question = _biomarkers(cohort, drug, kind, top, models)
    else:
        _require_one_source(genes, genes_file)
        question = _listed(genes, genes_file)
    collection = _collection(gmt)
    if method == PRERANK or (method is None and question.ranking is not None):
        found = _rank(question, collection, background)
    else:
        found = _test_basket(question, collection, background, top, models)
    write_table(found.table, out)
    _say(found)


def _fetch(sha256: str | None) -> None:
    """Fetch Reactome's sets, and say who vouches for the archive: its digest is what is shown."""
    typer.echo(REACTOME_LICENCE)
    folder = gene_sets_folders()[0]
    earlier = recorded(folder).get("sha256")
    request = Request(again=True, sha256=None if sha256 is None else sha256.lower())
    [fact] = data_sets.fetch(GENE_SETS, request, actor=COMMAND_LINE)
    path = folder / fact.path
    typer.echo(f"{len(read_gmt(path).sets):,} gene sets in {path}\nSHA-256 {fact.sha256}")
    if sha256 is not None:
        typer.echo("As you gave it.")
    elif earlier is None:
        typer.echo("Recorded; Reactome publishes no checksum, so nobody vouches for it.")
    elif earlier == fact.sha256:
        typer.echo("The same as it was fetched before.")
    else:
        typer.echo(f"Another one than before ({earlier}): a new release, or altered.")


def _list() -> None:
    for name, path in list_gene_sets().items():
        typer.echo(f"{name:30} {path}")
    typer.echo(f"{PATHWAYS:30} shipped: {load_pathways().source}")
    typer.echo(HOW_TO_GET.format(folder=gene_sets_folders()[0]))


def _require_one_source(genes: str | None, genes_file: Path | None, extra: int = 0) -> None:
    n_sources = (genes is not None) + (genes_file is not None) + extra
    if n_sources != 1:
        raise ConfigError(
            f"{n_sources} sources of genes were named; one was expected.",
            remedy="Use --genes, or --genes-file, or --cohort with --drug.",
        )


def _listed(genes: str | None, genes_file: Path | None) -> Question:
    return _read_genes(genes_file) if genes_file else Question(genes=(genes or "").split(","))


def _read_genes(path: Path) -> Question:
    """Read a gene a line; with a number behind it, separated by comma, tab or space, a ranking."""
    lines = [line.replace(",", " ").split() for line in _read_lines(path)]
    if all(len(line) == 1 for line in lines):
        return Question(genes=[line[0] for line in lines])
    for number, line in enumerate(lines, start=1):
        if len(line) != 2 or not _is_number(line[1]):
            raise InputDataError(
                f"Gene {number} of {path.name} stands as {' '.join(line)!r}; expected a gene, and "
                "either a number behind every gene or behind none.",
                remedy="Leave headings out, and put one gene in a line.",
            )
    values = [float(line[1]) for line in lines]
    return Question(ranking=pd.Series(values, index=[line[0] for line in lines]))


def _read_lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputDataError(
            f"{path} cannot be read as text ({type(error).__name__}).",
            remedy="Name a text file with a gene a line.",
        ) from error
    return [line for line in lines if line]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _biomarkers(
    cohort: str | None, drug: str | None, kind: str, top: int, models: Path | None
) -> Question:
    """Return a ranking of the attributed genes, all of which are shipped; else the strongest."""
    if cohort is None or drug is None:
        raise ConfigError(
            "Shipped biomarkers are of a cancer type and a drug; one of the two is missing.",
            remedy="Name both --cohort and --drug.",
        )
    code, name = find_cancer_type(cohort).code, find_drug(drug).name
    table = load_evidence("biomarkers", models)
    rows = table[(table["cohort"] == code) & (table["drug"] == name) & (table["kind"] == kind)]
    if rows.empty:
        pairs = table[["cohort", "drug"]].drop_duplicates()
        known = pairs.loc[pairs["cohort"] == code, "drug"]
        drugs, cohorts = ", ".join(known), ", ".join(pairs["cohort"].unique())
        raise InputDataError(
            f"The shipped biomarkers have no {kind} genes of {name} in {code}.",
            remedy=f"Use one of its drugs: {drugs}." if drugs else f"Use one of: {cohorts}.",
        )
    ranking = rows.set_index("gene")["effect"]
    if kind == ATTRIBUTED:
        return Question(ranking=ranking, cohort=code)
    return Question(_strongest(ranking, top), cohort=code)


def _strongest(ranking: pd.Series[float], top: int) -> list[str]:
    return [str(gene) for gene in ranking.abs().nlargest(top).index]


def _collection(gmt: str | None) -> GeneSets:
    return load_pathways() if gmt == PATHWAYS else find_gene_sets(gmt)


def _rank(question: Question, collection: GeneSets, background: Path | None) -> Enrichment:
    if question.ranking is None or background is not None:
        raise ConfigError(
            "A ranking was expected: every gene with its value, and no --background.",
            remedy="Use --method ora for a basket, or give --genes-file with every gene and its "
            "value; `biomarkers` computes all associated genes.",
        )
    return prerank(question.ranking, collection)


def _test_basket(
    question: Question,
    collection: GeneSets,
    background: Path | None,
    top: int,
    models: Path | None,
) -> Enrichment:
    ranking = question.ranking
    genes = question.genes or []
    if ranking is not None:
        genes = _strongest(ranking, top)
    return over_representation(genes, collection, _background(question, genes, background, models))


def _background(
    question: Question, genes: list[str], named: Path | None, models: Path | None
) -> Background:
    """Return the genes that could have been chosen: those that are named, or that are known."""
    if named is not None:
        return Background(named.name, frozenset(current_symbols(_read_lines(named))))
    if question.ranking is not None and question.cohort is None:
        ranked = map(str, question.ranking.index)
        return Background("the ranked genes", frozenset(current_symbols(ranked)))
    measured = None
    if question.cohort is not None:
        measured = genes_of_cohort(load_evidence(COHORT_GENES, models), question.cohort)
    panel = load_model_set(models, verify=False).genes
    return choose_background(genes, panel, cohort=measured)


def _say(found: Enrichment) -> None:
    size = found.table["background_size"].iloc[0]
    typer.echo(
        f"{found.n_tested:,} sets of {found.collection} tested; background: {found.background} "
        f"({size:,} genes).",
        err=True,
    )
    if found.left_out:
        named = ", ".join(found.left_out[:10]) + (" …" if len(found.left_out) > 10 else "")
        typer.echo(f"Left out, {len(found.left_out)}: {named}.", err=True)
