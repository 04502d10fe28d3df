"""Settings, Model sets: what is there, a candidate beside the active set, promote and roll back."""

from __future__ import annotations

from dataclasses import asdict
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
from resvae_core.figures.performance import LOWER_IS_BETTER
from resvae_core.jobs import service
from resvae_core.registry import library
from resvae_core.registry.comparison import ACTIVE, CANDIDATE, SPLIT_WORDS
from resvae_core.registry.description import describe_model_set
from resvae_core.registry.pointer import read_pointer

if TYPE_CHECKING:
    from collections.abc import Callable

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
_DONE = "sets_done"
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
        "Difference",
        format="%+.3f",
        help="Minus active set. Above 0 is better, below it where lower is better",
    ),
    "lower": cc.NumberColumn("95 % from", format="%+.3f"),
    "upper": cc.NumberColumn("to", format="%+.3f"),
    "n": cc.NumberColumn("n", format="%d", help="Folds or drugs, as the test says"),
    "p_value": cc.NumberColumn("p", format="%.2g"),
    "p_holm": cc.NumberColumn("p, corrected", format="%.2g", help="Holm, all rows of this table"),
    "test": cc.TextColumn("Test"),
}
HISTORY: Columns = {
    "at": cc.TextColumn("When (UTC)"),
    "by": cc.TextColumn("Who"),
    "action": cc.TextColumn("What"),
    "set": cc.TextColumn("Set", pinned=True),
    "reason": cc.TextColumn("Reason", width="large"),
}
ACTION_WORDS: dict[str, str] = {
    "promote": "Promoted",
    "roll back": "Rolled back to",
    "archive": "Archived",
    "restore": "Restored",
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
    "passes_active": cc.TextColumn("Active"),
}
DRIFT: Columns = {
    "cohort": cc.TextColumn("Cohort", pinned=True),
    "synthetic": cc.CheckboxColumn("Synthetic"),
    "model": cc.TextColumn("Model"),
    "drug": cc.TextColumn("Drug", pinned=True),
    "n": cc.NumberColumn("Patients"),
    "mean_change": cc.NumberColumn("Mean change", format="%+.3f"),
    "p95_change": cc.NumberColumn(
        "Size, 95th percentile", format="± %.3f", help="Of the change, whichever way it goes"
    ),
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
    _show_done()
    try:
        active, entries = library.active_set(), library.list_sets()
    except ArtifactError as error:
        show_error(error)
        words = "The set that was active before takes its place, the shipped one last."
        _roll_back_button(library.active_id(), words)
        return
    _show_list(active, entries)
    _show_history()
    if active.id != library.SHIPPED:
        with st.container(border=True):
            st.markdown("**Findings of the active set**")
            _show_findings(active)
    others = [entry for entry in entries if entry.id != active.id]
    if not others:
        st.markdown("No other set yet. A training makes a candidate, which is compared here.")
        return
    chosen = _choose(others)
    if chosen is None:
        st.caption(
            "No candidate waits. A training makes one; a set that was active before can be looked "
            "at beside the one that is."
        )
        return
    _show_head(chosen)
    if chosen.state == "archived":
        _archive_button(chosen)
        return
    if not _is_candidate(chosen):
        _show_earlier(chosen, active)
        return
    gates = resources.gates(chosen, active)
    _show_verdict(gates)
    asked, doing = st.columns([3, 2], gap="large")
    with asked:
        _show_gates(gates)
    with doing:
        _show_promotion(chosen, active, gates)
    if gates[0].state == "passed":
        _show_evidence(chosen, active)


def _is_candidate(entry: SetEntry) -> bool:
    """Tell what can be promoted from what a roll-back comes to: the shipped set, earlier ones."""
    return entry.state == "candidate" and entry.id != library.SHIPPED


def _named(entry: SetEntry) -> str:
    """Return a set's name, one for all places."""
    return f"{entry.name} (shipped)" if entry.id == library.SHIPPED else entry.id


def _state_word(entry: SetEntry) -> str:
    shipped = entry.id == library.SHIPPED and entry.state == "candidate"
    return "Came with the program" if shipped else STATE_WORDS[entry.state]


def _show_done() -> None:
    """Say once what the last action did."""
    if words := st.session_state.pop(_DONE, None):
        st.success(words, icon=":material/check_circle:")


def _change(action: Callable[..., SetEntry], words: str, *about: str, **options: str) -> bool:
    """Change which set is what, and have the next run say so: `words` with the set's name.

    Returns
    -------
    bool
        False where the change was refused.
    """
    entry: SetEntry | None = act(action, *about, **options)
    if entry is None:
        return False
    st.session_state[_DONE] = words.format(plain(_named(entry)))
    return True


def _show_list(active: SetEntry, entries: list[SetEntry]) -> None:
    """List the sets and offer the way back."""
    st.markdown(
        f"Active: **{plain(_named(active))}** (`{active.digest[:8]}`). Every result names it."
    )
    st.dataframe(
        [
            {
                "state": _state_word(entry),
                "id": _named(entry),
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


def _show_history() -> None:
    """List who changed which set is what, when and why, the latest first."""
    history = read_pointer().history
    if not history:
        return
    import pandas as pd

    table = pd.DataFrame([asdict(change) for change in reversed(history)])
    table["action"] = [ACTION_WORDS.get(action, action) for action in table["action"]]
    with st.expander("History of changes", icon=":material/history:", key="sets_history"):
        panels.show_table(
            panels.TableView(
                "sets-history", table, HISTORY, caption="Changes of the model sets, latest first"
            )
        )


def _roll_back_button(expected: str, caption: str) -> None:
    """Offer the way back from the set that is shown as active, and from no other one."""
    reason = why_not("promote")
    st.button(
        "Roll back",
        icon=":material/undo:",
        key="roll_back",
        disabled=bool(reason),
        help="Makes the set active that was so before, at once, for everybody",
        on_click=_change,
        args=(library.roll_back, "{} is the active set again."),
        kwargs={"expected": expected},
    )
    if reason or caption:
        st.caption(reason or caption)


def _choose(others: list[SetEntry]) -> SetEntry | None:
    """Offer the sets beside the active one; the latest candidate is chosen, if there is one."""
    order = {"candidate": 0, "previous": 1, "active": 2, "archived": 3}
    ranked = sorted(
        enumerate(others),
        key=lambda one: (one[1].id == library.SHIPPED, order[one[1].state], -one[0]),
    )
    by_id = {entry.id: entry for _, entry in ranked}
    waits = any(map(_is_candidate, others))
    wished = st.session_state.get(job_view.SET_COMPARED)
    if wished not in by_id:
        wished = next(iter(by_id)) if waits else None
    # on every run: the words of an option change with the state of its set
    st.session_state[job_view.SET_COMPARED] = wished
    chosen = st.selectbox(
        "Compare with the active set",
        list(by_id),
        index=0 if waits else None,
        placeholder="Choose a set",
        format_func=lambda name: f"{_named(by_id[name])}: {_state_word(by_id[name]).lower()}",
        key=job_view.SET_COMPARED,
    )
    return by_id.get(chosen)


def _show_head(entry: SetEntry) -> None:
    st.subheader(plain(_named(entry)), anchor=False)
    origin = "came with the program" if entry.origin == library.SHIPPED else f"job {entry.origin}"
    st.caption(f"{_state_word(entry)} · made {entry.created} · {plain(origin)}")


def _show_earlier(entry: SetEntry, active: SetEntry) -> None:
    """Show a set that a roll-back comes to beside the active one; it is not promoted here."""
    st.markdown("It is no candidate: **Roll back** is the way to a set from before.")
    _archive_button(entry)
    try:
        _show_evidence(entry, active)
    except ArtifactError as error:
        show_error(error)


def _show_verdict(gates: list[Gate]) -> None:
    """Say in one line whether the candidate can be promoted."""
    from resvae_core.registry.gates import verdict

    states = {gate.state for gate in gates}
    worst = next(state for state in ("failed", "not assessable", "passed") if state in states)
    st.markdown(f"{GATE_ICONS[worst]} **{plain(verdict(gates))}**")


def _show_gates(gates: list[Gate]) -> None:
    """Show each gate with its state in a word, what was found and what was expected."""
    n_passed = sum(gate.state == "passed" for gate in gates)
    st.markdown(f"**Gates: {n_passed} of {len(gates)} passed**")
    for gate in gates:
        line = (
            f"{GATE_ICONS[gate.state]} **{plain(gate.name)}** – {gate.state}: {plain(gate.found)}"
        )
        expected = f"Expected: {plain(gate.expected)}"
        if gate.state == "passed":
            st.markdown(line, help=expected)
        else:
            st.markdown(f"{line}  \n{expected}")


def _show_promotion(entry: SetEntry, active: SetEntry, gates: list[Gate]) -> None:
    """Offer to promote, with a reason where a gate did not pass, and to archive.

    What refuses a promotion stands below its button.
    """
    reason = why_not("promote")
    closed = [gate.name for gate in gates if gate.state != "passed"]
    key = f"reason_{entry.id}"
    with st.form(f"promotion_{entry.id}"):
        if gates[0].state == "failed":
            st.markdown("A set that is not intact cannot be promoted.")
        elif closed:
            st.markdown(f"{len(closed)} of {len(gates)} gates did not pass.")
            st.text_area(
                f"Why it is to be promoted all the same (at least {library.MINIMAL_REASON} "
                "characters)",
                key=key,
                disabled=bool(reason),
                help="Kept in the history",
            )
        else:
            st.markdown("Every gate passed.")
        if gates[0].state == "passed":
            _show_default_model(entry, active)
        asked = st.form_submit_button(
            on_primary("Promote"),
            type="primary",
            icon=":material/publish:",
            key=f"promote_{entry.id}",
            disabled=bool(reason) or gates[0].state == "failed",
        )
        st.caption(
            reason
            or "It becomes active for everybody at once. Pages that are open show it on their next "
            "step; results name the set that made them."
        )
    if asked:
        _promote(entry, active, str(st.session_state.get(key, "")))
        show_refusal()
    _archive_button(entry)


def _show_default_model(entry: SetEntry, active: SetEntry) -> None:
    """Say that a promotion changes which model everybody sees first, where it does."""
    after, before = (describe_model_set(one.folder).default_model for one in (entry, active))
    if after != before:
        st.markdown(
            f"Default model: {plain(model_word(before))} → {plain(model_word(after))}; the gates "
            "were asked of it."
        )


def _promote(entry: SetEntry, active: SetEntry, reason: str) -> None:
    """Promote a set while a line says so, then show the page with it; stay where it is refused."""
    words = f"{{}} is the active set now. Roll back brings {plain(_named(active))} back."
    with st.spinner("The gates are asked once more, then it is promoted …", show_time=True):
        done = _change(library.promote, words, entry.id, reason=reason)
    if done:
        st.rerun()


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
        on_click=_change,
        args=(
            (library.restore, "{} is a candidate again.", entry.id)
            if archived
            else (library.archive, "{} is archived. Restore brings it back.", entry.id)
        ),
    )
    if archived:
        st.caption("It stays on disk. Restored, it is a candidate again.")


def _show_evidence(entry: SetEntry, active: SetEntry) -> None:
    """Show what speaks for and against the candidate, part by part."""
    comparison = resources.set_comparison(entry, active)
    which = _word_of(entry)
    notes = (f"{which}: {_named(entry)}", f"Active set: {_named(active)} ({active.digest[:8]})")
    metrics, controls, drift, findings = st.tabs(
        ["Metrics", "Controls", "Drift", "Findings"], key="sets_parts", on_change="rerun"
    )
    if metrics.open:
        with metrics:
            _show_metrics(comparison, notes, which)
    if controls.open:
        with controls:
            _show_controls(comparison, notes, which)
    if drift.open:
        with drift:
            _show_drift(entry, active, notes)
    if findings.open:
        with findings:
            _show_findings(entry)


def _word_of(entry: SetEntry) -> str:
    """Return what a set beside the active one is called in charts and tables."""
    if _is_candidate(entry):
        return "Candidate"
    return "Shipped" if entry.id == library.SHIPPED else "Earlier"


def _relabelled(columns: Columns, **words: str) -> Columns:
    """Return columns with other words above some of them."""
    return columns | {name: {**columns[name], "label": word} for name, word in words.items()}


def _show_metrics(comparison: SetComparison, notes: tuple[str, ...], which: str) -> None:
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
    caution = comparison.caution(metric)
    figure = set_metrics(table, split=split, metric=metric, caution=caution, compared=which.lower())
    columns = _relabelled(METRICS, mean_candidate=which)
    view = panels.TableView(
        "sets-metrics", shown, columns, notes=(*notes, caution) if caution else notes
    )
    panels.chart(figure, "sets-metrics", view)
    st.markdown(
        f"**Differences**, {which.lower()} minus active set, with a paired test where there can be "
        "one"
    )
    if comparison.tests.empty:
        st.markdown("Nothing could be paired.")
    else:
        _show_tests(comparison, notes)
    if comparison.not_assessable:
        st.markdown("**Not assessable**")
        st.markdown("\n".join(f"- {plain(reason)}" for reason in comparison.not_assessable))


def _show_tests(comparison: SetComparison, notes: tuple[str, ...]) -> None:
    """Show the differences, behind what forbids to read them as gains; no column without values."""
    tests = comparison.tests
    cautions = tuple(dict.fromkeys(filter(None, map(comparison.caution, tests["metric"]))))
    for caution in cautions:
        st.markdown(
            f":material/warning: **{plain(caution)}** A difference may come from these, not from "
            "the models."
        )
    columns: Columns = {**TESTS}
    columns.update({str(name): None for name in tests if tests[name].isna().all()})
    view = panels.TableView("sets-tests", _in_words(tests), columns, notes=(*notes, *cautions))
    panels.show_table(view)
    if comparison.by_drugs:
        st.caption(
            "Without an interval and p: a mean over drugs. Drugs share cell lines, so a test "
            "over drugs would find differences that are none."
        )


def _in_words(tests: pd.DataFrame) -> pd.DataFrame:
    """Return tests with the words of split, model and metric, and with its direction if lower."""
    return tests.assign(
        split=[SPLIT_WORDS.get(name, name) for name in tests["split"]],
        model=[model_word(name) if name in MODEL_WORDS else name for name in tests["model"]],
        metric=[
            SET_METRIC_WORDS.get(name, name)
            + (" (lower is better)" if name in LOWER_IS_BETTER else "")
            for name in tests["metric"]
        ],
    )


def _show_controls(comparison: SetComparison, notes: tuple[str, ...], which: str) -> None:
    """Show the controls of both sets."""
    negative, positive = st.columns(2)
    with negative:
        st.markdown("**Negative control**: models trained on permuted labels, to be at 0.5")
        table = comparison.negative
        if table.empty:
            st.markdown("Not assessable: neither set was trained on permuted labels.")
        else:
            named = {CANDIDATE: which, ACTIVE: "Active"}
            words = table.assign(
                set=table["set"].map(named), model=[model_word(kind) for kind in table["model"]]
            )
            panels.show_table(panels.TableView("sets-negative", words, NEGATIVE, notes=notes))
    with positive:
        st.markdown("**Positive controls**: known genes among the default model's leading ones")
        table = comparison.positive
        if table.empty:
            st.markdown("Not assessable: no known gene was looked for in either set.")
        else:
            columns = _relabelled(POSITIVE, passes_candidate=which)
            words = {True: "found", False: "not found"}
            named = table.assign(
                **{
                    name: [words.get(value, "not assessable") for value in table[name]]
                    for name in ("passes_candidate", "passes_active")
                }
            )
            panels.show_table(panels.TableView("sets-positive", named, columns, notes=notes))


def _show_drift(entry: SetEntry, active: SetEntry, notes: tuple[str, ...]) -> None:
    """Show how predictions move, or offer to compute it."""
    table = resources.set_drift(entry, active)
    if table is None and entry.id == library.SHIPPED:
        st.markdown("Not computed for the set that came with the program: it is no candidate.")
        return
    arguments = {"set": entry.id, "against": active.digest}
    if table is None:
        st.markdown("Not computed against the set that is active now.")
        _offer_job("drift", arguments, "Compute the drift", "score")
        return
    if reason := resources.why_drift_outdated(entry, active):
        st.markdown(plain(reason))
        _offer_job("drift", arguments, "Compute the drift anew", "score")
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
        for reason in about.left_out.values():
            st.caption(f"A table was left out, because {plain(reason)}.")
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
