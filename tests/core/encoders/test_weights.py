"""Known weights, digests and who vouches for them, licence first."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import pytest

from resvae_core.data.download import Fetched
from resvae_core.encoders import weights as module
from resvae_core.encoders.catalog import NAMES, OFFICIAL, SHIPPED, load_encoder
from resvae_core.encoders.weights import (
    DIGESTS_FILE,
    EncoderWeights,
    WeightFile,
    fetch_weights,
    find_weights,
    list_weights,
    verify_weights,
)
from resvae_core.errors import ArtifactError, CatalogError, ConfigError, DownloadError
from tests.core.data import local_host

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SHA256 = re.compile(r"^[0-9a-f]{64}$")
PINNED = re.compile(r"^https://huggingface\.co/ctheodoris/Geneformer/resolve/[0-9a-f]{40}/\S+$")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep fetched encoders in a folder of the test."""
    monkeypatch.setenv("RESVAE_ENCODERS", str(tmp_path / "encoders"))
    return tmp_path / "encoders"


def weights(*files: WeightFile) -> EncoderWeights:
    return EncoderWeights(
        "toy", "v1", "Toy, 7 bytes", "Free", "https://licence", "https://home", "Nobody", files
    )


def local(sha256: str | None = None) -> EncoderWeights:
    return weights(WeightFile("toy.bin", None, 7, sha256))


@pytest.mark.parametrize("known", list_weights(), ids=lambda known: known.name)
def test_every_known_weight_has_licence_citation_and_fixed_addresses(known: EncoderWeights) -> None:
    assert known.encoder in OFFICIAL
    assert known.licence
    assert known.licence_url.startswith("https://")
    assert known.homepage.startswith("https://")
    assert known.citation
    for file in known.files:
        assert file.sha256 is None or SHA256.match(file.sha256)
        assert file.url is None or PINNED.match(file.url)
        assert file.url is None or file.url.endswith(f"/{file.path}")


def test_weights_are_found_by_encoder_and_by_variant() -> None:
    assert find_weights("geneformer").name == "geneformer/v1-12l"
    assert find_weights("geneformer/v2-104m").variant == "v2-104m"
    with pytest.raises(CatalogError, match="'large' is no encoder whose weights can be fetched"):
        find_weights("large")


def test_catalogue_names_shipped_and_official_encoders() -> None:
    assert NAMES == ("large", "small", "scfoundation", "geneformer")
    assert SHIPPED + OFFICIAL == NAMES
    with pytest.raises(CatalogError, match="'bert' is no encoder") as refused:
        load_encoder("bert")
    assert "scfoundation" in refused.value.remedy


@pytest.mark.parametrize("name", OFFICIAL)
def test_encoder_that_is_not_installed_says_how_to_get_it(name: str) -> None:
    with pytest.raises(ArtifactError, match="is not installed") as refused:
        load_encoder(name, device="cpu")
    assert f"encoders fetch {name}/" in refused.value.remedy
    assert "--accept-licence" in refused.value.remedy


def test_nothing_happens_before_the_licence_is_accepted(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "mine.bin"
    source.write_bytes(CONTENT)
    with pytest.raises(ConfigError, match="licence of Toy, 7 bytes was not accepted: Free") as no:
        fetch_weights(local(), accept_licence=False, source=source)
    assert "https://licence" in no.value.remedy
    assert not folder.exists()


@pytest.mark.parametrize(
    ("published", "given", "voucher"),
    [(DIGEST, None, "published"), (None, None, "first use"), ("0" * 64, DIGEST, "user")],
)
def test_placed_file_and_who_vouches_for_it(
    published: str | None, given: str | None, voucher: str, tmp_path: Path
) -> None:
    source = tmp_path / "mine.bin"
    source.write_bytes(CONTENT)
    toy = local(published)
    (placed,) = fetch_weights(toy, accept_licence=True, source=source, sha256=given)
    assert (placed.path, placed.sha256, placed.voucher) == ("toy.bin", DIGEST, voucher)
    assert (toy.folder / "toy.bin").read_bytes() == CONTENT
    assert verify_weights(toy) == [placed]
    (toy.folder / "toy.bin").write_bytes(b"other")
    with pytest.raises(ArtifactError, match=f"expected {DIGEST}"):
        verify_weights(toy)


@pytest.mark.parametrize(("published", "given"), [("0" * 64, None), (None, "1" * 64)])
def test_placed_file_with_another_digest_is_refused(
    published: str | None, given: str | None, tmp_path: Path
) -> None:
    source = tmp_path / "mine.bin"
    source.write_bytes(CONTENT)
    toy = local(published)
    with pytest.raises(ArtifactError, match=f"has SHA-256 {DIGEST}; expected"):
        fetch_weights(toy, accept_licence=True, source=source, sha256=given)
    assert not (toy.folder / "toy.bin").exists()


def test_file_without_an_address_says_where_it_comes_from() -> None:
    with pytest.raises(DownloadError, match="authors give it out from a shared folder") as refused:
        fetch_weights(local(DIGEST), accept_licence=True)
    assert "--from FILE" in refused.value.remedy
    assert "https://home" in refused.value.remedy


def test_file_that_was_put_into_the_folder_by_hand_is_taken() -> None:
    toy = local(DIGEST)
    toy.folder.mkdir(parents=True)
    (toy.folder / "toy.bin").write_bytes(CONTENT)
    assert fetch_weights(toy, accept_licence=True)[0].voucher == "published"


def test_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"nowhere.bin could not be copied"):
        fetch_weights(local(), accept_licence=True, source=tmp_path / "nowhere.bin")


def test_first_use_is_recorded_and_a_later_change_refused(folder: Path) -> None:
    toy = local()
    toy.folder.mkdir(parents=True)
    (toy.folder / "toy.bin").write_bytes(CONTENT)
    (first,) = verify_weights(toy)
    assert first.voucher == "first use"
    assert json.loads((toy.folder / DIGESTS_FILE).read_text())["toy.bin"]["sha256"] == DIGEST
    (toy.folder / "toy.bin").write_bytes(b"changed")
    with pytest.raises(ArtifactError, match="what it was on first use"):
        verify_weights(toy)


@pytest.mark.parametrize(
    ("stated", "voucher"), [(DIGEST, "host"), (None, "first use"), ("published", "published")]
)
def test_fetched_file_and_who_vouches_for_it(
    stated: str | None, voucher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = DIGEST if stated == "published" else None
    toy = weights(WeightFile("toy.bin", "https://host/toy.bin", 7, published))

    def fetched(url: str, path: Path, **asked: object) -> Fetched:
        assert asked["sha256"] == published
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
        return Fetched(path, DIGEST, DIGEST if stated == DIGEST else None)

    monkeypatch.setattr(module, "download", fetched)
    assert fetch_weights(toy, accept_licence=True)[0].voucher == voucher
    assert verify_weights(toy)[0].voucher == voucher


def test_real_transfer_breaks_off_goes_on_and_is_verified() -> None:
    with local_host.serving() as host:
        file = WeightFile("toy.bin", f"{host.url}/file", None, local_host.DIGEST)
        toy = weights(file)
        host.sent_at_most = 1_000_000
        with pytest.raises(DownloadError, match="closed after 1,000,000 of 3,072,000"):
            fetch_weights(toy, accept_licence=True)
        assert not toy.installed
        host.sent_at_most = None
        (fetched,) = fetch_weights(toy, accept_licence=True)
        assert host.requests == [("/file", None), ("/file", "bytes=1000000-")]
        assert fetch_weights(toy, accept_licence=True) == [fetched]  # there already: not asked for
        assert len(host.requests) == 2
    assert fetched.voucher == "published"
    assert toy.installed
    assert verify_weights(toy) == [fetched]


def test_record_that_cannot_be_read_is_no_licence_to_trust() -> None:
    toy = local()
    toy.folder.mkdir(parents=True)
    (toy.folder / "toy.bin").write_bytes(CONTENT)
    (toy.folder / DIGESTS_FILE).write_text("[]")
    with pytest.raises(ArtifactError, match="nobody can say whether the weights are the same"):
        verify_weights(toy)


def test_installed_means_all_files_are_there() -> None:
    toy = weights(WeightFile("a", None, 1, None), WeightFile("b", None, 1, None))
    toy.folder.mkdir(parents=True)
    (toy.folder / "a").write_bytes(b"1")
    assert not toy.installed
    (toy.folder / "b").write_bytes(b"1")
    assert dataclasses.replace(toy).installed
