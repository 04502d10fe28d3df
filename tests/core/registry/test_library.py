from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest

from resvae_core import durable_files
from resvae_core.access.audit import entries
from resvae_core.access.roles import COMMAND_LINE, SINGLE_USER, Actor
from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import AccessError, ArtifactError, CatalogError, ConfigError
from resvae_core.registry import library
from resvae_core.registry.description import active_set_folder, describe_model_set
from resvae_core.registry.library import (
    add_candidate,
    archive,
    find_digest,
    find_set,
    list_sets,
    promote,
    restore,
    roll_back,
)
from resvae_core.registry.pointer import pointer_path, read_pointer, write_pointer
from resvae_core.registry.store import load_model_set, set_digest
from tests.core.registry.tiny_sets import staged_copy, tiny_set

REASON = "It is a test, and says so at some length."
VIEWER = Actor("viewer", "viewer", "sign-in")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a state folder of the test's own; the tiny set stands for the shipped one."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_MODELS", str(tiny_set()))
    return tmp_path / "state"


@pytest.fixture
def open_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gates pass: they have tests of their own."""
    monkeypatch.setattr(library, "_reason_for", lambda candidate, reason: reason)


def candidate(state: Path, name: str) -> str:
    staged = staged_copy(tiny_set(), state / "jobs" / name / "set", name=name)
    return add_candidate(staged, origin=f"job-{name}").id


def test_without_a_pointer_the_shipped_set_is_active(state: Path) -> None:
    assert [(one.id, one.state, one.origin) for one in list_sets()] == [
        ("shipped", "active", "shipped")
    ]
    assert active_set_folder() == tiny_set()
    assert describe_model_set().id == "shipped"
    assert not state.exists()


def test_candidate_is_moved_and_named_by_its_digest(state: Path) -> None:
    identifier = candidate(state, "new")
    entry = find_set(identifier)
    assert (entry.name, entry.state, entry.origin) == ("new", "candidate", "job-new")
    assert entry.id == f"new-{entry.digest[:8]}"
    assert entry.folder == state / "sets" / entry.id
    assert not (state / "jobs" / "new" / "set").exists()
    assert load_model_set(entry.folder).digest == entry.digest
    assert find_digest(entry.digest) == entry


def test_job_that_adds_its_set_again_finds_the_first(state: Path) -> None:
    first = candidate(state, "new")
    gone = state / "jobs" / "new" / "set"
    assert add_candidate(gone, origin="job-new").id == first
    staged = staged_copy(tiny_set(), gone, name="new")
    assert add_candidate(staged, origin="job-new").id == first
    assert not staged.exists()
    with pytest.raises(ArtifactError, match="no model set in set/"):
        add_candidate(gone, origin="job-other")


def test_intact_copy_takes_the_place_of_a_damaged_one(state: Path) -> None:
    entry = find_set(candidate(state, "new"))
    (entry.folder / "elastic_net" / "card.json").write_text("{}")
    staged = staged_copy(tiny_set(), state / "again", name="new")
    assert add_candidate(staged, origin="job-new").id == entry.id
    assert load_model_set(entry.folder).digest == entry.digest


@pytest.mark.skipif(os.name != "posix", reason="files cannot be synced elsewhere")
@pytest.mark.parametrize("copied", [False, True], ids=["moved", "copied"])
def test_files_of_a_set_are_on_the_disk_before_it_is_in_the_library(
    state: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    synced: list[str] = []
    sync = durable_files._sync

    def note(path: Path) -> None:
        if not any((state / "sets").glob("new-*")):
            synced.append(path.name)
        sync(path)

    monkeypatch.setattr(durable_files, "_sync", note)
    if copied:
        monkeypatch.setattr(library, "_is_near", lambda *folders: False)
    entry = find_set(candidate(state, "new"))
    expected = [path.name for path in entry.folder.rglob("*") if path.is_file()]
    assert "origin.json" in expected
    assert sorted(set(expected) - set(synced)) == []
    assert not (state / "jobs" / "new" / "set").exists()
    assert load_model_set(entry.folder).digest == entry.digest


def test_set_that_is_not_intact_is_not_added(state: Path) -> None:
    staged = staged_copy(tiny_set(), state / "set", name="new")
    (staged / "elastic_net" / "model.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"elastic_net/model.json in set/ is altered"):
        add_candidate(staged, origin="job")
    assert len(list_sets()) == 1


@pytest.mark.parametrize("name", ["../x", "shipped", "Upper", ""])
def test_name_that_is_no_folder_name_is_refused(state: Path, name: str) -> None:
    staged = staged_copy(tiny_set(), state / "set", name=name)
    with pytest.raises(ConfigError, match="cannot be the name of a model set"):
        add_candidate(staged, origin="job")


@pytest.mark.usefixtures("open_gates")
def test_promoted_set_is_what_everything_loads(state: Path) -> None:
    before = set_digest()
    entry = promote(candidate(state, "new"), actor=SINGLE_USER, reason=REASON)
    assert entry.state == "active"
    assert active_set_folder() == entry.folder
    assert set_digest() == entry.digest != before
    described, loaded = describe_model_set(), load_model_set()
    assert described.stamp == f"new ({entry.digest[:8]})"
    assert (described.id, described.folder) == (entry.id, entry.folder)
    assert (loaded.name, loaded.digest) == ("new", entry.digest)
    assert find_set("shipped").state == "previous"


@pytest.mark.usefixtures("open_gates")
def test_roll_back_goes_one_step_back_each_time(state: Path) -> None:
    first, second = candidate(state, "first"), candidate(state, "second")
    promote(first, actor=SINGLE_USER)
    promote(second, actor=SINGLE_USER)
    assert roll_back(actor=SINGLE_USER).id == first
    assert find_set(second).state == "candidate"
    assert roll_back(actor=SINGLE_USER).id == "shipped"
    with pytest.raises(ConfigError, match="no model set to roll back to"):
        roll_back(actor=SINGLE_USER)
    actions = [(change.action, change.set) for change in read_pointer().history]
    assert actions == [
        ("promote", first),
        ("promote", second),
        ("roll back", first),
        ("roll back", "shipped"),
    ]


@pytest.mark.usefixtures("open_gates")
def test_second_click_on_roll_back_goes_no_second_step_back(state: Path) -> None:
    first, second = candidate(state, "first"), candidate(state, "second")
    promote(first, actor=SINGLE_USER)
    promote(second, actor=SINGLE_USER)
    assert roll_back(actor=SINGLE_USER, expected=second).id == first
    with pytest.raises(ConfigError, match=f"changed in the meantime; it is {first} now"):
        roll_back(actor=SINGLE_USER, expected=second)
    assert library.active_set().id == first


@pytest.mark.usefixtures("open_gates")
def test_roll_back_passes_over_what_is_archived_or_broken(state: Path) -> None:
    names = [candidate(state, name) for name in ("a", "b", "c", "d")]
    for name in names:
        promote(name, actor=SINGLE_USER)
    archive(names[2], actor=SINGLE_USER)
    (find_set(names[1]).folder / "elastic_net" / "weights.safetensors").unlink()
    assert roll_back(actor=SINGLE_USER).id == names[0]


@pytest.mark.usefixtures("open_gates")
@pytest.mark.parametrize("what", ["missing", "altered", "pointer"])
def test_broken_active_set_is_refused_and_rolled_back(state: Path, what: str) -> None:
    entry = promote(candidate(state, "new"), actor=SINGLE_USER)
    if what == "missing":
        shutil.rmtree(entry.folder)
    elif what == "altered":
        (entry.folder / "model_set.json").write_text('{"name": "other"}')
    else:
        pointer_path().write_text("{")
    words = "cannot be read" if what == "pointer" else f"new-.* is {what}"
    with pytest.raises(ArtifactError, match=words) as refusal:
        load_model_set()
    assert "models rollback" in refusal.value.remedy
    assert library.active_id() == ("" if what == "pointer" else entry.id)
    assert roll_back(actor=SINGLE_USER, expected=library.active_id()).id == "shipped"
    assert load_model_set().name == "tiny"


@pytest.mark.usefixtures("open_gates")
def test_active_and_shipped_sets_cannot_be_archived(state: Path) -> None:
    identifier = promote(candidate(state, "new"), actor=SINGLE_USER).id
    with pytest.raises(ConfigError, match="The active model set cannot be archived"):
        archive(identifier, actor=SINGLE_USER)
    with pytest.raises(ConfigError, match="The shipped model set cannot be archived"):
        archive("shipped", actor=SINGLE_USER)


@pytest.mark.usefixtures("open_gates")
def test_archived_set_is_promoted_only_when_restored(state: Path) -> None:
    identifier = candidate(state, "new")
    assert archive(identifier, actor=SINGLE_USER).state == "archived"
    with pytest.raises(ConfigError, match="is archived"):
        promote(identifier, actor=SINGLE_USER)
    assert restore(identifier, actor=SINGLE_USER).state == "candidate"
    assert promote(identifier, actor=SINGLE_USER).state == "active"


def test_failing_gate_needs_a_reason_which_is_kept(state: Path) -> None:
    identifier = candidate(state, "new")
    with pytest.raises(ConfigError, match="does not pass every gate: ") as refusal:
        promote(identifier, actor=SINGLE_USER, reason=" too short ")
    assert "20 characters" in refusal.value.remedy
    assert active_set_folder() == tiny_set()
    assert promote(identifier, actor=SINGLE_USER, reason=REASON).note == REASON
    assert read_pointer().history[-1].reason == REASON


def test_set_that_is_altered_after_training_is_not_promoted(state: Path) -> None:
    entry = find_set(candidate(state, "new"))
    (entry.folder / "elastic_net" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"weights.safetensors in new-.* is altered"):
        promote(entry.id, actor=SINGLE_USER, reason=REASON)


def test_unknown_set_is_named_with_those_there_are(state: Path) -> None:
    with pytest.raises(CatalogError, match="no model set 'nowhere'") as refusal:
        promote("nowhere", actor=SINGLE_USER)
    assert "shipped" in refusal.value.remedy
    with pytest.raises(CatalogError, match="digest 00000000"):
        find_digest("0" * 64)


@pytest.mark.parametrize("action", [promote, archive, restore, roll_back])
def test_viewer_changes_nothing(state: Path, action: object) -> None:
    arguments = () if action is roll_back else (candidate(state, "new"),)
    with pytest.raises(AccessError, match="may not promote"):
        action(*arguments, actor=VIEWER)  # type: ignore[operator]
    assert not pointer_path().exists()


@pytest.mark.usefixtures("open_gates")
def test_every_change_is_audited_without_the_text_of_a_reason(state: Path) -> None:
    identifier = candidate(state, "new")
    digest = find_set(identifier).digest
    promote(identifier, actor=SINGLE_USER, reason=REASON)
    roll_back(actor=SINGLE_USER)
    archive(identifier, actor=SINGLE_USER)
    restore(identifier, actor=SINGLE_USER)
    lines = entries(actor=COMMAND_LINE)[::-1]
    assert list(lines["action"]) == [
        "set.promoted_with_reason",
        "set.rolled_back",
        "set.archived",
        "set.restored",
    ]
    assert list(lines["model_set"].iloc[[0, 2]]) == [digest, digest]
    assert REASON not in lines.to_csv()


@pytest.mark.usefixtures("open_gates")
def test_refused_change_leaves_no_line_in_the_audit(state: Path) -> None:
    with pytest.raises(ConfigError, match="shipped model set cannot"):
        promote_then_archive_shipped(candidate(state, "new"))
    assert list(entries(actor=COMMAND_LINE)["action"]) == ["set.promoted"]


def promote_then_archive_shipped(identifier: str) -> None:
    promote(identifier, actor=SINGLE_USER)
    archive("shipped", actor=SINGLE_USER)


def test_promotion_against_another_active_set_than_was_compared_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = candidate(state, "first"), candidate(state, "second")

    def meanwhile(entry: library.SetEntry, reason: str) -> str:
        monkeypatch.setattr(library, "_reason_for", lambda entry, reason: reason)
        promote(second, actor=SINGLE_USER)
        return reason

    monkeypatch.setattr(library, "_reason_for", meanwhile)
    with pytest.raises(ConfigError, match="changed in the meantime"):
        promote(first, actor=SINGLE_USER)
    assert library.active_set().id == second


def test_set_that_is_archived_while_the_gates_are_asked_is_not_promoted(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = candidate(state, "new")

    def meanwhile(entry: library.SetEntry, reason: str) -> str:
        archive(identifier, actor=SINGLE_USER)
        return reason

    monkeypatch.setattr(library, "_reason_for", meanwhile)
    with pytest.raises(ConfigError, match="is archived"):
        promote(identifier, actor=SINGLE_USER)
    assert library.active_set().id == "shipped"


@pytest.mark.usefixtures("open_gates")
def test_shipped_set_is_promoted_again_like_any_other(state: Path) -> None:
    promote(candidate(state, "new"), actor=SINGLE_USER)
    assert promote("shipped", actor=SINGLE_USER).state == "active"


def archive_and_restore(identifier: str, times: int) -> None:
    for _ in range(times):
        archive(identifier, actor=SINGLE_USER)
        restore(identifier, actor=SINGLE_USER)


def test_changes_of_two_processes_are_all_kept(state: Path) -> None:
    names = [candidate(state, name) for name in ("a", "b")]
    context = get_context("fork")
    workers = [context.Process(target=archive_and_restore, args=(name, 5)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(read_pointer().history) == 20


def test_promotions_killed_at_every_step_leave_the_old_or_the_new_set(state: Path) -> None:
    identifier = candidate(state, "new")
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.registry.killed_promotions", identifier],
        cwd=PROJECT_ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    rounds = [line.split() for line in done.stdout.splitlines()]
    assert len(rounds) >= 20
    assert {name for name, _ in rounds} == {"shipped", identifier}
    assert [name for name, whole in rounds if whole == "True"] == [identifier, "shipped"]
    assert list(state.glob("sets/.active.json.*")) == []


def test_pointer_is_read_as_it_was_written(state: Path) -> None:
    candidate(state, "new")
    archive_and_restore(find_set(list_sets()[1].id).id, 1)
    pointer = read_pointer()
    write_pointer(pointer)
    assert read_pointer() == pointer
    document = json.loads(pointer_path().read_text())
    pointer_path().write_text(json.dumps(document | {"schema_version": 9}))
    with pytest.raises(ArtifactError, match="another schema version"):
        read_pointer()
