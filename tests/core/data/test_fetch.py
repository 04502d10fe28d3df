"""Fetching data sets from a server that misbehaves: whole and right, or not at all."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from resvae_core import config
from resvae_core.config import PROJECT_ROOT
from resvae_core.data import fetch as module
from resvae_core.data.download import Patience
from resvae_core.data.fetch import (
    fetch_data_set,
    find_status,
    install_folder,
    list_data_sets,
    remove_data_set,
    verify_data_set,
)
from resvae_core.data.receipts import (
    ALTERED_FILE,
    PENDING_FILE,
    RECEIPT_FILE,
    read_receipt,
    receipt_folder,
    require_intact,
    staged_path,
    write_receipt,
)
from resvae_core.data.sources import SOURCES_VARIABLE
from resvae_core.errors import (
    ArtifactError,
    BusyError,
    ConfigError,
    DownloadError,
    JobCancelledError,
)
from resvae_core.process_locks import only_one
from tests.core.data.local_host import Host, serving
from tests.core.data.official_files import file_row, md5, sheet, write_table, xena_matrix

QUICK = Patience(attempts=3, first_wait_seconds=0.01, longest_wait_seconds=1.5, stall_seconds=0.4)
ROWS = b"".join(b"%d,%d\n" % (number, number * 7) for number in range(40_000))
CONTENT = b"id,value\n" + ROWS  # 0.5 MB
OLD = b"id,value\n1,old\n"


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def table(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes the table one of a data set ``one``, of the file x/one.csv."""

    def make(content: bytes = CONTENT, release: str = "release 1", **more: object) -> None:
        file = file_row(host, "x/one.csv", content, columns=["id", "value"], **more)
        path = tmp_path / f"table-{len(list(tmp_path.glob('table-*')))}.json"
        write_table(path, [{"key": "one", "release": release, "files": [file]}])
        monkeypatch.setenv(SOURCES_VARIABLE, str(path))

    make(md5=md5(CONTENT), size=len(CONTENT))
    return make


def fetch(folder: Path, key: str = "one", **more: object) -> list[str]:
    options: dict[str, object] = {"accept_licence": False, "patience": QUICK} | more
    receipts = fetch_data_set(key, folder, **options)  # type: ignore[arg-type]
    return [receipt.key for receipt in receipts]


def install_old(folder: Path, host: Host, table: Callable[..., None]) -> None:
    """Install an earlier release of the data set."""
    table(OLD, release="release 0")
    assert fetch(folder) == ["one"]
    table(md5=md5(CONTENT), size=len(CONTENT))
    host.requests.clear()


def assert_old_is_usable(folder: Path) -> None:
    path = folder / "x/one.csv"
    assert path.read_bytes() == OLD
    require_intact(folder, [path])
    status = find_status("one", folder)
    assert (status.state, status.release) == ("installed", "release 0")
    assert [check.state for check in verify_data_set("one", folder)] == ["intact"]
    assert sorted(p.name for p in (folder / "x").iterdir()) == ["one.csv"]


@pytest.mark.usefixtures("table")
def test_fetched_set_is_installed_with_a_receipt(host: Host, folder: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert find_status("one", folder).state == "missing"
    assert fetch(folder, progress=lambda done, total: told.append((done, total))) == ["one"]
    assert (folder / "x/one.csv").read_bytes() == CONTENT
    receipt = read_receipt(folder, "one")
    assert receipt is not None
    assert (receipt.release, receipt.licence, receipt.size) == ("release 1", "free", len(CONTENT))
    (file,) = receipt.files
    assert (file.voucher, file.url) == ("published", f"{host.url}/one.csv")
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [one.state for one in list_data_sets(folder)] == ["installed"]
    assert sorted(p.name for p in receipt_folder(folder, "one").iterdir()) == [
        "installed.json",
        "lock",
    ]


@pytest.mark.usefixtures("table")
def test_what_is_installed_and_intact_is_not_fetched_twice(host: Host, folder: Path) -> None:
    fetch(folder)
    host.requests.clear()
    assert fetch(folder) == []
    assert host.requests == []
    assert fetch(folder, again=True) == ["one"]
    assert len(host.requests) == 1


FAULTS: dict[str, tuple[Callable[[Host], None], type[Exception], str]] = {
    "not found": (lambda h: h.files.clear(), DownloadError, "has no file at"),
    "busy for ever": (
        lambda h: h.answers.extend([(503, {})] * 9),
        DownloadError,
        "answered HTTP 503",
    ),
    "busy for longer than we wait": (
        lambda h: h.answers.append((503, {"Retry-After": "7200"})),
        DownloadError,
        "answered HTTP 503",
    ),
    "cut again and again": (
        lambda h: setattr(h, "cuts", [100] * 9),
        DownloadError,
        "closed after 300 of",
    ),
    "stands still": (
        lambda h: setattr(h, "stall_after", 0),
        DownloadError,
        r"Next to nothing came for 0\.4 seconds",
    ),
    "too short": (
        lambda h: h.files.update({"/one.csv": CONTENT[:-5]}),
        ArtifactError,
        "bytes at its source; expected",
    ),
    "too long": (
        lambda h: h.files.update({"/one.csv": CONTENT + b"9,9\n"}),
        ArtifactError,
        "bytes at its source; expected",
    ),
    "another file of the same length": (
        lambda h: h.files.update({"/one.csv": CONTENT[:-3] + b"0\n\n"}),
        ArtifactError,
        f"has MD5 .* expected {md5(CONTENT)}",
    ),
    "web page": (
        lambda h: setattr(h, "content_type", "text/html; charset=utf-8"),
        DownloadError,
        "sent a web page instead of the file",
    ),
    "asks for a person": (
        lambda h: h.answers.extend([(202, {"x-amzn-waf-action": "challenge"})] * 3),
        DownloadError,
        "sent HTTP 202 instead of the file",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_the_earlier_file_is_used_and_then_the_new_one_comes(
    fault: str, host: Host, folder: Path, table: Callable[..., None]
) -> None:
    install_old(folder, host, table)
    misbehave, error, message = FAULTS[fault]
    misbehave(host)
    with pytest.raises(error, match=message) as refused:
        fetch(folder)
    assert getattr(refused.value, "remedy", "")
    assert_old_is_usable(folder)
    host.cuts, host.answers, host.stall_after = [], [], None
    host.content_type, host.files = "text/csv", {"/one.csv": CONTENT}
    assert fetch(folder) == ["one"]
    assert (folder / "x/one.csv").read_bytes() == CONTENT
    assert find_status("one", folder).release == "release 1"


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_of_the_first_fetch_nothing_is_listed_as_installed(
    fault: str, host: Host, folder: Path
) -> None:
    misbehave, error, message = FAULTS[fault]
    misbehave(host)
    with pytest.raises(error, match=message):
        fetch(folder)
    assert find_status("one", folder).state in {"missing", "partial"}
    assert not (folder / "x").exists()
    with pytest.raises(ArtifactError, match="is not installed"):
        verify_data_set("one", folder)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "cuts", [[0], [1], [65_537], [len(CONTENT) - 1], [70_000, 200_000, 0, 100_000]]
)
def test_cut_connections_are_taken_up_where_they_broke(
    cuts: list[int], host: Host, folder: Path
) -> None:
    host.cuts = list(cuts)
    assert fetch(folder) == ["one"]
    assert (folder / "x/one.csv").read_bytes() == CONTENT
    offsets = [
        int(a.removeprefix("bytes=").removesuffix("-")) if a else 0 for _, a in host.requests
    ]
    assert offsets == sorted(offsets)
    assert offsets[-1] == sum(cuts), "no byte was sent twice"


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("fault", ["no ranges", "another range than asked for"])
def test_host_that_cannot_resume_is_asked_from_the_start(
    fault: str, host: Host, folder: Path
) -> None:
    host.cuts = [100_000]
    host.knows_ranges, host.wrong_range = fault != "no ranges", fault != "no ranges"
    if host.wrong_range:
        host.cuts = [100_000, None]  # type: ignore[list-item]
    assert fetch(folder) == ["one"]
    assert (folder / "x/one.csv").read_bytes() == CONTENT


@pytest.mark.usefixtures("table")
def test_busy_host_is_asked_again_after_the_time_it_names(host: Host, folder: Path) -> None:
    host.answers = [(503, {"Retry-After": "1"}), (429, {})]
    begun = time.monotonic()
    assert fetch(folder) == ["one"]
    assert 1.0 <= time.monotonic() - begun < 4.0
    assert len(host.requests) == 3


@pytest.mark.usefixtures("table")
def test_connection_that_stands_still_is_given_up_and_taken_up(host: Host, folder: Path) -> None:
    host.stall_after = 196_608  # of each connection: three of them carry the file
    assert fetch(folder) == ["one"]
    assert (folder / "x/one.csv").read_bytes() == CONTENT
    assert len(host.requests) == 3


def test_redirects_are_followed_but_not_to_an_unsafe_address(
    host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.files["/one.csv"] = CONTENT
    for target in ("/redirect/one.csv", "/unsafe"):
        file = {"path": "x/one.csv", "url": host.url + target, "form": "csv"}
        path = write_table(tmp_path / f"{target[1:4]}.json", [{"key": "one", "files": [file]}])
        monkeypatch.setenv(SOURCES_VARIABLE, str(path))
        if target == "/unsafe":
            with pytest.raises(DownloadError, match=r"http://example\.org/file is no https"):
                fetch(folder, again=True)
        else:
            assert fetch(folder) == ["one"]
    assert (folder / "x/one.csv").read_bytes() == CONTENT


def test_chunked_file_without_a_length_is_taken_and_a_cut_one_is_not(
    host: Host, folder: Path, table: Callable[..., None]
) -> None:
    table()
    host.chunked, host.cuts = True, [200_000, *[0] * 9]
    with pytest.raises(DownloadError):
        fetch(folder)
    host.cuts = []
    assert fetch(folder) == ["one"]
    assert (folder / "x/one.csv").read_bytes() == CONTENT


def test_file_of_which_nobody_could_say_that_it_is_whole_is_refused(
    host: Host, folder: Path, table: Callable[..., None]
) -> None:
    table()
    host.states_length = False
    with pytest.raises(DownloadError, match="does not say how long"):
        fetch(folder)
    assert find_status("one", folder).state == "missing"


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("xlsx", b"<!DOCTYPE html><html>sign in", "web page or a message"),
        ("xlsx", sheet(pd.DataFrame({"a": [1]}))[:-60], "cut short, damaged"),
        ("zip", b"PK\x03\x04 not really", "cut short, damaged"),
        ("tsv.gz", gzip.compress(b"a\tb\n1\t2\n", mtime=0)[:-4], "cut short, damaged"),
        ("csv", b'<?xml version="1.0"?><Error>no such key, really</Error>', "web page or a mess"),
        ("csv", b"", "empty|has no file|HTTP 416"),
        ("csv", b"name,other\n1,2\n", "lacks the column id, value"),
        ("xlsx", sheet(pd.DataFrame({"a": [1]})), "lacks the column id, value"),
    ],
)
def test_what_is_not_the_file_it_should_be_is_refused(
    form: str,
    content: bytes,
    message: str,
    host: Host,
    folder: Path,
    table: Callable[..., None],
) -> None:
    install_old(folder, host, table)
    table(content, form=form)
    host.content_type = "application/octet-stream"
    with pytest.raises((ArtifactError, DownloadError), match=message):
        fetch(folder)
    assert_old_is_usable(folder)


def test_real_formats_pass(
    host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        file_row(host, "x/a.xlsx", sheet(pd.DataFrame({"id": [1], "b": 2})), form="xlsx"),
        file_row(host, "x/m.tsv.gz", xena_matrix(["TCGA-AA-0001"], ["ENSG1"]), form="tsv.gz"),
        file_row(host, "x/t", b"sample\tOS\nTCGA\t1\n", form="tsv", columns=["OS"]),
    ]
    files[0]["columns"], files[1]["columns"] = ["id"], ["Ensembl_ID"]
    path = write_table(tmp_path / "t.json", [{"key": "one", "files": files}])
    monkeypatch.setenv(SOURCES_VARIABLE, str(path))
    fetch(folder)
    assert len(verify_data_set("one", folder)) == 3


def test_file_without_a_published_checksum_is_trusted_on_first_use_and_compared_then(
    host: Host, folder: Path, table: Callable[..., None]
) -> None:
    table()
    fetch(folder)
    assert verify_data_set("one", folder)[0].voucher == "first use"
    host.files["/one.csv"], host.tag = CONTENT + b"1,1\n", '"two"'
    with pytest.raises(ArtifactError, match="is not what it was when it was installed") as refused:
        fetch(folder, again=True)
    assert "data remove one" in refused.value.remedy
    assert (folder / "x/one.csv").read_bytes() == CONTENT
    remove_data_set("one", folder)
    fetch(folder)
    assert (folder / "x/one.csv").read_bytes() == CONTENT + b"1,1\n"


@pytest.mark.usefixtures("table")
def test_altered_file_is_refused_listed_and_fetched_again(folder: Path) -> None:
    fetch(folder)
    path = folder / "x/one.csv"
    path.write_bytes(CONTENT[:-2] + b"8\n")
    with pytest.raises(ArtifactError, match=r"x/one\.csv is not as it was installed") as refused:
        require_intact(folder, [path])
    assert "data fetch one" in refused.value.remedy
    assert find_status("one", folder).state == "altered"
    assert verify_data_set("one", folder)[0].state == "altered"
    path.unlink()
    assert verify_data_set("one", folder)[0].state == "missing"
    assert fetch(folder) == ["one"]
    require_intact(folder, [path])


@pytest.mark.usefixtures("table")
def test_alteration_that_keeps_size_and_time_is_found_by_verify(folder: Path) -> None:
    fetch(folder)
    path = folder / "x/one.csv"
    kept = path.stat()
    path.write_bytes(CONTENT[:-2] + b"8\n")
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert verify_data_set("one", folder)[0].state == "altered"


def alter_unseen(path: Path) -> None:
    """Change the last byte of a file, with its size and time as they were."""
    kept, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


@pytest.mark.usefixtures("table")
def test_what_verify_found_altered_is_refused_listed_and_fetched_again(
    host: Host, folder: Path
) -> None:
    fetch(folder)
    path = folder / "x/one.csv"
    alter_unseen(path)
    verify_data_set("one", folder)
    with pytest.raises(ArtifactError, match=r"x/one\.csv is not as it was installed"):
        require_intact(folder, [path])
    assert [one.state for one in list_data_sets(folder)] == ["altered"]
    assert verify_data_set("one", folder)[0].state == "altered"
    host.requests.clear()
    assert fetch(folder) == ["one"]
    assert len(host.requests) == 1
    assert path.read_bytes() == CONTENT
    require_intact(folder, [path])
    assert find_status("one", folder).state == "installed"
    assert not (receipt_folder(folder, "one") / ALTERED_FILE).exists()


@pytest.mark.usefixtures("table")
def test_altered_file_that_was_put_back_is_read_after_the_next_verify(folder: Path) -> None:
    fetch(folder)
    path = folder / "x/one.csv"
    alter_unseen(path)
    verify_data_set("one", folder)
    alter_unseen(path)
    assert find_status("one", folder).state == "altered", "nobody has looked since"
    assert verify_data_set("one", folder)[0].state == "intact"
    assert find_status("one", folder).state == "installed"
    require_intact(folder, [path])


@pytest.mark.usefixtures("table")
def test_removed_set_leaves_no_note_of_what_was_altered(folder: Path) -> None:
    fetch(folder)
    alter_unseen(folder / "x/one.csv")
    verify_data_set("one", folder)
    remove_data_set("one", folder)
    assert [path.name for path in receipt_folder(folder, "one").iterdir()] == ["lock"]


@pytest.mark.usefixtures("table")
def test_note_of_an_earlier_installation_says_nothing_of_the_file_installed_since(
    folder: Path,
) -> None:
    fetch(folder)
    noted = receipt_folder(folder, "one") / ALTERED_FILE
    alter_unseen(folder / "x/one.csv")
    verify_data_set("one", folder)
    late = noted.read_bytes()
    fetch(folder)
    noted.write_bytes(late)  # as if the check had ended after the installation
    require_intact(folder, [folder / "x/one.csv"])
    assert find_status("one", folder).state == "installed"


@pytest.mark.usefixtures("table")
def test_note_that_cannot_be_read_stands_for_every_file(folder: Path) -> None:
    fetch(folder)
    (receipt_folder(folder, "one") / ALTERED_FILE).write_text("[")
    assert find_status("one", folder).state == "altered"
    verify_data_set("one", folder)
    assert find_status("one", folder).state == "installed"


@pytest.mark.usefixtures("table")
def test_altered_file_that_cannot_be_noted_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(folder)
    alter_unseen(folder / "x/one.csv")

    def refuse(path: Path, document: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("resvae_core.data.receipts.write_json", refuse)
    with pytest.raises(ArtifactError, match=r"x/one\.csv is altered, but that cannot be noted in"):
        verify_data_set("one", folder)


@pytest.mark.usefixtures("table")
def test_file_that_was_only_copied_is_read_once_and_passes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(folder)
    other = tmp_path / "copy"
    shutil.copytree(folder, other, copy_function=shutil.copyfile)
    path = other / "x/one.csv"
    require_intact(other, [path])
    monkeypatch.setattr("resvae_core.data.receipts.file_digest", None)
    require_intact(other, [path])


def test_file_without_a_receipt_passes(folder: Path) -> None:
    folder.mkdir()
    (folder / "own.csv").write_bytes(b"a,b\n")
    require_intact(folder, [folder / "own.csv"])


@pytest.mark.usefixtures("table")
def test_cancelled_transfer_stays_and_goes_on(host: Host, folder: Path) -> None:
    host.pause_seconds = 0.05
    seen = [0]

    def tell(done: int, total: int | None) -> None:
        seen[0] = done

    with pytest.raises(JobCancelledError, match="was cancelled"):
        fetch(folder, progress=tell, cancelled=lambda: seen[0] > 100_000)
    status = find_status("one", folder)
    assert status.state == "partial"
    assert 0 < status.size < len(CONTENT)
    host.requests.clear()
    assert fetch(folder) == ["one"]
    assert host.requests == [("/one.csv", f"bytes={status.size}-")]
    assert (folder / "x/one.csv").read_bytes() == CONTENT


@pytest.mark.usefixtures("table")
def test_cancel_works_while_nothing_comes(host: Host, folder: Path) -> None:
    host.stall_after = 0
    begun = time.monotonic()
    patient = Patience(attempts=3, stall_seconds=20)
    with pytest.raises(JobCancelledError):
        fetch(folder, patience=patient, cancelled=lambda: time.monotonic() - begun > 0.3)
    assert time.monotonic() - begun < 2.0


CHILD = """
import sys
from pathlib import Path
from resvae_core.data.fetch import fetch_data_set
tell = lambda done, total: print(done, flush=True)
fetch_data_set("one", Path(sys.argv[1]), accept_licence=False, progress=tell)
"""


def test_killed_process_leaves_the_old_file_and_the_next_one_goes_on(
    host: Host, folder: Path, table: Callable[..., None]
) -> None:
    install_old(folder, host, table)
    host.pause_seconds = 0.05
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        while int(child.stdout.readline()) < 150_000:
            pass
        with pytest.raises(BusyError, match="Somebody else is about to fetch"):
            fetch(folder)
        child.send_signal(signal.SIGKILL)
    assert_old_is_usable(folder)
    host.pause_seconds, before = 0.0, len(host.requests)
    assert fetch(folder) == ["one"], "the lock died with its process"
    assert [asked for _, asked in host.requests[before:]] != [None], "it went on"
    assert (folder / "x/one.csv").read_bytes() == CONTENT


def test_installation_that_stopped_between_its_files_is_finished_by_whoever_reads(
    host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def table(release: str, letter: bytes, names: str) -> None:
        files = [file_row(host, f"x/{name}.csv", b"id,v\n1," + letter + b"\n") for name in names]
        row = {"key": "two", "release": release, "files": files}
        path = write_table(tmp_path / f"{release}.json", [row])
        monkeypatch.setenv(SOURCES_VARIABLE, str(path))

    table("first", b"a", "pqr")
    fetch(folder, "two")
    table("second", b"b", "pq")

    def stop(folder: Path, key: str) -> None:
        """Die after the first of the files was moved."""
        receipt = json.loads((receipt_folder(folder, key) / PENDING_FILE).read_text())
        first = receipt["files"][0]
        staged_path(folder, key, first["path"], first["url"]).replace(folder / first["path"])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("resvae_core.data.receipts.finish_installation", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch(folder, "two")
    assert (folder / "x/q.csv").read_bytes() == b"id,v\n1,a\n", "stopped half way"
    require_intact(folder, [folder / "x/p.csv", folder / "x/q.csv"])
    assert (folder / "x/q.csv").read_bytes() == b"id,v\n1,b\n"
    assert not (folder / "x/r.csv").exists(), "a file that the new release has no more"
    assert [check.state for check in verify_data_set("two", folder)] == ["intact", "intact"]


def test_two_fetches_of_one_set_exclude_each_other(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with only_one(lock, what="fetch one"):
        second = only_one(lock, what="fetch one")
        with pytest.raises(BusyError, match="Somebody else is about to fetch one"):
            second.__enter__()
    with only_one(lock, what="fetch one"):
        assert lock.is_file()


@pytest.mark.usefixtures("table")
def test_removed_set_leaves_no_file_and_what_was_put_there_by_hand(folder: Path) -> None:
    fetch(folder)
    (folder / "x/own.csv").write_bytes(b"mine")
    assert remove_data_set("one", folder) == len(CONTENT)
    assert sorted(path.name for path in (folder / "x").iterdir()) == ["own.csv"]
    assert find_status("one", folder).state == "missing"
    with pytest.raises(ArtifactError, match="'one' is not installed"):
        remove_data_set("one", folder)


def test_files_of_the_users_own_are_placed_after_the_same_checks(
    host: Host, folder: Path, tmp_path: Path, table: Callable[..., None]
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    with pytest.raises(DownloadError, match=r"has no file one\.csv"):
        fetch(folder, source=given)
    (given / "one.csv").write_bytes(CONTENT[:-1])
    with pytest.raises(ArtifactError, match=r"has .* bytes, expected"):
        fetch(folder, source=given)
    assert find_status("one", folder).state == "missing"
    (given / "one.csv").write_bytes(CONTENT)
    assert fetch(folder, source=given) == ["one"]
    assert host.requests == []
    receipt = read_receipt(folder, "one")
    assert receipt is not None
    assert (receipt.files[0].url, receipt.files[0].voucher) == ("", "published")


def test_licence_must_be_accepted_before_anything_is_fetched(
    host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = file_row(host, "x/plain.csv", CONTENT)
    strict = file_row(host, "x/strict.csv", CONTENT)
    rows = [
        {"key": "plain", "files": [plain]},
        {"key": "strict", "files": [strict], "needs": ["plain"], "requires_acceptance": True},
    ]
    monkeypatch.setenv(SOURCES_VARIABLE, str(write_table(tmp_path / "t.json", rows)))
    with pytest.raises(ConfigError, match=r"licence of Synthetic was not accepted: free") as no:
        fetch(folder, "strict")
    assert "https://example.org/licence" in no.value.remedy
    assert host.requests == []
    assert fetch(folder, "strict", accept_licence=True) == ["plain", "strict"]
    receipt = read_receipt(folder, "strict")
    assert receipt is not None
    assert receipt.licence_accepted


@pytest.mark.usefixtures("table")
def test_disk_that_is_too_small_is_refused_before_anything_is_asked(
    host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(folder.parent)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DownloadError, match=r"too small for one: 0\.5 MB are needed, .* has 0\.0"):
        fetch(folder)
    assert host.requests == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_write_that_fails_during_the_transfer_keeps_what_was_installed(
    host: Host, folder: Path, table: Callable[..., None]
) -> None:
    import resource

    install_old(folder, host, table)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(DownloadError, match="could not be written") as refused:
            fetch(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "Make room" in refused.value.remedy
    assert_old_is_usable(folder)
    assert fetch(folder) == ["one"]


def test_shared_data_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_ONLY", tmp_path)
    with pytest.raises(ConfigError, match="is shared and read-only"):
        fetch_data_set("depmap", tmp_path, accept_licence=True)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch_data_set("depmap", tmp_path / "file" / "data", accept_licence=True)


def test_data_are_fetched_to_the_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESVAE_DATA", raising=False)
    assert install_folder() == PROJECT_ROOT / "data"
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path / "mine"))
    assert install_folder() == tmp_path / "mine"


@pytest.mark.usefixtures("table")
def test_failed_fetch_into_an_empty_folder_does_not_hide_the_data_beside_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESVAE_DATA", raising=False)
    monkeypatch.setattr(config, "PROJECT_ROOT", tmp_path / "project")
    shared, own = tmp_path / "shared" / "data", tmp_path / "project" / "data"
    shared.mkdir(parents=True)
    host.answers = [(404, {})]
    with pytest.raises(DownloadError):
        fetch(own)
    assert config.data_folder() == shared
    fetch(own)
    assert config.data_folder() == own


@pytest.mark.usefixtures("table")
def test_broken_receipt_is_refused(folder: Path) -> None:
    fetch(folder)
    receipt = read_receipt(folder, "one")
    assert receipt is not None
    path = receipt_folder(folder, "one") / "installed.json"
    path.write_text("{")
    with pytest.raises(ArtifactError, match="nobody can say whether its files are whole"):
        require_intact(folder, [folder / "x/one.csv"])
    write_receipt(path, receipt)
    require_intact(folder, [folder / "x/one.csv"])


@pytest.mark.parametrize("name", [RECEIPT_FILE, PENDING_FILE])
def test_cut_receipt_concerns_its_own_data_set_alone_and_can_be_removed(
    name: str, host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"key": key, "files": [file_row(host, f"x/{key}.csv", b"id,v\n1,2\n")]}
        for key in ("cut", "whole")
    ]
    monkeypatch.setenv(SOURCES_VARIABLE, str(write_table(tmp_path / "two.json", rows)))
    fetch(folder, "cut")
    fetch(folder, "whole")
    own = receipt_folder(folder, "cut")
    text = (own / RECEIPT_FILE).read_text()
    (own / name).write_text(text[: len(text) // 2])

    assert {one.key: one.state for one in list_data_sets(folder)} == {
        "cut": "altered",
        "whole": "installed",
    }
    require_intact(folder, [folder / "x/whole.csv"])
    assert verify_data_set("whole", folder)[0].state == "intact"
    with pytest.raises(ArtifactError, match="nobody can say") as refused:
        require_intact(folder, [folder / "x/whole.csv", folder / "x/cut.csv"])
    assert "data remove cut, and fetch again" in refused.value.remedy
    with pytest.raises(ArtifactError, match="nobody can say"):
        fetch(folder, "cut")

    assert remove_data_set("cut", folder) == len(b"id,v\n1,2\n")
    assert [path.name for path in own.iterdir()] == ["lock"]
    assert [path.name for path in (folder / "x").iterdir()] == ["whole.csv"]
    assert fetch(folder, "cut") == ["cut"]
    require_intact(folder, [folder / "x/cut.csv"])


@pytest.mark.usefixtures("table")
def test_what_is_refused_before_installation_is_not_installed(folder: Path) -> None:
    def refuse(receipt: object) -> None:
        raise ConfigError("no", remedy="none")

    with pytest.raises(ConfigError, match="no"):
        fetch(folder, before_install=refuse)
    assert not (folder / "x").exists()
    assert find_status("one", folder).state == "partial"
