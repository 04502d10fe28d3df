"""``data list``, ``fetch``, ``verify`` and ``remove``, and training on what was fetched."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.access.audit import entries
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.main import main
from resvae_core.config import PROJECT_ROOT
from resvae_core.data.cohorts import load_cohort
from resvae_core.data.drugs import load_drugs
from resvae_core.data.files import file_digest
from resvae_core.data.genes import load_gene_table
from resvae_core.data.screens import load_training_set
from resvae_core.data.sources import SOURCES_VARIABLE
from resvae_core.errors import ArtifactError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import TASKS
from resvae_core.registry.store import list_cards
from tests.core.data.local_host import Host, serving
from tests.core.data.official_files import (
    file_row,
    official_rows,
    write_official_release,
    write_table,
    xena_matrix,
)

N_LINES, N_GENES = 90, 400
DRUGS = ["Cisplatin", "Erlotinib", "Gemcitabine"]
CONTENT = b"id,value\n1,2\n"


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty data folder of its own, with a state of its own."""
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("RESVAE_GENE_SETS", str(tmp_path / "sets"))
    monkeypatch.setenv("RESVAE_ENCODERS", str(tmp_path / "encoders"))
    return tmp_path / "data"


@pytest.fixture
def one(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Offer one small data set that asks for its licence."""
    row = {
        "key": "one",
        "requires_acceptance": True,
        "files": [file_row(host, "x/one.csv", CONTENT)],
    }
    monkeypatch.setenv(SOURCES_VARIABLE, str(write_table(tmp_path / "t.json", [row])))
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = 0
    try:
        main(arguments)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def audited() -> list[tuple[str, str, str]]:
    table = entries(actor=COMMAND_LINE)
    return list(zip(table["action"], table["subject"], table["actor"], strict=True))


def test_list_says_what_is_there_how_large_it_is_and_where(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "data", "list")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "missing" in lines["gdsc"]
    assert "about 50.0 MB" in lines["gdsc"]
    assert "507.3 MB" in lines["depmap"]
    assert "size unknown" in lines["tcga-luad"]
    assert {"gene-sets", "encoder-geneformer-v1-12l", "clinical"} <= set(lines)
    assert str(folder) in out


def test_fetch_shows_the_licence_installs_and_is_audited(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "data", "fetch", "one")
    assert code == 2
    assert "https://example.org/licence" in out
    assert "was not accepted" in err
    assert "--accept-licence" in err
    assert audited() == []
    code, out, err = run(capsys, "data", "fetch", "one", "--accept-licence")
    assert code == 0
    assert "same as on first use" in out
    assert "one: installed in" in out
    assert (one / "x/one.csv").read_bytes() == CONTENT
    assert audited() == [("data.fetched", "data:one", "command line")]
    _, out, _ = run(capsys, "data", "fetch", "one", "--accept-licence")
    assert "already installed" in out


def test_verify_finds_an_altered_file_and_remove_takes_it_away(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "data", "fetch", "one", "--accept-licence")
    code, out, _ = run(capsys, "data", "verify", "one")
    assert (code, out.split()[0]) == (0, "intact")
    (one / "x/one.csv").write_bytes(b"id,value\n1,3\n")
    for arguments in (("data", "verify", "one"), ("data", "verify")):
        code, out, err = run(capsys, *arguments)
        assert code == 2
        assert "altered   x/one.csv" in out
        assert "the first is x/one.csv" in err
    assert "altered" in run(capsys, "data", "list")[1]
    code, out, _ = run(capsys, "data", "remove", "one")
    assert (code, out) == (0, "one: removed.\n")
    assert not (one / "x/one.csv").exists()
    code, _, err = run(capsys, "data", "remove", "one")
    assert code == 2
    assert "not installed" in err
    assert [action for action, *_ in audited()].count("data.removed") == 1


@pytest.mark.parametrize("command", ["fetch", "verify", "remove"])
def test_unknown_key_is_refused_with_the_known_ones(
    command: str, one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "data", command, "everything")
    assert code == 2
    assert "'everything' is no data set" in err
    assert "gene-sets" in err


def test_machine_without_network_places_files_that_it_has(
    one: Path, host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "one.csv").write_bytes(CONTENT)
    assert run(capsys, "data", "fetch", "one", "--from", str(given), "--accept-licence")[0] == 0
    assert host.requests == []
    assert (one / "x/one.csv").read_bytes() == CONTENT


def test_offline_host_is_an_error_with_a_remedy(
    one: Path, host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from resvae_core.data.download import ONCE
    from resvae_core.jobs import data_sets

    monkeypatch.setattr(data_sets.Request, "__init__", _impatient(data_sets.Request.__init__, ONCE))
    host.shutdown()
    host.socket.close()
    code, _, err = run(capsys, "data", "fetch", "one", "--accept-licence")
    assert code == 2
    assert "could not be reached" in err
    assert "goes on where it stopped" in err


def _impatient(original: object, patience: object) -> object:
    def init(self: object, *arguments: object, **options: object) -> None:
        original(self, *arguments, **options | {"patience": patience})  # type: ignore[operator]

    return init


def test_gene_sets_and_encoders_are_placed_verified_and_removed_by_the_same_commands(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("ReactomePathways.gmt", "Apoptosis\tR-HSA-109581\tTP53\tBAX\n")
    (given / "ReactomePathways.gmt.zip").write_bytes(stream.getvalue())
    assert run(capsys, "data", "fetch", "gene-sets", "--from", str(given))[0] == 0
    gmt = tmp_path / "sets" / "ReactomePathways.gmt"
    assert run(capsys, "data", "verify", "gene-sets")[0] == 0
    gmt.write_text("Apoptosis\tR-HSA-109581\tTP53\n")
    assert run(capsys, "data", "verify", "gene-sets")[0] == 2
    assert run(capsys, "data", "remove", "gene-sets")[0] == 0
    assert not gmt.exists()
    code, out, err = run(capsys, "data", "fetch", "encoder-scfoundation-01b")
    assert code == 2
    assert "scFoundation License" in out
    (given / "models.ckpt").write_bytes(b"not the weights")
    code, _, err = run(
        capsys,
        *("data", "fetch", "encoder-scfoundation-01b", "--from", str(given), "--accept-licence"),
    )
    assert code == 2
    assert "models.ckpt has SHA-256" in err
    assert "missing" in next(
        line for line in run(capsys, "data", "list")[1].splitlines() if "scfoundation" in line
    )


@pytest.mark.usefixtures("one")
def test_job_fetches_and_says_what_it_did(tmp_path: Path, one: Path) -> None:
    task = TASKS["fetch"]
    arguments = {"key": "one", "accept_licence": True}
    task.check(arguments)
    assert task.title_of(arguments) == "Fetch Synthetic"
    assert (task.permission, task.lane) == ("fetch", "fetch")
    context = JobContext.alone(tmp_path / "job", arguments)
    result = task.run(context)
    assert result["files"] == 1
    assert result["digests"] == {"x/one.csv": file_digest(one / "x/one.csv")}
    assert any("log" in sent and "x/one.csv" in sent["log"] for sent in context.sent)
    assert task.run(JobContext.alone(tmp_path / "job", arguments))["files"] == 0
    assert audited() == [("data.fetched", "data:one", "job")]


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": "one"}, "asked for with key"),
        ({"key": "one", "accept_licence": "yes"}, "asked for with"),
        ({"key": "one", "accept_licence": True, "url": "x"}, "asked for with"),
        ({"key": "other", "accept_licence": True}, "is no data set"),
        ({"key": "one", "accept_licence": False}, "licence of Synthetic was not accepted"),
        ({"key": "encoder-scfoundation-01b", "accept_licence": True}, "without an address"),
    ],
)
def test_job_is_refused_before_it_is_queued(arguments: dict[str, object], message: str) -> None:
    from resvae_core.errors import ResVAEError

    with pytest.raises(ResVAEError, match=message):
        TASKS["fetch"].check(arguments)


@pytest.mark.usefixtures("one")
def test_job_that_is_cancelled_keeps_what_came(tmp_path: Path, host: Host) -> None:
    from resvae_core.errors import JobCancelledError

    context = JobContext.alone(tmp_path / "job", {"key": "one", "accept_licence": True})
    context.stop()
    with pytest.raises(JobCancelledError):
        TASKS["fetch"].run(context)
    assert host.requests == []


@pytest.fixture
def official(host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve a synthetic release in the official formats under the real keys."""
    drugs = [load_drugs()[name] for name in DRUGS]
    genes = [str(name) for name in load_gene_table().symbols if name][:N_GENES]
    release = tmp_path / "release"
    write_official_release(release, drugs, N_LINES, genes)
    (release / "tcga").mkdir()
    patients = [f"TCGA-AA-{number:04d}" for number in range(6)]
    (release / "tcga/TCGA-LUAD.star_tpm.tsv.gz").write_bytes(
        xena_matrix(patients, ["ENSG00000141510.18", "ENSG00000146648.21"])
    )
    survival = pd.DataFrame({"sample": [f"{p}-01" for p in patients], "_PATIENT": patients})
    survival = survival.assign(OS=1, **{"OS.time": 100})
    survival.to_csv(
        release / "tcga/Survival_SupplementalTable_S1_20171025_xena_sp", sep="\t", index=False
    )
    table = write_table(tmp_path / "table.json", official_rows(host, release))
    monkeypatch.setenv(SOURCES_VARIABLE, str(table))
    return folder


def test_cohort_is_fetched_with_its_clinical_table_and_an_altered_one_is_not_read(
    official: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "data", "fetch", "tcga-luad")[0] == 0
    assert load_cohort(official, "LUAD").values.shape[0] == 6
    path = official / "tcga/TCGA-LUAD.star_tpm.tsv.gz"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match=r"TCGA-LUAD\.star_tpm\.tsv\.gz is not as it was") as no:
        load_cohort(official, "LUAD")
    assert "data fetch tcga-luad" in no.value.remedy


def test_byte_that_changed_unseen_is_found_by_verify_then_not_read_and_fetched_again(
    official: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "data", "fetch", "tcga-luad")
    path = official / "tcga/TCGA-LUAD.star_tpm.tsv.gz"
    kept, content = path.stat(), bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert run(capsys, "data", "verify")[0] == 2
    listed = run(capsys, "data", "list")[1]
    assert "altered" in next(line for line in listed.splitlines() if line.startswith("tcga-luad"))
    with pytest.raises(ArtifactError, match=r"TCGA-LUAD\.star_tpm\.tsv\.gz is not as it was"):
        load_cohort(official, "LUAD")
    out = run(capsys, "data", "fetch", "tcga-luad")[1]
    assert "tcga-luad: installed in" in out
    assert load_cohort(official, "LUAD").values.shape[0] == 6
    assert run(capsys, "data", "verify")[0] == 0


def test_cut_receipt_is_listed_reported_by_verify_and_removed(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "data", "fetch", "one", "--accept-licence")
    (one / "fetched/one/installed.json").write_text("{")
    code, out, _ = run(capsys, "data", "list")
    assert code == 0
    assert out.split()[:2] == ["one", "altered"]
    code, out, err = run(capsys, "data", "verify")
    assert code == 2
    assert "altered   one: The receipt" in out
    assert "the first is one" in err
    assert run(capsys, "data", "remove", "one")[:2] == (0, "one: removed.\n")
    assert run(capsys, "data", "fetch", "one", "--accept-licence")[0] == 0


def test_after_data_fetch_gdsc_one_command_trains_genome_wide_models(
    official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "data", "fetch", "gdsc", "--accept-licence")
    assert code == 0, err
    assert "as its owner publishes it" in out
    found = subprocess.run(
        [
            *(sys.executable, "-m", "resvae_core", "train", "--kind", "elastic_net"),
            *("--seeds", "1", "--jobs", "1", "--engine", "serial", "--effort", "short"),
            *("--name", "genome-tiny", "--device", "cpu", "--models", str(tmp_path / "models")),
        ],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert found.returncode == 0, found.stderr
    card = next(card for card in list_cards(tmp_path / "models") if card.kind == "elastic_net")
    training = card.document["training"]
    assert "depmap/Model.csv" in training["data_digests"]
    for path, digest in training["data_digests"].items():
        assert digest == file_digest(official / path)
        assert training["releases"][path].startswith(("GDSC release 8.5", "DepMap Public 24Q4"))
    assert any("Sanger" in terms for terms in training["licences"].values())
    text = json.dumps(card.document["limits"])
    assert "panel of cancer genes" not in text
    assert "restored from z-scores" not in text
    assert card.document["inputs"]["n_genes"] > 300
    (official / "depmap/Model.csv").write_text("ModelID\n")
    with pytest.raises(ArtifactError, match=r"depmap/Model\.csv is not as it was installed"):
        load_training_set(official)
