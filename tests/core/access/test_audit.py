from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from resvae_core.access import audit, audit_table, audit_verification
from resvae_core.access.audit import as_subject, entries, record, verify
from resvae_core.access.audit_table import GENESIS, HEAD, LINES, head_file
from resvae_core.access.roles import COMMAND_LINE, SINGLE_USER, Actor
from resvae_core.database import close_databases, open_database
from resvae_core.errors import AccessError, AuditError

DIGEST = "ab" * 32
SPAWN = multiprocessing.get_context("spawn")
PROCESSES, ROUNDS = 3, 10
VIEWER = Actor("vera@example.org", "viewer", "sign-in")


def write(n: int) -> None:
    for number in range(n):
        record("job.submitted", actor=COMMAND_LINE, subject=as_subject("job", f"j{number + 1}"))


def tamper(change: Callable[[Connection], None]) -> None:
    """Change the trail as somebody would who owns the database: without its triggers."""
    with open_database().begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_line DISABLE TRIGGER ALL"))
        else:
            connection.execute(text("DROP TRIGGER audit_line_no_update"))
            connection.execute(text("DROP TRIGGER audit_line_no_delete"))
        change(connection)


def line(connection: Connection, sequence: int) -> dict[str, object]:
    found = connection.execute(select(LINES).where(LINES.c.sequence == sequence)).mappings().one()
    return dict(found)


def resealed(values: dict[str, object], **changes: object) -> dict[str, object]:
    changed = audit.Line(**{**values, **changes})  # type: ignore[arg-type]
    return {**values, **changes, "digest": changed.expected_digest()}


def test_a_line_says_who_what_when_on_which_file_with_which_set(database: str) -> None:
    before = datetime.now(UTC)
    record(
        "prediction.made",
        actor=VIEWER,
        model_set="gdsc-1a2b3c4d:1a2b3c4d5e6f",
        file_digest=DIGEST,
        subject=as_subject("sample", DIGEST[:16]),
    )
    [row] = entries(actor=COMMAND_LINE).to_dict("records")
    assert before - timedelta(seconds=1) < row["time"] <= datetime.now(UTC)
    assert row["previous"] == GENESIS
    del row["time"], row["digest"], row["previous"]
    assert row == {
        "sequence": 1,
        "actor": "vera@example.org",
        "role": "viewer",
        "source": "sign-in",
        "action": "prediction.made",
        "file_digest": DIGEST,
        "model_set": "gdsc-1a2b3c4d:1a2b3c4d5e6f",
        "subject": f"sample:{DIGEST[:16]}",
    }
    assert verify(actor=COMMAND_LINE).whole


def test_untouched_trail_is_whole(database: str) -> None:
    assert verify(actor=COMMAND_LINE) == audit.AuditReport(0, GENESIS)
    write(5)
    report = verify(actor=COMMAND_LINE)
    assert (report.whole, report.n_lines) == (True, 5)
    assert report.head == entries(actor=COMMAND_LINE)["digest"].iloc[0]
    assert report.sentence().startswith("The trail is whole: 5 lines")
    assert audit.require_whole(actor=COMMAND_LINE) == report


@pytest.mark.parametrize("change", [update(LINES).values(actor="nobody"), delete(LINES)])
def test_the_database_refuses_to_change_or_remove_lines(database: str, change: object) -> None:
    write(2)
    with pytest.raises(DBAPIError, match="append-only"), open_database().begin() as connection:
        connection.execute(change)  # type: ignore[call-overload]
    assert verify(actor=COMMAND_LINE).whole


def test_the_database_refuses_a_line_in_the_place_of_another(database: str) -> None:
    write(2)
    names = ", ".join(column.name for column in LINES.columns)
    others = names.replace("actor", "'somebody else'")
    replacing = {
        "sqlite": f"INSERT OR REPLACE INTO audit_line SELECT {others} FROM audit_line",
        "postgresql": f"INSERT INTO audit_line SELECT {names} FROM audit_line "
        "ON CONFLICT (sequence) DO UPDATE SET actor = 'somebody else'",
    }
    with pytest.raises(DBAPIError, match="append-only"), open_database().begin() as connection:
        connection.execute(text(replacing[database]))
    assert verify(actor=COMMAND_LINE).whole


@pytest.mark.postgres
def test_postgresql_refuses_to_empty_the_trail(
    state: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_DATABASE_URL", postgres)
    write(1)
    with pytest.raises(DBAPIError, match="append-only"), open_database().begin() as connection:
        connection.execute(text("TRUNCATE audit_line"))


@pytest.mark.parametrize("column", [c.name for c in LINES.columns if c.name != "sequence"])
def test_changed_line_is_found_whatever_was_changed(state: Path, column: str) -> None:
    write(4)
    tamper(lambda c: c.execute(update(LINES).where(LINES.c.sequence == 2).values({column: "x"})))
    found = verify(actor=COMMAND_LINE).first_break
    assert found is not None
    assert (found.sequence, found.problem) == (2, "it was changed")


def test_changed_line_with_a_fitting_digest_breaks_the_next(database: str) -> None:
    write(4)

    def forge(connection: Connection) -> None:
        values = resealed(line(connection, 2), actor="somebody else")
        connection.execute(update(LINES).where(LINES.c.sequence == 2).values(values))

    tamper(forge)
    found = verify(actor=COMMAND_LINE).first_break
    assert found is not None
    assert (found.sequence, found.problem[:24]) == (3, "it does not follow the l")


def test_rewritten_trail_differs_from_its_noted_heads(database: str) -> None:
    write(3)

    def forge(connection: Connection) -> None:
        values = resealed(line(connection, 3), actor="somebody else")
        connection.execute(update(LINES).where(LINES.c.sequence == 3).values(values))
        connection.execute(update(HEAD).values(digest=values["digest"]))

    tamper(forge)
    found = verify(actor=COMMAND_LINE).first_break
    assert found is not None
    assert found == audit.Break(3, "it is not the line that the head in the state folder names")


def test_exchanged_lines_are_found(database: str) -> None:
    write(4)

    def exchange(connection: Connection) -> None:
        second, third = line(connection, 2), line(connection, 3)
        for sequence, other in ((2, third), (3, second)):
            values = {name: value for name, value in other.items() if name != "sequence"}
            connection.execute(update(LINES).where(LINES.c.sequence == sequence).values(values))

    tamper(exchange)
    found = verify(actor=COMMAND_LINE).first_break
    assert found is not None
    assert found.sequence == 2


def test_missing_line_is_found(database: str) -> None:
    write(4)
    tamper(lambda c: c.execute(delete(LINES).where(LINES.c.sequence == 2)))
    found = verify(actor=COMMAND_LINE).first_break
    assert found == audit.Break(2, "it is missing")
    assert verify(actor=COMMAND_LINE).sentence() == "Line 2: it is missing."


def test_inserted_line_is_found(database: str) -> None:
    write(2)

    def insert_one(connection: Connection) -> None:
        last = line(connection, 2)
        values = resealed(last, sequence=3, previous=last["digest"], actor="somebody else")
        connection.execute(insert(LINES).values(values))

    tamper(insert_one)
    found = verify(actor=COMMAND_LINE).first_break
    assert found == audit.Break(3, "it was added without the head's being moved")


@pytest.mark.parametrize("n_cut", [1, 3])
def test_cut_tail_is_found_even_with_the_head_moved_back(database: str, n_cut: int) -> None:
    write(3)
    left = 3 - n_cut

    def cut(connection: Connection) -> None:
        connection.execute(delete(LINES).where(LINES.c.sequence > left))
        digest = line(connection, left)["digest"] if left else GENESIS
        connection.execute(update(HEAD).values(sequence=left, digest=digest))

    tamper(cut)
    found = verify(actor=COMMAND_LINE).first_break
    assert found is not None
    assert found.sequence == left + 1
    assert "by the head in the state folder there were 3 lines" in found.problem
    with pytest.raises(AuditError, match=f"Line {left + 1}: it is missing") as error:
        audit.require_whole(actor=COMMAND_LINE)
    assert "backup" in error.value.remedy


def test_cut_tail_is_found_without_the_state_folder(database: str) -> None:
    write(3)
    tamper(lambda c: c.execute(delete(LINES).where(LINES.c.sequence == 3)))
    head_file().unlink()
    found = verify(actor=COMMAND_LINE).first_break
    assert found is not None
    assert found.problem == "it is missing: by the head in the database there were 3 lines"


def cut(left: int) -> Callable[[Connection], None]:
    """Return what removes all lines but the first ones, and moves the database's head back."""

    def change(connection: Connection) -> None:
        connection.execute(delete(LINES).where(LINES.c.sequence > left))
        values = {"sequence": left, "digest": line(connection, left)["digest"]}
        connection.execute(update(HEAD).values(values))

    return change


def refused(n: int = 1) -> None:
    for _ in range(n):
        with pytest.raises(AuditError, match="is not the one that was written") as error:
            write(1)
        assert "audit continue" in error.value.remedy


def test_cut_trail_takes_no_more_lines_and_does_not_heal(database: str) -> None:
    write(6)
    noted = head_file().read_bytes()
    tamper(cut(4))
    refused(3)
    found = verify(actor=COMMAND_LINE)
    missing = "it is missing: by the head in the state folder there were 6 lines"
    assert (found.n_lines, found.first_break) == (4, audit.Break(5, missing))
    assert head_file().read_bytes() == noted


def test_end_written_anew_takes_no_more_lines(database: str) -> None:
    write(6)

    def forge(connection: Connection) -> None:
        values = resealed(line(connection, 6), actor="somebody else")
        connection.execute(update(LINES).where(LINES.c.sequence == 6).values(values))
        connection.execute(update(HEAD).values(digest=values["digest"]))

    tamper(forge)
    refused()
    assert verify(actor=COMMAND_LINE).first_break is not None


@pytest.mark.parametrize("left", [0, 2])
def test_exchanged_database_takes_no_lines(state: Path, left: int) -> None:
    write(left + 2)
    noted = head_file().read_bytes()
    close_databases()
    for path in state.glob("resvae.sqlite*"):
        path.unlink()
    head_file().unlink()
    write(left)
    head_file().write_bytes(noted)
    refused(5)
    assert verify(actor=COMMAND_LINE).n_lines == left


def test_lines_that_the_database_lost_are_not_written_over(database: str) -> None:
    write(3)
    head_file().unlink()
    tamper(lambda c: c.execute(delete(LINES).where(LINES.c.sequence == 3)))
    refused()


@pytest.mark.postgres
def test_hosts_with_state_folders_of_their_own_write_one_trail(
    state: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_DATABASE_URL", postgres)
    write(2)
    monkeypatch.setenv("RESVAE_STATE", str(state.with_name("other")))
    write(3)  # the first host's head lags behind from here on
    assert verify(actor=COMMAND_LINE).n_lines == 5
    monkeypatch.setenv("RESVAE_STATE", str(state))
    assert verify(actor=COMMAND_LINE).whole
    write(1)
    tamper(cut(5))
    refused()
    monkeypatch.setenv("RESVAE_STATE", str(state.with_name("other")))
    write(3)  # this host cannot know; the first does, and does not forget
    monkeypatch.setenv("RESVAE_STATE", str(state))
    refused()
    found = verify(actor=COMMAND_LINE).first_break
    assert found == audit.Break(6, "it is not the line that the head in the state folder names")


def test_steward_goes_on_with_a_cut_trail_and_it_says_so_for_ever(database: str) -> None:
    write(6)
    noted, old = head_file().read_bytes(), json.loads(head_file().read_text())["digest"]
    tamper(cut(4))
    assert audit.continue_trail(actor=COMMAND_LINE) == 5
    write(2)
    report = verify(actor=COMMAND_LINE)
    assert (report.whole, report.n_lines, report.continued) == (True, 7, (5,))
    assert report.sentence().endswith("Lines before it were lost: a steward went on at line 5.")
    [said] = entries(actor=COMMAND_LINE, action="audit").to_dict("records")
    assert said["subject"] == f"head:6:{old[:16]}"
    kept = head_file().with_suffix(".before-line-5.json")
    assert kept.read_bytes() == noted


def test_steward_goes_on_where_the_head_file_is_broken(state: Path) -> None:
    write(2)
    head_file().write_text("{", encoding="utf-8")
    audit.continue_trail(actor=COMMAND_LINE)
    assert entries(actor=COMMAND_LINE)["subject"].iloc[0] == "head:unreadable"
    assert verify(actor=COMMAND_LINE).whole


def test_steward_goes_on_where_the_database_lost_its_last_line(database: str) -> None:
    write(3)
    head_file().unlink()
    tamper(lambda c: c.execute(delete(LINES).where(LINES.c.sequence == 3)))
    assert audit.continue_trail(actor=COMMAND_LINE) == 3
    assert verify(actor=COMMAND_LINE).continued == (3,)


def test_nothing_is_continued_where_nothing_was_lost(database: str) -> None:
    write(2)
    with pytest.raises(AuditError, match="goes on from its noted head") as error:
        audit.continue_trail(actor=COMMAND_LINE)
    assert "nothing to accept" in error.value.remedy
    assert verify(actor=COMMAND_LINE).n_lines == 2


@pytest.mark.parametrize(
    "read",
    [
        audit.entries,
        audit.find_lines,
        audit.actors,
        audit.verify,
        audit.require_whole,
        audit.continue_trail,
    ],
)
def test_only_who_may_read_the_trail_reads_it(state: Path, read: Callable[..., object]) -> None:
    analyst = Actor("anna", "analyst", "proxy")
    with pytest.raises(AccessError, match="'analyst' may not read the audit trail"):
        read(actor=analyst)
    [refusal] = entries(actor=COMMAND_LINE).to_dict("records")
    assert (refusal["actor"], refusal["subject"]) == ("anna", "permission:audit")


def test_removed_database_is_found(state: Path) -> None:
    write(2)
    close_databases()
    for path in state.glob("resvae.sqlite*"):
        path.unlink()
    found = verify(actor=COMMAND_LINE).first_break
    assert found is not None
    assert found.sequence == 1


def test_lagging_head_file_is_no_break_and_catches_up(state: Path) -> None:
    write(1)
    early = head_file().read_bytes()
    write(2)
    head_file().write_bytes(early)
    assert verify(actor=COMMAND_LINE).whole
    write(1)
    assert json.loads(head_file().read_text(encoding="utf-8"))["sequence"] == 4


def test_broken_head_file_is_said(state: Path) -> None:
    write(1)
    head_file().write_text("{", encoding="utf-8")
    with pytest.raises(AuditError, match="holds the head of the audit trail, cannot be read"):
        verify(actor=COMMAND_LINE)


@pytest.mark.parametrize("content", ["{", "[]", '{"sequence": 0, "digest": ""}', '{"sequence": 1}'])
def test_nothing_is_written_where_the_head_file_cannot_be_read(database: str, content: str) -> None:
    write(2)
    noted = head_file().read_bytes()
    head_file().write_text(content, encoding="utf-8")
    with pytest.raises(AuditError, match="cannot be read") as error:
        write(1)
    assert "audit continue" in error.value.remedy
    head_file().write_bytes(noted)
    assert verify(actor=COMMAND_LINE).n_lines == 2


def test_nothing_is_written_where_its_head_has_no_room(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(2)
    with monkeypatch.context() as patch:

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(audit_table.os, "fsync", full)
        with pytest.raises(AuditError, match=r"cannot be written \(OSError\)"):
            write(1)
    assert verify(actor=COMMAND_LINE).n_lines == 2
    assert [path.name for path in head_file().parent.glob("*audit-head*")] == [head_file().name]


def test_line_after_a_break_does_not_heal_it(database: str) -> None:
    write(3)
    tamper(lambda c: c.execute(update(LINES).where(LINES.c.sequence == 2).values(actor="x")))
    write(2)
    report = verify(actor=COMMAND_LINE)
    assert report.first_break == audit.Break(2, "it was changed")


def write_many(number: int) -> None:
    actor = Actor(f"writer {number}", "steward", "command line")
    for _ in range(ROUNDS):
        record("data.verified", actor=actor, subject="data:gdsc")


def test_several_processes_write_one_chain_without_a_lost_line(database: str) -> None:
    crowd = [SPAWN.Process(target=write_many, args=(n,)) for n in range(PROCESSES)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
        assert one.exitcode == 0
    report = verify(actor=COMMAND_LINE)
    assert (report.whole, report.n_lines) == (True, PROCESSES * ROUNDS)
    assert entries(actor=COMMAND_LINE)["actor"].value_counts().tolist() == [ROUNDS] * PROCESSES


@pytest.mark.parametrize(
    "planted",
    [
        {"subject": "Jane Doe"},
        {"subject": "jane.doe@example.org"},
        {"subject": "MRN#123"},
        {"subject": "j1\n"},
        {"subject": "x" * 121},
        {"file_digest": "patient.csv"},
        {"file_digest": "AB" * 32},
        {"model_set": "my models/ü"},
    ],
)
def test_what_is_no_id_is_refused_and_not_repeated(state: Path, planted: dict[str, str]) -> None:
    [value] = planted.values()
    with pytest.raises(AuditError, match="holds characters that ids do not have") as found:
        record("sample.read", actor=SINGLE_USER, **planted)
    assert value not in str(found.value)
    assert verify(actor=COMMAND_LINE).n_lines == 0


def test_unknown_action_is_refused_with_the_known_ones(state: Path) -> None:
    with pytest.raises(AuditError, match=r"'sample\.stolen' is no action") as found:
        record("sample.stolen", actor=SINGLE_USER)
    assert "sample.read" in found.value.remedy


def test_names_of_drugs_become_subjects() -> None:
    assert as_subject("drug", "Nutlin-3a (-)") == "drug:Nutlin-3a-(-)"
    assert as_subject("drug", "5-Fluorouracil") == "drug:5-Fluorouracil"
    assert as_subject("table", " a\tb ") == "table:a-b"


def test_account_names_are_printable_and_short(state: Path) -> None:
    record("sign_in", actor=Actor("a\x1b[2J\n" + "b" * 500, "viewer", "proxy"))
    [name] = entries(actor=COMMAND_LINE)["actor"]
    assert name.startswith("a?[2J?b")
    assert len(name) == 120
    assert verify(actor=COMMAND_LINE).whole


def test_trail_that_cannot_be_written_is_an_error_without_secrets(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg://somebody:hunter2@127.0.0.1:1/resvae"
    monkeypatch.setenv("RESVAE_DATABASE_URL", url)
    with pytest.raises(AuditError, match=r"cannot be written \(\w+\)") as found:
        write(1)
    assert "hunter2" not in str(found.value)
    assert "Nothing that has to be recorded happens" in found.value.remedy


def test_filters_find_lines(database: str) -> None:
    write(3)
    record("settings.changed", actor=VIEWER, subject="settings:device")
    record("sign_in", actor=VIEWER)
    moment = entries(actor=COMMAND_LINE, limit=1)["time"].iloc[0].to_pydatetime()
    assert entries(actor=COMMAND_LINE, who="VERA")["sequence"].tolist() == [5, 4]
    assert entries(actor=COMMAND_LINE, who="%")["sequence"].tolist() == []
    assert entries(actor=COMMAND_LINE, action="settings")["sequence"].tolist() == [4]
    assert entries(actor=COMMAND_LINE, action="sign_in")["sequence"].tolist() == [5]
    assert entries(actor=COMMAND_LINE, action="job.submitted", limit=2)["sequence"].tolist() == [
        3,
        2,
    ]
    assert entries(actor=COMMAND_LINE, since=moment)["sequence"].tolist() == [5]
    assert entries(actor=COMMAND_LINE, until=moment)["sequence"].tolist() == [4, 3, 2, 1]
    assert entries(actor=COMMAND_LINE, since=moment + timedelta(hours=1)).empty
    assert audit.actors(actor=COMMAND_LINE) == ["command line", "vera@example.org"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"who": "özl"}, [4, 2]),
        ({"who": "ÖZLEM"}, [4, 2]),
        ({"who": "strasse"}, [3]),
        ({"who": "_"}, []),
        ({"account": "Özlem"}, [2]),
        ({"account": "özlem"}, []),
        ({"account": "Özl"}, []),
        ({"account": "Özlem", "who": "strasse"}, []),
    ],
)
def test_account_is_a_whole_name_and_who_a_part_in_any_case_of_any_letter(
    database: str, filters: audit.Filters, found: list[int]
) -> None:
    for name in ("vera", "Özlem", "Max Straße", "Özlem Kaya"):
        record("sign_in", actor=Actor(name, "viewer", "proxy"))
    assert [one.sequence for one in audit.find_lines(actor=COMMAND_LINE, **filters)] == found


def test_long_trail_is_read_in_parts(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_verification, "_BATCH", 3)
    write(7)
    assert verify(actor=COMMAND_LINE).n_lines == 7
    tamper(lambda c: c.execute(delete(LINES).where(LINES.c.sequence == 4)))
    assert verify(actor=COMMAND_LINE).first_break == audit.Break(4, "it is missing")
