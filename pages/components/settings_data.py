"""Settings, Data: what can be fetched and what is installed; fetch, verify and remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit import column_config as cc

from pages.components import job_view, messages
from pages.components.contrast import on_primary
from pages.components.permissions import act, show_refusal, why_not
from resvae_core.config import data_folder
from resvae_core.data.cohorts import CLINICAL_FILE, list_cohorts
from resvae_core.data.fetch import install_folder
from resvae_core.data.screens import OFFICIAL_PATTERNS, TRAINING_FILES, source_files
from resvae_core.jobs import data_sets, service

if TYPE_CHECKING:
    from pages.components.columns import Columns
    from pages.components.state import Session
    from resvae_core.data.fetch import State
    from resvae_core.jobs.data_sets import Entry
    from resvae_core.jobs.record import JobRecord

CHOSEN = "data_chosen"
"""Key of the data set whose details are open, in the session's state."""
TASKS = ("fetch", "verify-data", "remove-data")
"""All are jobs: the data need not be writable where the page runs."""
LATEST = 50
TABLE = "data_sets"
STATES: dict[State, str] = {
    "installed": "Installed",
    "partial": "Begun, not complete",
    "missing": "Not installed",
    "altered": "Altered, not used",
}
PRESENT = "Present, not fetched here"
"""Of what readers find, and no receipt knows: development data, or files placed by hand."""
KINDS = {"data": "Data", "gene sets": "Gene sets", "encoder": "Encoder"}
COLUMNS: Columns = {
    # on a telephone nothing but the first two can be seen
    "state": cc.TextColumn("State", pinned=True, width=165),
    "title": cc.TextColumn("Data set"),
    "size": cc.TextColumn("Size", width=110),
    "release": cc.TextColumn("Release"),
    "installed": cc.TextColumn("Installed on"),
    "licence": cc.TextColumn("Licence"),
    "kind": cc.TextColumn("Kind"),
    "key": cc.TextColumn("Key", help="Its name for: python -m resvae_core data fetch KEY"),
}


def show(session: Session) -> None:
    """List everything that can be fetched; the chosen one with its terms and what can be done."""
    show_refusal()
    if refusal := why_not("fetch"):
        st.markdown(f":material/lock: {refusal}")
    _show_folders()
    entries = data_sets.list_entries()
    jobs = _jobs()
    present = _found_without_receipt()
    _show_table(entries, present)
    chosen = next((one for one in entries if one.key == st.session_state.get(CHOSEN)), None)
    if chosen is not None:
        _show_details(chosen, jobs, present)
    for job in jobs:
        if job.state in job_view.ACTIVE and (chosen is None or job.arguments["key"] != chosen.key):
            job_view.show_job(job)


def _jobs() -> list[JobRecord]:
    """Return the latest jobs that work on data, newest first."""
    found = [job for task in TASKS for job in service.list_jobs(task=task, limit=LATEST)]
    return sorted(found, key=lambda job: job.submitted_at, reverse=True)


def _show_folders() -> None:
    """Say where data are fetched to, and where they are read from if that is elsewhere."""
    target, read_from = install_folder(), data_folder()
    words = f"Data are fetched to `{target}`."
    if read_from is not None and read_from.resolve() != target.resolve():
        words += (
            f" Until something is there, they are read from `{read_from}`; from then on only what "
            "was fetched is read."
        )
    st.caption(words)


def _found_without_receipt() -> frozenset[str]:
    """Return the keys of data sets for which readers find files, whoever put them there."""
    folder = data_folder()
    if folder is None:
        return frozenset()
    found = {f"tcga-{code.lower()}" for code in list_cohorts(folder)}
    if (folder / CLINICAL_FILE).is_file():
        found.add("clinical")
    files = {path.relative_to(folder).as_posix() for path in source_files(folder)}
    if files == set(TRAINING_FILES):  # the development data: prepared from both releases
        return frozenset(found | {"gdsc", "depmap"})
    for key in ("gdsc", "depmap"):
        patterns = [pattern for pattern in OFFICIAL_PATTERNS if pattern.startswith(f"{key}/")]
        if all(any(folder.glob(pattern)) for pattern in patterns):
            found.add(key)
    return frozenset(found)


def _state_words(entry: Entry, present: frozenset[str]) -> str:
    if entry.state == "missing" and entry.key in present:
        return PRESENT
    return STATES[entry.state]


def _show_table(entries: list[Entry], present: frozenset[str]) -> None:
    keys = tuple(one.key for one in entries)
    st.dataframe(
        [_row(one, present) for one in entries],
        column_config=COLUMNS,
        hide_index=True,
        height=320,
        key=TABLE,
        on_select=lambda: _choose(keys),
        selection_mode="single-row",
        alt="Data sets that can be fetched, and whether they are installed",
    )
    st.caption(
        "Select a row for its licence, and to fetch, verify or remove it. Where no size stands, "
        "the host says it when a fetch begins."
    )
    if any(_state_words(one, present) == PRESENT for one in entries):
        st.caption(
            f"“{PRESENT}”: files that were placed by hand, or prepared for development, are read "
            "from the data folder. They have no receipt, so they can be neither verified nor "
            "removed here."
        )


def _release_words(entry: Entry, state: str) -> str:
    """Say which release is installed; which one a fetch brings, where none was fetched."""
    if state == PRESENT:
        return f"unknown; a fetch brings {entry.release}"
    return entry.installed_release or entry.release


def _row(entry: Entry, present: frozenset[str]) -> dict[str, Any]:
    state = _state_words(entry, present)
    return {
        "state": state,
        "title": entry.title,
        "size": size_words(entry),
        "release": _release_words(entry, state),
        "installed": entry.installed_at[:10],
        "licence": entry.licence,
        "kind": KINDS[entry.kind],
        "key": entry.key,
    }


def size_words(entry: Entry) -> str:
    """Say how large something is; empty where nobody states it before it is fetched."""
    if entry.size is None:
        return ""
    return f"{'' if entry.size_is_published else 'about '}{entry.size / 1e6:,.1f} MB"


def _choose(keys: tuple[str, ...]) -> None:
    rows = st.session_state[TABLE]["selection"]["rows"]
    st.session_state[CHOSEN] = keys[rows[0]] if rows else ""


def _show_details(entry: Entry, jobs: list[JobRecord], present: frozenset[str]) -> None:
    """Show what a data set is, its terms, its last job, and what can be done with it."""
    with st.container(border=True, key="data_details"):
        st.subheader(entry.title, anchor=False)
        st.markdown(entry.content)
        _show_facts(entry, _state_words(entry, present))
        accepted = _ask_for_licences(entry)
        _show_buttons(entry, accepted, _is_busy(entry, jobs))
        latest = next((job for job in jobs if job.arguments["key"] == entry.key), None)
        if latest is not None and latest.task == "verify-data" and latest.state == "done":
            _show_check(latest)
    if latest is not None and latest.state != "done":
        job_view.show_job(latest)


def _show_facts(entry: Entry, state: str) -> None:
    newer = entry.installed_release and entry.installed_release != entry.release
    facts = {
        "State": state,
        "Release": _release_words(entry, state),
        "Newer release": entry.release if newer else "",
        "Size": size_words(entry),
        "Checksum": entry.checksum,
        "Comes with it": ", ".join(entry.needs),
        "Cite": entry.citation,
        "Folder": str(entry.folder),
    }
    st.markdown(
        "\n".join(f"- **{name}:** {messages.plain(text)}" for name, text in facts.items() if text)
    )
    st.markdown(f"[Official page]({entry.homepage})")


def _ask_for_licences(entry: Entry) -> bool:
    """Show the terms of what would be fetched, and ask to accept those that require it."""
    terms = data_sets.licences_of(entry.key)
    for one in reversed(terms):  # what comes with it stands below
        name = "" if len(terms) == 1 else f" of {messages.plain(one.title)}"
        st.markdown(
            f"**Licence{name}:** {messages.plain(one.licence)}. [Full terms]({one.licence_url})"
        )
    if not any(one.requires_acceptance for one in terms):
        return True
    return st.checkbox("I have read the terms and accept them", key=f"accept_{entry.key}")


def _is_busy(entry: Entry, jobs: list[JobRecord]) -> bool:
    return any(job.state in job_view.ACTIVE and job.arguments["key"] == entry.key for job in jobs)


def _show_buttons(entry: Entry, accepted: bool, busy: bool) -> None:
    if why_not("fetch"):
        return  # said at the top
    if not entry.can_be_fetched:
        st.markdown(
            "It has files without an address. Download them from the official page, then run "
            f"`python -m resvae_core data fetch {entry.key} --from FOLDER --accept-licence`."
        )
    with st.container(horizontal=True):
        if entry.can_be_fetched:
            _offer_fetch(entry, accepted, busy)
        if entry.installed_at:
            st.button(
                "Verify",
                icon=":material/fact_check:",
                key="data_verify",
                help="Reads every file and compares its digest",
                disabled=busy,
                on_click=act,
                args=(service.submit, "verify-data", {"key": entry.key}),
            )
        if entry.state != "missing" and not busy:
            _offer_removal(entry)


def _offer_fetch(entry: Entry, accepted: bool, busy: bool) -> None:
    whole = entry.state == "installed" and entry.installed_release == entry.release
    label = {"installed": "Fetch again", "partial": "Go on fetching"}.get(entry.state, "Fetch")
    arguments = {"key": entry.key, "accept_licence": accepted, "again": whole}
    st.button(
        label if whole else on_primary(label),
        type="secondary" if whole else "primary",
        icon=":material/download:",
        key="data_fetch",
        disabled=busy or not accepted,
        help=None if accepted else "Accept the terms first",
        on_click=act,
        args=(service.submit, "fetch", arguments),
    )


def _offer_removal(entry: Entry) -> None:
    """Ask once more before files are removed."""
    with st.popover("Remove", icon=":material/delete:", key="data_remove"):
        st.markdown(f"The files of **{messages.plain(entry.title)}** are deleted from this disk.")
        st.button(
            "Remove them",
            key="data_remove_confirmed",
            on_click=act,
            args=(service.submit, "remove-data", {"key": entry.key}),
        )


def _show_check(job: JobRecord) -> None:
    """Show what the last check of a data set found."""
    found = job.result["found"]
    broken = sum(file["state"] != "intact" for file in found)
    verdict = f"{broken} of {len(found)} files are altered or missing" if broken else "All intact"
    st.markdown(f"**{verdict}.**")
    st.caption(f"Verified on {job.finished_at:%Y-%m-%d %H:%M} UTC.")
    st.dataframe(_check_rows(found), hide_index=True, alt="Files and their digests")


def _check_rows(found: list[dict[str, str]]) -> list[dict[str, str]]:
    columns = {"path": "File", "state": "State", "sha256": "SHA-256", "vouched": "Vouched for"}
    return [{label: file[name] for name, label in columns.items()} for file in found]
