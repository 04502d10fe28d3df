"""Settings, Model sets: what is there, a candidate beside the active set, promote and roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
from streamlit import column_config as cc

from pages.components import job_view, panels, resources
from pages.components.contrast import on_primary
from pages.components.messages import plain, show_error
from pages.components.permissions import act, show_refusal, why_not
from resvae_core.errors import ArtifactError
from resvae_core.figures.model_sets import (
    SET_METRIC_WORDS,
    drift_by_drug,
    set_metrics,
)
from resvae_core.figures.palette import MODEL_WORDS, model_word
from resvae_core.jobs import service
from resvae_core.registry import library

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.columns import Columns
    from pages.components.state import Session
    from resvae_core.access.roles import Permission
    from resvae_core.jobs.record import JobRecord
    from resvae_core.registry.comparison import SetComparison
    from resvae_core.registry.gates import Gate
    from resvae_core.registry.library import SetEntry

STATE_WORDS: dict[library.SetState, str] = {
    "active": "Active",
    "candidate": "Candidate",
    "previous": "Was active",
    "archived": "Archived",
}
GATE_ICONS = {
    "passed": ":material/check_circle:",
    "failed": ":material/cancel:",
    "not assessable": ":material/help:",
}
SPLIT_WORDS = {
    "leave_cell_line_out": "Cell lines left out",
    "leave_tissue_out": "Tissues left out",
    "leave_cell_line_out_permuted": "Permuted labels (negative control)",
}
FIRST_METRIC = "within_tissue_roc_auc"
SETS: Columns = {
    "state": cc.TextColumn("State"),
    "id": cc.TextColumn("Set", pinned=True),
    "created": cc.TextColumn("Made"),
    "digest": cc.TextColumn("Digest", help="First digits of the SHA-256"),
    "origin": cc.TextColumn("From", help="Job that trained it"),
    "note": cc.TextColumn("Note"),
}
METRICS: Columns = {
    "split": None,
    "metric": None,
    "floor": cc.CheckboxColumn("Floor"),
    "model": cc.TextColumn("Model", pinned=True),
    "mean_candidate": cc.NumberColumn("Candidate", format="%.3f"),
    "lower_candidate": cc.NumberColumn("95 % from", format="%.3f"),
    "upper_candidate": cc.NumberColumn("to", format="%.3f"),
    "mean_active": cc.NumberColumn("Active", format="%.3f"),
    "lower_active": cc.NumberColumn("95 % from ", format="%.3f"),
    "upper_active": cc.NumberColumn("to ", format="%.3f"),
}
TESTS: Columns = {
    "split": cc.TextColumn("Split"),
    "model": cc.TextColumn("Model", pinned=True),
    "metric": cc.TextColumn("Metric"),
    "difference": cc.NumberColumn(
        "Difference", format="%+.3f", help="Candidate minus active set; Brier: below 0 is better"
    ),
    "lower": cc.NumberColumn("95 % from", format="%+.3f"),
    "upper": cc.NumberColumn("to", format="%+.3f"),
    "n": cc.NumberColumn("n", format="%d", help="Folds or drugs, as the test says"),
    "p_value": cc.NumberColumn("p", format="%.2g"),
    "p_holm": cc.NumberColumn("p, corrected", format="%.2g", help="Holm, all rows of this table"),
    "test": cc.TextColumn("Test"),
}
NEGATIVE: Columns = {
    "set": cc.TextColumn("Set"),
    "model": cc.TextColumn("Model", pinned=True),
    "mean": cc.NumberColumn("ROC AUC within tissue", format="%.3f"),
    "lower": cc.NumberColumn("95 % from", format="%.3f"),
    "upper": cc.NumberColumn("to", format="%.3f"),
}
POSITIVE: Columns = {
    "drug": cc.TextColumn("Drug", pinned=True),
    "gene": cc.TextColumn("Known gene"),
    "passes_candidate": cc.TextColumn("Candidate"),
    "passes_active": cc.TextColumn("Active set"),
}
DRIFT: Columns = {
    "cohort": cc.TextColumn("Cohort", pinned=True),
    "synthetic": cc.CheckboxColumn("Synthetic"),
    "model": cc.TextColumn("Model"),
    "drug": cc.TextColumn("Drug", pinned=True),
    "n": cc.NumberColumn("Patients"),
    "mean_change": cc.NumberColumn("Mean change", format="%+.3f"),
    "p95_change": cc.NumberColumn("95th percentile", format="%.3f", help="Of the size of a change"),
    "spearman": cc.NumberColumn("Spearman ρ", format="%.2f", help="Between the two sets"),
    "n_firm_active": cc.NumberColumn("Firm in the active set"),
    "n_firm": cc.NumberColumn("Firm in both"),
    "to_resistant": cc.NumberColumn("To resistant", help="From sensitive"),
    "to_sensitive": cc.NumberColumn("To sensitive", help="From resistant"),
    "changed_calls": cc.NumberColumn("Other call", format="percent"),
    "in_range_active": cc.NumberColumn("In range, active", format="percent"),
    "in_range_candidate": cc.NumberColumn("In range, candidate", format="percent"),
    "changed_range": cc.NumberColumn("Other range", format="percent"),
}


def show(session: Session) -> None:
    """List the sets; compare one with the active set, and promote, roll back, archive."""
    show_refusal()
    try:
        active, entries = library.active_set(), library.list_sets()
    except ArtifactError as error:
        show_error(error)
        words = "The set that was active before takes its place, the shipped one last."
        _roll_back_button(library.active_id(), words)
        return
    _show_list(active, entries)
    others = [entry for entry in entries if entry.id != active.id]
    if not others:
        st.markdown("No other set yet. A training makes a candidate, which is compared here.")
        return
    chosen = _choose(others)
    _show_head(chosen)
    if chosen.state == "archived":
        _archive_button(chosen)
        return
    gates = resources.gates(chosen, active)
    verdict, doing = st.columns([3, 2], gap="large")
    with verdict:
        _show_gates(gates)
    with doing:
        _show_promotion(chosen, gates)
    if gates[0].state == "passed":
        _show_evidence(chosen, active)


def _show_list(active: SetEntry, entries: list[SetEntry]) -> None:
    """List the sets and offer the way back."""
    st.markdown(f"Active: **{plain(active.name)}** (`{active.digest[:8]}`). Every result names it.")
    st.dataframe(
        [
            {
                "state": STATE_WORDS[entry.state],
                "id": entry.id,
                "created": entry.created,
                "digest": entry.digest[:8],
                "origin": entry.origin,
                "note": entry.note,
            }
            for entry in entries
        ],
        hide_index=True,
        column_config=SETS,
        key="sets",
        alt="Model sets, the shipped one first",
    )
    if any(entry.state == "previous" for entry in entries):
        _roll_back_button(active.id, "")


def _roll_back_button(expected: str, caption: str) -> None:
    """Offer the way back from the set that is shown as active, and from no other one."""
    reason = why_not("promote")
    st.button(
        "Roll back",
        icon=":material/undo:",
        key="roll_back",
        disabled=bool(reason),
        help="Makes the set active that was so before, at once, for everybody",
        on_click=act,
        args=(library.roll_back,),
        kwargs={"expected": expected},
    )
    if reason or caption:
        st.caption(reason or caption)


def _choose(others: list[SetEntry]) -> SetEntry:
    """Offer the sets beside the active one, the latest candidate first."""
    order = {"candidate": 0, "previous": 1, "active": 2, "archived": 3}
    ranked = sorted(enumerate(others), key=lambda one: (order[one[1].state], -one[0]))
    by_id = {entry.id: entry for _, entry in ranked}
    chosen = st.selectbox(
        "Compare with the active set",
        list(by_id),
        format_func=lambda name: f"{name} ({STATE_WORDS[by_id[name].state].lower()})",
        key="set_compared",
    )
    return by_id[chosen]


def _show_head(entry: SetEntry) -> None:
    st.subheader(plain(entry.id), anchor=False)
    origin = "came with the program" if entry.origin == library.SHIPPED else f"job {entry.origin}"
    st.caption(f"{STATE_WORDS[entry.state]} · made {entry.created} · {plain(origin)}")


def _show_gates(gates: list[Gate]) -> None:
    """Show each gate with its state in a word, what was found and what was expected."""
    n_passed = sum(gate.state == "passed" for gate in gates)
    st.markdown(f"**Gates: {n_passed} of {len(gates)} passed**")
    for gate in gates:
        st.markdown(
            f"{GATE_ICONS[gate.state]} **{plain(gate.name)}** – {gate.state}: {plain(gate.found)}",
            help=f"Expected: {plain(gate.expected)}",
        )


def _show_promotion(entry: SetEntry, gates: list[Gate]) -> None:
    """Offer to promote, with a reason where a gate did not pass, and to archive."""
    reason = why_not("promote")
    closed = [gate.name for gate in gates if gate.state != "passed"]
    key = f"reason_{entry.id}"
    with st.form(f"promotion_{entry.id}"):
        if gates[0].state == "failed":
            st.markdown("A set that is not intact cannot be promoted.")
        elif closed:
            st.markdown(f"{len(closed)} of {len(gates)} gates did not pass.")
            st.text_area(
                "Why it is to be promoted all the same",
                key=key,
                disabled=bool(reason),
                help=f"At least {library.MINIMAL_REASON} characters; kept in the history",
            )
        else:
            st.markdown("Every gate passed.")
        st.form_submit_button(
            on_primary("Promote"),
            type="primary",
            icon=":material/publish:",
            key=f"promote_{entry.id}",
            disabled=bool(reason) or gates[0].state == "failed",
            on_click=_promote,
            args=(entry.id, key),
        )
        st.caption(
            reason
            or "It becomes active for everybody at once. Pages that are open show it on their next "
            "step; results name the set that made them."
        )
    _archive_button(entry)


def _promote(identifier: str, key: str) -> None:
    act(library.promote, identifier, reason=str(st.session_state.get(key, "")))


def _archive_button(entry: SetEntry) -> None:
    """Offer to put a set aside, or to take it back; the shipped one stays."""
    reason = why_not("promote")
    archived = entry.state == "archived"
    if entry.id == library.SHIPPED:
        return
    st.button(
        "Restore" if archived else "Archive",
        icon=":material/unarchive:" if archived else ":material/archive:",
        key=f"archive_{entry.id}",
        disabled=bool(reason),
        help=reason or None,
        on_click=act,
        args=(library.restore if archived else library.archive, entry.id),
    )
    if archived:
        st.caption("It stays on disk. Restored, it is a candidate again.")


def _show_evidence(entry: SetEntry, active: SetEntry) -> None:
    """Show what speaks for and against the candidate, part by part."""
    comparison = resources.set_comparison(entry, active)
    notes = (f"Candidate: {entry.id}", f"Active set: {active.id} ({active.digest[:8]})")
    metrics, controls, drift, findings = st.tabs(
        ["Metrics", "Controls", "Drift", "Findings"], key="sets_parts", on_change="rerun"
    )
    if metrics.open:
        with metrics:
            _show_metrics(comparison, notes)
    if controls.open:
        with controls:
            _show_controls(comparison, notes)
    if drift.open:
        with drift:
            _show_drift(entry, active, notes)
    if findings.open:
        with findings:
            _show_findings(entry)


def _show_metrics(comparison: SetComparison, notes: tuple[str, ...]) -> None:
    """Show each metric side by side, then the paired tests and what cannot be compared."""
    table = comparison.metrics
    if table.empty:
        st.markdown("Neither set was judged, so there is nothing to compare.")
        return
    left, right = st.columns(2)
    split = left.selectbox(
        "Judged on",
        list(dict.fromkeys(table["split"])),
        format_func=lambda name: SPLIT_WORDS.get(name, name),
        key="sets_split",
    )
    known = list(dict.fromkeys(table.loc[table["split"] == split, "metric"]))
    metric = right.selectbox(
        "Metric",
        known,
        index=known.index(FIRST_METRIC) if FIRST_METRIC in known else 0,
        format_func=lambda name: SET_METRIC_WORDS.get(name, name),
        key="sets_metric",
    )
    shown = table[(table["split"] == split) & (table["metric"] == metric)]
    view = panels.TableView("sets-metrics", shown, METRICS, notes=notes)
    panels.chart(set_metrics(table, split=split, metric=metric), "sets-metrics", view)
    st.markdown(
        "**Differences**, candidate minus active set, with a paired test where there can be one"
    )
    if comparison.tests.empty:
        st.markdown("Nothing could be paired.")
    else:
        panels.show_table(
            panels.TableView("sets-tests", _in_words(comparison.tests), TESTS, notes=notes)
        )
        if comparison.by_drugs:
            st.caption(
                "Without an interval and p: a mean over drugs. Drugs share cell lines, so a test "
                "over drugs would find differences that are none."
            )
    if comparison.not_assessable:
        st.markdown("**Not assessable**")
        st.markdown("\n".join(f"- {plain(reason)}" for reason in comparison.not_assessable))


def _in_words(tests: pd.DataFrame) -> pd.DataFrame:
    """Return tests with the words of split, model and metric."""
    return tests.assign(
        split=[SPLIT_WORDS.get(name, name) for name in tests["split"]],
        model=[model_word(name) if name in MODEL_WORDS else name for name in tests["model"]],
        metric=[SET_METRIC_WORDS.get(name, name) for name in tests["metric"]],
    )


def _show_controls(comparison: SetComparison, notes: tuple[str, ...]) -> None:
    """Show the controls of both sets."""
    negative, positive = st.columns(2)
    with negative:
        st.markdown("**Negative control**: models trained on permuted labels, to be at 0.5")
        table = comparison.negative
        if table.empty:
            st.markdown("Not assessable: neither set was trained on permuted labels.")
        else:
            words = table.assign(model=[model_word(kind) for kind in table["model"]])
            panels.show_table(panels.TableView("sets-negative", words, NEGATIVE, notes=notes))
    with positive:
        st.markdown("**Positive controls**: known genes among the default model's leading ones")
        table = comparison.positive
        if table.empty:
            st.markdown("Not assessable: no known gene was looked for in either set.")
        else:
            words = {True: "found", False: "not found"}
            named = table.assign(
                **{
                    name: [words.get(value, "not assessable") for value in table[name]]
                    for name in ("passes_candidate", "passes_active")
                }
            )
            panels.show_table(panels.TableView("sets-positive", named, POSITIVE, notes=notes))


def _show_drift(entry: SetEntry, active: SetEntry, notes: tuple[str, ...]) -> None:
    """Show how predictions move, or offer to compute it."""
    table = resources.set_drift(entry, active)
    if table is None and entry.id == library.SHIPPED:
        st.markdown("Not computed for the set that came with the program: it is no candidate.")
        return
    if table is None:
        st.markdown("Not computed against the set that is active now.")
        arguments = {"set": entry.id, "against": active.digest}
        _offer_job("drift", arguments, "Compute the drift", "score")
        return
    models = list(dict.fromkeys(table["model"]))
    model = st.selectbox(
        "Model",
        models,
        format_func=lambda name: "Default models" if name == "default" else model_word(name),
        key="sets_drift_model",
    )
    rows = table[table["model"] == model]
    view = panels.TableView("sets-drift", rows, DRIFT, notes=notes)
    panels.chart(drift_by_drug(table, model=model), "sets-drift", view)


def _show_findings(entry: SetEntry) -> None:
    """Say whether findings in cohorts were computed with the set, or offer to compute them."""
    about = resources.evidence_of(entry)
    if about is not None:
        cohorts = ", ".join(f"{code} ({n})" for code, n in about.cohorts.items())
        st.markdown(f"Computed {about.created} on {plain(cohorts)}.")
        return
    st.markdown(
        "None yet: with this set active, Biomarkers, Similar and comparisons with a cohort stay "
        "empty until they are computed."
    )
    _offer_job("evidence", {"set": entry.id}, "Compute the findings", "train")


def _offer_job(task: str, arguments: dict[str, str], label: str, permission: Permission) -> None:
    """Show the job that computes something, or offer to start it."""
    job: JobRecord | None = service.find_job(task, arguments)
    if job is not None and job.state != "done":
        job_view.show_job(job)
    if job is not None and job.state in job_view.ACTIVE:
        return
    reason = why_not(permission)
    st.button(
        label,
        icon=":material/play_arrow:",
        key=f"start_{task}_{arguments['set']}",
        disabled=bool(reason),
        on_click=act,
        args=(service.submit, task, arguments),
    )
    if reason:
        st.caption(reason)
