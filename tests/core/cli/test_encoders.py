"""``encoders list``, ``fetch`` and ``verify`` on tiny weights in the official formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resvae_core.access.audit import find_lines
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.main import main
from resvae_core.database import close_databases
from resvae_core.encoders.weights import list_weights
from tests.core.encoders.tiny import save_geneformer, save_scfoundation, trust_tiny_weights

DIGEST_OF_TINY = "first use; its owner publishes no checksum, so nobody vouches for it"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep encoders in a folder of the test, shipped ones included; the audit trail as well."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_ENCODERS", str(tmp_path / "encoders"))
    monkeypatch.setenv("RESVAE_MODELS", str(tmp_path / "models"))
    yield tmp_path / "encoders"
    close_databases()


@pytest.fixture
def tiny_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiny weights pass as official ones."""
    trust_tiny_weights(monkeypatch)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of one call."""
    with pytest.raises(SystemExit) as stopped:
        main(["encoders", *arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def recorded() -> list[tuple[str, str]]:
    """Return action and subject of each line of the audit trail, the first one first."""
    return [(line.action, line.subject) for line in reversed(find_lines(actor=COMMAND_LINE))]


def test_list_shows_size_licence_place_and_whether_it_is_installed(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    save_scfoundation(folder / "scfoundation" / "01b" / "models.ckpt")
    code, out, _ = run(capsys, "list")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["large", "missing"]
    state = {line.split()[0]: line.split()[1] for line in lines if line[0] != " "}
    assert state["scfoundation/01b"] == "installed"
    assert state["geneformer/v1-12l"] == "missing"
    for known in list_weights():
        assert known.licence in out
        assert str(known.folder) in out
    assert "1,433 MB" in out
    assert "size not published" in out


def test_fetch_shows_the_licence_and_stops_without_consent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "fetch", "scfoundation")
    assert code == 2
    assert "non-commercial research only" in out
    assert "add --accept-licence" in err
    assert recorded() == []


def test_fetch_of_scfoundation_says_where_its_authors_give_it_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = run(capsys, "fetch", "scfoundation", "--accept-licence")
    assert code == 2
    assert "github.com/biomap-research/scFoundation" in err
    assert "--from FILE" in err


def test_foreign_checkpoint_is_not_taken_for_the_published_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    mine = save_scfoundation(tmp_path / "mine.ckpt")
    code, _, err = run(capsys, "fetch", "scfoundation", "--accept-licence", "--from", str(mine))
    assert code == 2
    assert "9f40bf324d3d0084c4b288d06f5af4fddd12206e2a3f022551d12e89e33a0ea9" in err
    assert not list(folder.rglob("models.ckpt*"))


@pytest.mark.usefixtures("tiny_weights")
def test_placed_checkpoint_passes_verification(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = save_scfoundation(tmp_path / "mine.ckpt")
    code, out, _ = run(capsys, "fetch", "scfoundation", "--accept-licence", "--from", str(mine))
    assert code == 0
    assert DIGEST_OF_TINY in out
    code, out, _ = run(capsys, "verify", "scfoundation")
    assert code == 0
    assert "loads; 19,258 genes → 32 dimensions" in out
    subject = "data:encoder-scfoundation-01b"
    assert recorded() == [("data.fetched", subject), ("data.verified", subject)]


@pytest.mark.usefixtures("tiny_weights")
def test_verify_without_a_name_checks_all_that_are_installed(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    code, out, _ = run(capsys, "verify")
    assert (code, out) == (0, "No encoder is installed.\n")
    save_scfoundation(folder / "scfoundation" / "01b" / "models.ckpt")
    save_geneformer(folder / "geneformer" / "v1-10m", "v1")
    code, out, _ = run(capsys, "verify")
    assert code == 0
    assert "scfoundation/01b: loads" in out
    assert "geneformer/v1-10m: loads; 22,889 genes → 8 dimensions" in out
    with (folder / "geneformer" / "v1-10m" / "model.safetensors").open("ab") as stream:
        stream.write(b"more")
    code, out, err = run(capsys, "verify")
    assert code == 2
    assert "scfoundation/01b: loads" in out
    assert "1 of 2 encoders did not pass: geneformer/v1-10m" in err


def test_verify_of_what_is_missing_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "verify", "geneformer")
    assert code == 2
    assert "encoders fetch geneformer/v1-12l --accept-licence" in err


def test_unknown_encoder_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "fetch", "bert", "--accept-licence")
    assert code == 2
    assert "geneformer/v2-316m" in err
