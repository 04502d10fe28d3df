"""What a candidate has to show before it may become the active model set.

Each gate asks one thing and says what was found and what was expected. Where a gate cannot be
asked, it is not assessable: that is no pass, and whoever promotes the set all the same says why.
The figures that the bounds rest on are printed by ``benchmarks/gate_bounds.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from resvae_core.compute import one_thread
from resvae_core.data.cohorts import DEMO, load_cohort
from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.errors import ArtifactError, ResVAEError
from resvae_core.evaluation.benchmark import PERMUTED
from resvae_core.models.catalog import title_of
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.comparison import JudgedSet, SetComparison, compare_sets
from resvae_core.registry.drift import DEFAULTS, load_drift
from resvae_core.registry.library import SetEntry
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression

GateState = Literal["passed", "failed", "not assessable"]

SIGNIFICANT = 0.05
CHANCE = 0.5
"""Within-tissue ROC AUC of a model that knows the tissue and nothing else."""
MAX_ECE = 0.05
"""Mean distance between predicted and observed shares. That of the shipped models is 0.014 to 0.018
on left-out lines; that of the tissue floor on tissues it never saw, which nobody should call
calibrated, 0.105. The bound lies between."""
NOMINAL_COVERAGE = 0.90
COVERAGE_MARGIN = 0.03
"""Half-width of what is accepted around the nominal coverage: an invariant of the product."""
MARGIN = 0.01
"""Loss in within-tissue ROC AUC that is too small to matter: 6 % of what the shipped default model
gains over chance (0.170). A difference that is paired over 15 folds has a half-width of 0.0045 to
0.0064 between networks: two that are equally good can be told to be so. Between other models it is
0.0103 to 0.0207: a default model of another kind passes where it is better by some thousandths, and
is not assessable where it is as good. More seeds narrow that by a fifth at most: the lines stay the
same."""
MAX_FLIPS = 0.02
"""Share of the active set's firm calls that may turn from resistant to sensitive or back. A call is
firm where the whole 90 % interval lies on one side; two honest sets seldom contradict each other
there."""
MAX_LOST_CALLS = 0.20
"""Share of the active set's firm calls that may become uncertain. Of the shipped networks' firm
calls on 120 patients each of two real cohorts a sister network took back 3 to 9 %; another kind of
model in the ensemble's place 45 to 54 %. The bound lies between."""
MINIMAL_FIRM_CALLS = 150
"""Firm calls of the active set below which nothing is said of turned ones: where none of n turned,
their share is below 3 / n with 95 % confidence, and 3 / 150 is `MAX_FLIPS`. Calls of one patient go
together, so this is the least, not plenty."""
LEAST_CONTROL_WIDTH = 0.0005
"""Half-width up to which an interval is none in three digits: a model whose output is constant, or
folds that were not drawn anew, show no leak whatever there is."""
MAX_CONTROL_WIDTH = 0.05
"""Widest half-width of a negative control's interval that could still show a leak. It rests on five
folds of one seed, whatever the number of seeds; those of the shipped models are 0.006 to 0.025, so
that a full run stays within, and a leak that lifts the within-tissue ROC AUC beyond 0.55, less than
a third of what the shipped default model gains (0.17), stands out."""
N_SAMPLES = 24
"""Samples of the synthetic cohort that are predicted in the trial."""
TOLERANCE = 1e-5
"""Difference between a sample alone and among others that is rounding in single precision: a
hundredth of the last digit that any page prints."""
WITHIN = "within_tissue_roc_auc"
FULL = "full"


@dataclass(frozen=True)
class Gate:
    """One gate, and how it stands.

    Parameters
    ----------
    key
        For programs.
    name
        What is asked, for people.
    state
        ``passed``, ``failed`` or ``not assessable``.
    found, expected
        In words with numbers.
    cause
        A few words for a verdict where it failed, such as ``71 drugs lost``.
    """

    key: str
    name: str
    state: GateState
    found: str
    expected: str
    cause: str = ""


Answer = tuple[GateState, str, str]


@dataclass(frozen=True)
class _Case:
    """What the gates look at; made once the files are known to be intact."""

    candidate: JudgedSet
    active: JudgedSet
    comparison: SetComparison
    models: ModelSet
    drift: pd.DataFrame | None

    @property
    def default(self) -> str:
        return self.candidate.default_model

    @property
    def title(self) -> str:
        return title_of(self.default)


def check_gates(candidate: SetEntry, active: SetEntry) -> list[Gate]:
    """Ask every gate of a candidate.

    Takes seconds: the candidate is loaded and tried. The drift is read, not computed
    (`drift.write_drift`).

    Returns
    -------
    list of Gate
        In the order of `GATES`. Where the files are not intact, the first has failed and no other
        is assessable.

    Raises
    ------
    ArtifactError
        If the active set's evaluation cannot be read.
    """
    try:
        models = load_model_set(candidate.folder)
    except ArtifactError as error:
        return _closed(error)
    case = _Case(
        JudgedSet(candidate.folder),
        JudgedSet(active.folder),
        compare_sets(candidate, active),
        models,
        load_drift(candidate, active),
    )
    gates = [Gate(key, name, *ask(case)) for key, (name, ask) in GATES.items()]
    return [
        replace(gate, cause=_cause(gate, case)) if gate.state == "failed" else gate
        for gate in gates
    ]


def verdict(gates: Sequence[Gate]) -> str:
    """Return in one sentence whether a candidate can be promoted.

    Parameters
    ----------
    gates
        As `check_gates` gives them.
    """
    failed = [gate for gate in gates if gate.state == "failed"]
    unknown = [gate.name for gate in gates if gate.state == "not assessable"]
    if gates[0].state == "failed":
        return "It cannot be promoted: its files are not intact."
    if failed:
        causes = ", ".join(gate.cause for gate in failed)
        n_open = len(failed) + len(unknown)
        return f"Do not promote: {causes}; {n_open} of {len(gates)} gates not passed."
    if unknown:
        return f"Gates need a reason, not assessable: {', '.join(unknown)}."
    return f"All {len(gates)} gates passed."


def _cause(gate: Gate, case: _Case) -> str:
    if gate.key == "nothing_lost":
        lost = case.comparison
        counts = {"model": len(lost.lost_models), "drug": len(lost.lost_drugs)}
        parts = [_counted(n, word) for word, n in counts.items() if n]
        return f"{' and '.join(parts)} lost"
    return CAUSES.get(gate.key, f"“{gate.name}” failed")


def _closed(error: ArtifactError) -> list[Gate]:
    gates = []
    for key, (name, _) in GATES.items():
        first = key == "intact"
        found = error.message if first else "the files are not intact"
        state: GateState = "failed" if first else "not assessable"
        gates.append(Gate(key, name, state, found, "every file as its digest says"))
    return gates


def _intact(case: _Case) -> Answer:
    n_models, n_drugs = len(case.models.models), len(case.models.drugs)
    loaded = f"{_counted(n_models, 'model')} load{'s' if n_models == 1 else ''}"
    words = f"{loaded}, {_counted(n_drugs, 'drug')}"
    return "passed", words, "every file as its digest says; strict loading"


def _predicts(case: _Case) -> Answer:
    expected = f"finite, within 0 and 1, and alone as among others (to {TOLERANCE:g})"
    cohort = load_cohort(None, DEMO).expression
    some = Expression(cohort.values.iloc[:N_SAMPLES])
    try:
        with one_thread():
            together = case.models.predict(some).table
            alone = case.models.predict(some.select(some.samples[:1])).table
    except ResVAEError as error:
        return "failed", error.message, expected
    numbers = together[["probability", "lower", "upper"]].to_numpy(float)
    if not (np.isfinite(numbers).all() and (numbers >= 0).all() and (numbers <= 1).all()):
        return "failed", "a probability that is none", expected
    first = together[together["sample"] == some.samples[0]]
    gap = float(np.abs(first["probability"].to_numpy() - alone["probability"].to_numpy()).max())
    state: GateState = "passed" if gap <= TOLERANCE else "failed"
    return state, f"{numbers.shape[0]:,} predictions; largest difference {gap:.1g}", expected


def _full_training(case: _Case) -> Answer:
    expected = "full training"
    request = case.candidate.cards[case.default].document.get("request") or {}
    effort = request.get("effort")
    if effort is None:
        return "not assessable", "its cards do not say how it was trained", expected
    return "passed" if effort == FULL else "failed", f"{effort} training", expected


def _measured_data(case: _Case) -> Answer:
    expected = "cell lines and responses that were measured"
    cards = [case.candidate.cards[kind] for kind in case.candidate.learned]
    # cards of sets that were trained on measurements have no such field
    if any(card.document["training"].get("synthetic") for card in cards):
        return "failed", "synthetic data, drawn from a generator", expected
    return "passed", "measured data", expected


def _beats_floor(case: _Case) -> Answer:
    expected = (
        f"better than the drug × tissue mean on left-out lines (p < {SIGNIFICANT:g}), and "
        f"within-tissue ROC AUC above {CHANCE:g}, interval and all"
    )
    auc = case.candidate.figure(case.default, "roc_auc")
    within = case.candidate.figure(case.default, WITHIN)
    if auc is None or within is None or pd.isna(auc.p_value) or pd.isna(within.lower):
        return "not assessable", f"{case.title} was not tested against the floor", expected
    better = auc.difference_to_floor > 0 and auc.p_value < SIGNIFICANT
    state: GateState = "passed" if better and within.lower > CHANCE else "failed"
    return (
        state,
        f"{case.title}: ROC AUC {auc.difference_to_floor:+.3f} against the floor "
        f"(p {auc.p_value:.2g}, {_counted(int(auc.n_folds), 'fold')}), "
        f"within tissue {_interval(within)}",
        expected,
    )


def _negative_control(case: _Case) -> Answer:
    expected = (
        f"every model at chance when trained on permuted labels: the interval holds {CHANCE:g}, "
        f"has a width, and reaches at most {MAX_CONTROL_WIDTH:g} to either side of its mean"
    )
    split = LEAVE_CELL_LINE_OUT + PERMUTED
    figures = {kind: case.candidate.figure(kind, WITHIN, split) for kind in case.candidate.learned}
    found = {
        kind: one
        for kind, one in figures.items()
        if one is not None and not pd.isna([one.mean, one.lower, one.upper]).any()
    }
    off = [kind for kind, one in found.items() if not one.lower <= CHANCE <= one.upper]
    if off:
        return "failed", _intervals(found, off), expected
    missing = [title_of(kind) for kind in figures if kind not in found]
    if missing:
        words = f"no interval with permuted labels: {', '.join(missing)}"
        return "not assessable", words, expected
    flat = [kind for kind, one in found.items() if one.upper - one.lower <= 2 * LEAST_CONTROL_WIDTH]
    if flat:
        words = f"no spread over folds, as of a constant output: {_intervals(found, flat)}"
        return "not assessable", words, expected
    wide = [kind for kind, one in found.items() if one.upper - one.lower > 2 * MAX_CONTROL_WIDTH]
    if wide:
        words = f"too wide to show a leak: {_intervals(found, wide)}"
        return "not assessable", words, expected
    return "passed", _intervals(found, [case.default]), expected


def _positive_controls(case: _Case) -> Answer:
    expected = "every known gene that the active set finds, and at least one"
    table = case.comparison.positive
    own, other = (table[f"passes_{name}"] for name in ("candidate", "active"))
    if case.candidate.controls() is None or other.isna().all():
        which = "active set" if other.isna().all() else "candidate"
        return "not assessable", f"no known gene was looked for in the {which}", expected
    lost = table[other.eq(True) & ~own.eq(True)]
    words = f"{int(own.eq(True).sum())} of {int(own.notna().sum())}, "
    words += f"the active set {int(other.eq(True).sum())} of {int(other.notna().sum())}"
    if not lost.empty:
        pairs = [
            f"{row.gene} for {row.drug}"
            + (" (not assessable)" if pd.isna(row.passes_candidate) else "")
            for row in lost.itertuples()
        ]
        words += f"; lost: {', '.join(pairs)}"
    return "passed" if lost.empty and own.eq(True).any() else "failed", words, expected


def _calibration(case: _Case) -> Answer:
    expected = f"calibration error up to {MAX_ECE:g} on left-out lines"
    figure = case.candidate.figure(case.default, "ece")
    if figure is None or pd.isna(figure.mean):
        return "not assessable", "the calibration was not measured", expected
    state: GateState = "passed" if figure.mean <= MAX_ECE else "failed"
    return state, f"{case.title} {_interval(figure)}", expected


def _coverage(case: _Case) -> Answer:
    expected = (
        f"90 % sets hold the truth in {100 * (NOMINAL_COVERAGE - COVERAGE_MARGIN):.0f} % to "
        f"{100 * (NOMINAL_COVERAGE + COVERAGE_MARGIN):.0f} % of left-out pairs of either class"
    )
    figures = {
        word: case.candidate.figure(case.default, f"coverage_{word}")
        for word in ("resistant", "sensitive")
    }
    if any(figure is None or pd.isna(figure.mean) for figure in figures.values()):
        return "not assessable", "the coverage was not measured", expected
    near = [abs(one.mean - NOMINAL_COVERAGE) <= COVERAGE_MARGIN for one in figures.values()]
    words = ", ".join(f"{word} {100 * figure.mean:.1f} %" for word, figure in figures.items())
    return "passed" if all(near) else "failed", f"{case.title}: {words}", expected


def _not_worse(case: _Case) -> Answer:
    expected = (
        f"within-tissue ROC AUC no worse than the active set's by {MARGIN:g}: the 95 % interval of "
        "the difference, over the same folds of the same data and labels, lies above "
        f"-{MARGIN:g}"
    )
    test = case.comparison.test_of_defaults(WITHIN)
    pair = case.comparison.defaults
    pair = case.title if pair == case.default else pair
    if WITHIN in case.comparison.untested:
        shown = "" if test is None else f"{pair}: {test.difference:+.3f} (n = {int(test.n)}). "
        return "not assessable", shown + case.comparison.untested[WITHIN], expected
    if test is None or pd.isna(test.lower):
        return "not assessable", f"{pair}: the folds that both kept give no interval", expected
    words = f"{pair}: {test.difference:+.3f} ({test.lower:+.3f} to {test.upper:+.3f}; "
    words += f"{test.test}, n = {int(test.n)})"
    if test.lower > -MARGIN:
        return "passed", words, expected
    if test.upper < 0 or test.difference < -MARGIN:
        return "failed", words, expected
    half = (test.upper - test.lower) / 2
    words += f"; too wide to tell (± {half:.3f}), more seeds narrow it"
    return "not assessable", words, expected


def _drift(case: _Case) -> Answer:
    expected = (
        f"of {MINIMAL_FIRM_CALLS} or more firm calls of the active set in real cohorts, at most "
        f"{100 * MAX_FLIPS:.0f} % turn between resistant and sensitive, and "
        f"{100 * MAX_LOST_CALLS:.0f} % become uncertain"
    )
    if case.drift is None:
        return "not assessable", "not computed against the active set yet", expected
    rows = case.drift[(case.drift["model"] == DEFAULTS) & ~case.drift["synthetic"].astype(bool)]
    if rows.empty:
        return "not assessable", "computed on the synthetic cohort alone", expected
    columns = ["n_firm_active", "n_firm", "to_resistant", "to_sensitive"]
    n_firm, kept, up, down = (int(n) for n in rows[columns].sum())
    cohorts = ", ".join(dict.fromkeys(rows["cohort"]))
    if n_firm < MINIMAL_FIRM_CALLS:
        return (
            "not assessable",
            f"{_counted(n_firm, 'firm call')} of the active set in {cohorts}",
            expected,
        )
    lost = n_firm - kept
    words = f"{up} to resistant, {down} to sensitive, {lost:,} uncertain of {n_firm:,} in {cohorts}"
    steady = (up + down) / n_firm <= MAX_FLIPS and lost / n_firm <= MAX_LOST_CALLS
    return "passed" if steady else "failed", words, expected


def _nothing_lost(case: _Case) -> Answer:
    expected = "every model and drug of the active set"
    drugs, models = case.comparison.lost_drugs, case.comparison.lost_models
    if not drugs and not models:
        return "passed", "nothing is lost", expected
    parts = []
    if models:
        parts.append(f"models: {', '.join(map(title_of, models))}")
    if drugs:
        named = ", ".join(drugs[:5]) + (f" and {len(drugs) - 5} more" if len(drugs) > 5 else "")
        parts.append(f"{_counted(len(drugs), 'drug')}: {named}")
    return "failed", f"lost: {'; '.join(parts)}", expected


def _counted(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _intervals(found: dict[str, Any], kinds: list[str]) -> str:
    return "; ".join(f"{title_of(kind)} {_interval(found[kind])}" for kind in kinds)


def _interval(figure: object) -> str:
    mean, lower, upper = (getattr(figure, name) for name in ("mean", "lower", "upper"))
    return f"{mean:.3f} ({lower:.3f} to {upper:.3f})"


GATES: dict[str, tuple[str, Callable[[_Case], Answer]]] = {
    "intact": ("Files intact, models load", _intact),
    "predicts": ("Predictions are sound", _predicts),
    "full_training": ("Trained in full", _full_training),
    "measured_data": ("Trained on measured data", _measured_data),
    "beats_floor": ("Better than the tissue floor", _beats_floor),
    "negative_control": ("Negative control at chance", _negative_control),
    "positive_controls": ("Known genes are found", _positive_controls),
    "calibration": ("Probabilities are calibrated", _calibration),
    "coverage": ("90 % sets hold what they say", _coverage),
    "not_worse": ("Not worse than the active set", _not_worse),
    "drift": ("Calls do not turn over", _drift),
    "nothing_lost": ("No model or drug is lost", _nothing_lost),
}
"""Key to name and question, in the order in which they are shown."""
CAUSES = {
    "predicts": "unsound predictions",
    "full_training": "short training",
    "measured_data": "synthetic data",
    "beats_floor": "no better than the tissue floor",
    "negative_control": "more than chance on permuted labels",
    "positive_controls": "known genes not found",
    "calibration": "probabilities not calibrated",
    "coverage": "90 % sets that do not hold what they say",
    "not_worse": "worse than the active set",
    "drift": "calls that turn over",
}
"""Key of a gate to why it fails, for the verdict."""
