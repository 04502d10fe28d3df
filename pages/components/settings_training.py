"""Settings, Training: what is trained now, and the form that starts another training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import job_view, resources, settings_parts
from pages.components.contrast import on_primary
from pages.components.job_view import duration
from pages.components.messages import plain, show_error
from pages.components.permissions import act, show_refusal, why_not
from pages.components.state import load_session
from resvae_core.data.drugs import load_drugs
from resvae_core.errors import InputDataError
from resvae_core.figures.palette import SIMPLE, in_order, model_word, with_model_words
from resvae_core.jobs import service

if TYPE_CHECKING:
    from pages.components.state import Session
    from resvae_core.data.screens import Survey
    from resvae_core.jobs.record import JobRecord
    from resvae_core.registry.training_request import Estimate, Problem, TrainingRequest

TASK = "train"
READS = {
    "vae_ll": "embedding of the large encoder, genes, ranks",
    "vae_ls": "embedding of the small encoder, genes, ranks",
    "vae_ld": "genes and ranks; learns from VAE_LL, so choose both",
    "random_forest": "genes",
    "xgboost": "genes",
    SIMPLE: "genes; the simple model to beat",
    "ensemble": "its five parts, so choose them all",
}
GENES = {"panel": "Panel of cancer genes", "genome": "Every measured gene"}
RULES = {
    "catalogue": "The drug's published or stated threshold",
    "lowest_share": "The lowest share of its measured lines",
}
RULE_CAPTIONS = (
    "Of each drug, as the catalogue states it with its source. Comparable with the shipped models.",
    "Of each drug, the same share for all. Shows how much hangs on the threshold.",
)
EFFORTS = {"full": "Full", "short": "Short, to try it"}
EFFORT_HELP = (
    "Short trains for few epochs, to see that everything works. Its gate does not pass: only a "
    "written reason promotes it."
)
DEVICES = ("auto", "cpu", "cuda")
DEVICE_WORDS = {"auto": "Automatic", "cpu": "Processor (CPU)", "cuda": "Graphics card (CUDA)"}
LONGEST_NAME, LEAST_SHARE, MOST_SHARE = 40, 0.05, 0.5
"""What the widgets allow; the request's own check decides."""
MOST_PROBLEMS = 3
"""Told of one answer; choosing every drug of the catalogue would have dozens."""
LOCKED = ":material/lock:"


def show(session: Session) -> None:
    """Show the trainings that matter now, then the form."""
    for job in _trainings():
        job_view.show_job(job)
    st.subheader("Train a candidate", anchor=False)
    st.caption(
        "Judges every model on lines and tissues that it has not seen, fits it on all lines, and "
        "puts the result beside the active set. Nobody's results change until it is promoted."
    )
    show_refusal()
    if reason := why_not("train"):
        st.markdown(f"{LOCKED} {reason}")
    try:
        survey = resources.training_survey()
    except InputDataError as error:  # something is there, and not complete
        show_error(error)
        survey = None
    if survey is None:
        _say_what_is_missing()
        return
    _form(session, survey)


def _trainings() -> list[JobRecord]:
    """Return the newest one, however it ended, and what waits, runs or can go on."""
    found = service.list_jobs(task=TASK, limit=20)
    order = ("running", "queued", "interrupted")
    open_ones = [job for job in found if job.state in order]
    open_ones.sort(key=lambda job: (order.index(job.state), job.position or 0))
    ended = [job for job in found[:1] if job not in open_ones]
    return [*ended, *open_ones]


def _say_what_is_missing() -> None:
    """Say that there is nothing to train on, and where to get it."""
    st.markdown(
        "No training data are installed. A training needs expression of cell lines and their "
        "response to drugs: the data sets **gdsc** and **depmap**."
    )
    st.button(
        "See the data sets",
        icon=":material/database:",
        key="to_data",
        on_click=settings_parts.open_part,
        args=("data",),
    )


def _form(session: Session, survey: Survey) -> None:
    """Ask for everything that a training needs, each problem at its field."""
    request = session.request = session.request or resources.first_request(survey)
    problems = resources.training_problems(request)
    what, how = st.columns(2, gap="large")
    with what:
        _ask_what(request, survey, problems)
    with how:
        _ask_how(request, problems)
    _say_estimate(request, problems)
    _offer_start(problems)


def _ask_what(request: TrainingRequest, survey: Survey, problems: list[Problem]) -> None:
    """Ask for name, genes, drugs and models."""
    _ask(st.text_input, "name", "Name of the candidate", request, problems, max_chars=LONGEST_NAME)
    _ask(
        st.segmented_control,
        "genes",
        "Genes",
        request,
        problems,
        options=list(GENES),
        format_func=GENES.__getitem__,
        required=True,
    )
    measured = survey.screen.ln_ic50.notna()
    what, pairs = "cell lines", "measured pairs"
    if survey.synthetic:
        what, pairs = "synthetic lines, none of them measured,", "made-up pairs"
    st.caption(
        f"Installed: {len(measured):,} {what} of {survey.n_sites} sites × {survey.n_genes:,} "
        f"genes; {int(measured.any().sum())} drugs, {int(measured.sum().sum()):,} {pairs}."
    )
    _ask_drugs_and_models(request, problems)


def _ask_drugs_and_models(request: TrainingRequest, problems: list[Problem]) -> None:
    """Ask for drugs and models; say what the chosen ones read."""
    _ask(
        st.multiselect,
        "drugs",
        "Drugs",
        request,
        problems,
        options=list(load_drugs()),
        placeholder="All that were measured",
    )
    kinds = in_order(READS)
    _ask(
        st.multiselect,
        "kinds",
        "Models",
        request,
        problems,
        options=kinds,
        format_func=model_word,
        placeholder="All",
        help="  \n".join(f"{model_word(kind)}: reads {READS[kind]}." for kind in kinds),
    )
    for kind in request.kinds:
        st.caption(f"{model_word(kind)} reads {READS[kind]}.")


def _ask_how(request: TrainingRequest, problems: list[Problem]) -> None:
    """Ask for the label rule, effort, seeds, budget and device."""
    _ask_label_rule(request, problems)
    _ask(
        st.segmented_control,
        "effort",
        "Effort",
        request,
        problems,
        options=list(EFFORTS),
        format_func=EFFORTS.__getitem__,
        required=True,
        help=EFFORT_HELP,
    )
    _ask_how_much(request, problems)
    _ask(
        st.selectbox,
        "device",
        "Device",
        request,
        problems,
        options=DEVICES,
        format_func=DEVICE_WORDS.__getitem__,
    )


def _ask_label_rule(request: TrainingRequest, problems: list[Problem]) -> None:
    """Ask when a line counts as sensitive."""
    _ask(
        st.radio,
        "label_rule",
        "A line counts as sensitive when its ln IC50 is at or below",
        request,
        problems,
        options=list(RULES),
        format_func=RULES.__getitem__,
        captions=RULE_CAPTIONS,
    )
    if request.label_rule == "lowest_share":
        _ask(
            st.slider,
            "label_share",
            "Share of sensitive lines",
            request,
            problems,
            min_value=LEAST_SHARE,
            max_value=MOST_SHARE,
            step=0.01,
        )


def _ask_how_much(request: TrainingRequest, problems: list[Problem]) -> None:
    """Ask for seeds and hours.

    The widgets have no limits of their own: they would keep the last valid number without telling
    the server, and the training would start with it.
    """
    seeds, hours = st.columns(2)
    with seeds:
        _ask(
            st.number_input,
            "n_seeds",
            "Seeds",
            request,
            problems,
            step=1,
            help="How often every split is drawn anew. More seeds, narrower intervals, more time.",
        )
    with hours:
        _ask(
            st.number_input,
            "budget_hours",
            "Budget, hours",
            request,
            problems,
            step=1.0,
            format="%.2f",
            help="It stops when this time is used up; what has finished is kept.",
        )


def _ask(
    widget: Callable[..., Any],
    field: str,
    label: str,
    request: TrainingRequest,
    problems: list[Problem],
    **options: Any,
) -> None:
    """Offer one field of the request; a change is kept in the session, a problem stands below."""
    key = f"request_{field}"
    value = getattr(request, field)
    st.session_state[key] = list(value) if isinstance(value, tuple) else value
    widget(label, key=key, on_change=_keep, args=(field, key), **options)
    found = [problem for problem in problems if problem.field == field]
    for problem in found[:MOST_PROBLEMS]:
        _say_problem(problem)
    if len(found) > MOST_PROBLEMS:
        st.markdown(f":red[And {len(found) - MOST_PROBLEMS:,} more of this kind.]")


def _say_problem(problem: Problem) -> None:
    message, remedy = (with_model_words(text) for text in (problem.message, problem.remedy))
    st.markdown(f":red[:material/error: {plain(message)}] {plain(remedy)}")


def _keep(field: str, key: str) -> None:
    """Write a widget's value back into the session's request."""
    value = st.session_state[key]
    session = load_session()
    value = tuple(value) if isinstance(value, list) else value
    session.request = replace(session.request, **{field: value})


def _say_estimate(request: TrainingRequest, problems: list[Problem]) -> None:
    """Say what the training will take, before it starts."""
    for problem in problems:
        if not hasattr(request, problem.field):  # data, memory, disk
            _say_problem(problem)
    if problems:
        return
    estimate = resources.training_estimate(request)
    st.markdown(f"**Estimate.** {estimate_words(estimate)}")
    st.caption(plain(estimate.basis))
    if 60 * request.budget_hours < estimate.minutes_low:
        st.markdown(
            ":orange[:material/warning: The budget is below the estimate.] The training will stop "
            "when it is used up; each time that it is resumed, it gets as much again."
        )


def estimate_words(estimate: Estimate) -> str:
    """Return time, memory and disk of a training in one sentence."""
    span = _span(60 * estimate.minutes_low, 60 * estimate.minutes_high)
    return (
        f"{span}, {_gigabytes(estimate.memory_gb)} of memory, "
        f"{_gigabytes(estimate.disk_gb)} on disk."
    )


def _span(low: float, high: float) -> str:
    """Return a span of seconds in words, no finer than what is known of it."""
    if high < 90:
        return "About a minute"
    if high < 5400:
        return f"{max(low / 60, 1):.0f} to {high / 60:.0f} minutes"
    if low >= 5400:
        return f"{low / 3600:.1f} to {duration(high)}"
    return f"{duration(low)} to {duration(high)}"


def _gigabytes(size: float) -> str:
    return f"{size:.1f} GB" if size >= 0.05 else "less than 0.1 GB"


def _offer_start(problems: list[Problem]) -> None:
    """Offer the button; what must change first stands beside it, who may at the top."""
    n = len(problems)
    unready = f"{n} {'answer' if n == 1 else 'answers'} above must change first." if n else ""
    reason = why_not("train") or unready
    st.button(
        on_primary("Start training"),
        type="primary",
        icon=":material/play_arrow:",
        key="start_training",
        disabled=bool(reason),
        help=reason or None,
        on_click=_start_as_filled_in,
    )
    if unready:
        st.caption(unready)


def _start_as_filled_in() -> None:
    """Start what the form says at the moment of the click, an answer typed just before included."""
    for one in fields(load_session().request):
        key = f"request_{one.name}"
        if key in st.session_state:
            _keep(one.name, key)
    start(load_session().request)


def start(request: TrainingRequest) -> None:
    """Queue the training as the visitor; the core decides whether they may."""
    active = {job.id for job in service.list_jobs(task=TASK, states=job_view.ACTIVE)}
    job = act(service.submit, TASK, request.to_arguments())
    if job is not None:
        what = "The same training waits or runs already" if job.id in active else "Started"
        st.toast(f"{what}: {plain(job.title)}, above the form.", icon=":material/play_arrow:")
