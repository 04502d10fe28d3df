"""``enrich`` on the shipped pathways, on a file, and without any collection."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.access.audit import find_lines
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli import enrich as module
from resvae_core.cli.main import main
from resvae_core.config import models_folder
from resvae_core.data import gene_sets
from resvae_core.data.pathways import load_pathways
from resvae_core.database import close_databases
from resvae_core.explain.enrichment import COLUMNS
from resvae_core.models.base import read_model_document
from tests.core.data.local_host import serving
from tests.core.data.test_gene_sets import GMT, archive

BASKET = "EGFR,KRAS,BRAF,ERBB2,TP53"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RESVAE_GENE_SETS", str(tmp_path / "sets"))
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    yield tmp_path / "sets"
    close_databases()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of one call."""
    with pytest.raises(SystemExit) as stopped:
        main(["enrich", *arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def table(out: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(out))


def test_a_basket_is_tested_against_the_models_genes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--genes", f"{BASKET},NOT-A-GENE", "--gmt", "pathways")
    found = table(out)
    assert code == 0
    assert list(found.columns) == COLUMNS
    assert found.loc[0, "set"] == "RTK-RAS"
    assert found.loc[0, "genes"] == "BRAF; EGFR; ERBB2; KRAS"
    assert found["background_size"].eq(682).all()
    assert "background: the genes that the models read (682 genes)" in err
    assert "Left out, 1: NOT-A-GENE" in err


def test_a_gene_outside_of_the_models_widens_the_background(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, err = run(capsys, "--genes", f"{BASKET},OPALIN", "--gmt", "pathways")
    assert "all protein-coding genes" in err
    assert table(out)["background_size"].gt(18_000).all()


def test_files_of_genes_and_of_values(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    basket, values, genome = (tmp_path / n for n in ("basket.txt", "values.tsv", "genome.txt"))
    panel = read_model_document(models_folder() / "vae_ld")["genes"]
    basket.write_text("\n".join(BASKET.split(",")) + "\n\n")
    genome.write_text("\n".join([*panel[:-1], "KRAS"]))
    values.write_text("".join(f"{gene}\t{number - 300}\n" for number, gene in enumerate(panel)))
    chosen = ("--gmt", "pathways")
    _, out, err = run(capsys, "--genes-file", str(basket), *chosen, "--background", str(genome))
    assert table(out).loc[0, "set"] == "RTK-RAS"
    assert "background: genome.txt (681 genes)" in err
    out_file = tmp_path / "found.csv"
    code, _, err = run(capsys, "--genes-file", str(values), *chosen, "--out", str(out_file))
    assert code == 0
    assert pd.read_csv(out_file)["nes"].notna().all()
    assert "the ranked genes (682 genes)" in err
    _, out, _ = run(capsys, "--genes-file", str(values), *chosen, "--method", "ora", "--top", "40")
    assert table(out)["nes"].isna().all()


def test_shipped_biomarkers_are_ranked_or_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = read_model_document(models_folder() / "vae_ld")["genes"]
    rows = pd.DataFrame({"gene": [*panel, "OPALIN", "TFF1"], "effect": range(684)})
    rows["kind"] = ["attributed"] * 682 + ["associated"] * 2
    rows = rows.assign(cohort="LUAD", drug="Gefitinib")
    tables = {"biomarkers": rows, "cohort_genes": rows[["cohort", "gene"]]}
    monkeypatch.setattr(module, "load_evidence", lambda name, folder: tables[name])
    luad = ("--cohort", "luad", "--drug", "Iressa", "--gmt", "pathways")
    code, out, _ = run(capsys, *luad)
    assert code == 0
    assert table(out)["nes"].notna().all()
    _, out, _ = run(capsys, *luad, "--method", "ora", "--top", "100")
    assert table(out)["background_size"].eq(682).all()
    code, _, err = run(capsys, *luad, "--kind", "associated", "--method", "prerank")
    assert (code, "A ranking was expected" in err) == (2, True)
    code, _, err = run(capsys, "--cohort", "LUAD", "--drug", "Cisplatin", "--gmt", "pathways")
    assert (code, "no attributed genes of Cisplatin in LUAD" in err) == (2, True)
    assert "Gefitinib" in err


def test_genes_of_a_cohort_are_tested_against_those_that_it_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = read_model_document(models_folder() / "vae_ld")["genes"]
    pathways = load_pathways().sets
    others = [gene for gene in dict.fromkeys(sum(pathways.values(), ())) if gene not in panel]
    assert len(others) > 40
    measured = pd.DataFrame({"gene": [*panel[::2], *others[:40]]}).assign(cohort="PAAD")
    rows = pd.DataFrame({"gene": [*panel[::2], *others[:8]]})
    rows["kind"] = ["attributed"] * 341 + ["associated"] * 8
    rows = rows.assign(effect=range(349), cohort="PAAD", drug="Gemcitabine")
    tables = {"biomarkers": rows, "cohort_genes": measured}
    monkeypatch.setattr(module, "load_evidence", lambda name, folder: tables[name])
    paad = ("--cohort", "PAAD", "--drug", "Gemcitabine", "--gmt", "pathways", "--method", "ora")
    code, out, err = run(capsys, *paad)
    assert code == 0
    assert table(out)["background_size"].eq(341).all()
    assert "the genes that are measured in PAAD and that the models read (341 genes)" in err
    code, out, err = run(capsys, *paad, "--kind", "associated")
    assert code == 0
    assert table(out)["background_size"].eq(40).all()
    assert "the models do not read (40 genes)" in err
    tables["cohort_genes"] = measured.assign(cohort="BLCA")
    code, _, err = run(capsys, *paad, "--kind", "associated")
    assert (code, "measured in PAAD is not recorded" in err) == (2, True)
    assert "What to do:" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "0 sources of genes were named"),
        (("--genes", BASKET, "--genes-file", "x"), "2 sources of genes were named"),
        (("--genes", BASKET, "--cohort", "LUAD", "--drug", "Gefitinib"), "2 sources of genes"),
        (("--cohort", "LUAD"), "one of the two is missing"),
        (("--genes", BASKET), "No collection of gene sets is installed"),
        (("--genes", BASKET, "--gmt", "absent.gmt"), "There is no gene-set file absent.gmt"),
        (("--genes", " , ", "--gmt", "pathways"), "The basket is empty"),
        (("--genes", "OPALIN", "--gmt", "pathways"), "is in any of the"),
        (("--genes", BASKET, "--gmt", "pathways", "--method", "prerank"), "A ranking was expected"),
        (("--genes-file", "absent.txt", "--gmt", "pathways"), "cannot be read as text"),
    ],
)
def test_what_cannot_be_tested_is_explained(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "What to do:" in err
    assert "Traceback" not in err + out


def test_a_heading_in_a_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    path.write_text("gene,effect\nEGFR,1\n")
    code, _, err = run(capsys, "--genes-file", str(path), "--gmt", "pathways")
    assert code == 2
    assert "Gene 1 of values.csv stands as 'gene effect'" in err


def test_fetch_and_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    code, out, _ = run(capsys, "--list")
    assert code == 0
    assert "shipped: Ten signalling pathways" in out
    assert "enrich --fetch" in out
    with serving() as host:
        host.content = archive(ReactomePathways=GMT)
        from_host = partial(gene_sets.fetch_reactome, url=f"{host.url}/file")
        monkeypatch.setattr(gene_sets, "fetch_reactome", from_host)
        code, out, _ = run(capsys, "--fetch")
        assert code == 0
        assert "CC0" in out
        assert "nobody vouches for it" in out
        _, out, _ = run(capsys, "--fetch")
        assert "The same as it was fetched before." in out
        host.content, host.tag = archive(ReactomePathways=GMT + "New\t\tTP53\n"), '"two"'
        _, out, _ = run(capsys, "--fetch")
        assert "Another one than before" in out
        code, _, err = run(capsys, "--fetch", "--sha256", "0" * 64)
        assert (code, "expected 000" in err) == (2, True)
    _, out, _ = run(capsys, "--list")
    assert str(folder / "ReactomePathways.gmt") in out
    lines = find_lines(actor=COMMAND_LINE)
    assert {(one.action, one.subject) for one in lines} == {("data.fetched", "data:gene-sets")}
