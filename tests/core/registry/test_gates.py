from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import ConfigError
from resvae_core.models.catalog import learned_names
from resvae_core.registry import gates, library
from resvae_core.registry.drift import COLUMNS
from resvae_core.registry.gates import GATES, Gate, GateState, check_gates, verdict
from resvae_core.registry.library import SetEntry
from resvae_core.registry.store import load_evaluation
from tests.core.registry.test_comparison import MODEL, entry_of, folds, table_of
from tests.core.registry.tiny_sets import replace_in_set, staged_copy, tiny_set

MakeSet = Callable[..., SetEntry]


@pytest.fixture
def make_set(tmp_path: Path) -> MakeSet:
    def make(name: str, **tables: pd.DataFrame) -> SetEntry:
        folder = staged_copy(tiny_set(), tmp_path / name, name=name)
        change_card(folder, request={"effort": "full"}, training=measured(folder))
        for table, frame in tables.items():
            content = frame.to_csv(index=False).encode()
            replace_in_set(folder, f"evaluation/{table}.csv", content)
        return entry_of(folder)

    return make


def change_card(folder: Path, **changes: object) -> None:
    card = json.loads((folder / MODEL / "card.json").read_text()) | changes
    replace_in_set(folder, f"{MODEL}/card.json", json.dumps(card).encode())


def measured(folder: Path) -> dict[str, object]:
    """Return how a card tells of its training, as if the tiny lines had been measured."""
    training = json.loads((folder / MODEL / "card.json").read_text())["training"]
    return {key: value for key, value in training.items() if key != "synthetic"}


def good_summary(**changes: float) -> pd.DataFrame:
    """Return figures of which all pass, but for those that are given as ``metric__column``."""
    table = table_of("summary")
    wanted = {
        "ece__mean": 0.02,
        "coverage_resistant__mean": 0.91,
        "coverage_sensitive__mean": 0.89,
        **changes,
    }
    honest = (table["model"] == MODEL) & (table["split"] == "leave_cell_line_out")
    for name, value in wanted.items():
        metric, column = name.split("__")
        table.loc[honest & (table["metric"] == metric), column] = value
    return with_control(table, 0.51, 0.48, 0.54)


def with_control(summary: pd.DataFrame, *figures: float) -> pd.DataFrame:
    """Return figures with mean, lower and upper of the negative control in their place."""
    rows = (
        (summary["model"] == MODEL)
        & summary["split"].str.endswith("_permuted")
        & (summary["metric"] == "within_tissue_roc_auc")
    )
    changed = summary.copy()
    changed.loc[rows, ["mean", "lower", "upper"]] = figures
    return changed


def controls(*passes: bool | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "drug": [f"D{n}" for n in range(len(passes))],
            "gene": "G",
            "measure": "attribution",
            "model": MODEL,
            "passes": [bool(value) for value in passes],
            "why_not_assessable": ["no data" if value is None else None for value in passes],
        }
    )


def drift(
    n_firm: int, to_resistant: int = 0, to_sensitive: int = 0, *, lost: int = 0, cohort: str = "GBM"
) -> pd.DataFrame:
    """Return the drift of a cohort of which the active set makes a number of firm calls."""
    row = dict.fromkeys(COLUMNS, 0.0) | {"cohort": cohort, "model": "default"}
    row |= {"synthetic": cohort == "DEMO", "n_firm_active": n_firm, "n_firm": n_firm - lost}
    row |= {"to_resistant": to_resistant, "to_sensitive": to_sensitive}
    return pd.DataFrame([row])


def ask(
    candidate: SetEntry,
    active: SetEntry,
    monkeypatch: pytest.MonkeyPatch,
    moved: pd.DataFrame | None,
) -> dict[str, Gate]:
    monkeypatch.setattr(gates, "load_drift", lambda candidate, active: moved)
    found = check_gates(candidate, active)
    assert [gate.key for gate in found] == list(GATES)
    return {gate.key: gate for gate in found}


def test_good_set_passes_every_gate(make_set: MakeSet, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"positive_controls": controls(True, False, None), "folds": folds(0.0)}
    found = ask(
        make_set("good", summary=good_summary(), **kept),
        make_set("active", **kept),
        monkeypatch,
        drift(200, 2, 2, lost=40),
    )
    assert {key: gate.found for key, gate in found.items() if gate.state != "passed"} == {}
    assert found["positive_controls"].found == "1 of 2, the active set 1 of 2"
    assert verdict(list(found.values())) == f"All {len(GATES)} gates passed."
    assert found["coverage"].found == "Elastic net: resistant 91.0 %, sensitive 89.0 %"
    assert "87 % to 93 % of" in found["coverage"].expected
    assert found["drift"].found == "2 to resistant, 2 to sensitive, 40 uncertain of 200 in GBM"


@pytest.mark.parametrize(
    ("gate", "changes"),
    [
        ("beats_floor", {"roc_auc__difference_to_floor": -0.01}),
        ("beats_floor", {"roc_auc__p_value": 0.2}),
        ("beats_floor", {"within_tissue_roc_auc__lower": 0.49}),
        ("calibration", {"ece__mean": 0.051}),
        ("coverage", {"coverage_resistant__mean": 0.94}),
        ("coverage", {"coverage_sensitive__mean": 0.86}),
    ],
)
def test_one_bad_figure_fails_its_gate_alone(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch, gate: str, changes: dict[str, float]
) -> None:
    kept = {"positive_controls": controls(True), "folds": folds(0.0)}
    candidate = make_set("bad", summary=good_summary(**changes), **kept)
    found = ask(candidate, make_set("active", **kept), monkeypatch, drift(200))
    assert [key for key, one in found.items() if one.state != "passed"] == [gate]
    assert found[gate].state == "failed"


def test_negative_control_off_chance_fails(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = with_control(good_summary(), 0.6, 0.55, 0.65)
    found = ask(make_set("leaky", summary=summary), make_set("active"), monkeypatch, None)
    assert found["negative_control"].state == "failed"
    assert "0.600 (0.550 to 0.650)" in found["negative_control"].found


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((0.6, 0.3, 0.9), "too wide to show a leak: Elastic net 0.600 (0.300 to 0.900)"),
        ((0.5, 0.5, 0.5), "no spread over folds, as of a constant output: Elastic net 0.500 "),
        ((0.5, float("nan"), float("nan")), "no interval with permuted labels: Elastic net"),
    ],
)
def test_negative_control_that_could_show_no_leak_is_not_assessable(
    make_set: MakeSet,
    monkeypatch: pytest.MonkeyPatch,
    figures: tuple[float, ...],
    words: str,
) -> None:
    summary = with_control(good_summary(), *figures)
    found = ask(make_set("vague", summary=summary), make_set("active"), monkeypatch, None)
    assert found["negative_control"].state == "not assessable"
    assert found["negative_control"].found.startswith(words)


def test_shipped_models_keep_within_the_width_of_a_negative_control() -> None:
    summary = load_evaluation("summary", PROJECT_ROOT / "models")
    rows = summary[
        summary["split"].str.endswith("_permuted")
        & (summary["metric"] == "within_tissue_roc_auc")
        & summary["model"].isin(learned_names())
    ]
    half = (rows["upper"] - rows["lower"]) / 2
    assert len(rows) == 7
    assert rows["lower"].lt(0.5).all()
    assert half.max() < 0.03 < gates.MAX_CONTROL_WIDTH


@pytest.mark.parametrize(
    ("own", "other", "state", "words"),
    [
        ((True, True), (True, False), "passed", "2 of 2, the active set 1 of 2"),
        ((False,), (False,), "failed", "0 of 1, the active set 0 of 1"),
        ((True, False), (False, True), "failed", "; lost: G for D1"),
        ((True, None), (True, True), "failed", "; lost: G for D1 (not assessable)"),
        ((None, None), (True, True), "failed", "0 of 0, the active set 2 of 2; lost: G for D0"),
        ((), (True,), "not assessable", "looked for in the candidate"),
        ((True,), (None,), "not assessable", "looked for in the active set"),
    ],
)
def test_known_genes_of_the_active_set_are_to_be_found_again(
    make_set: MakeSet,
    monkeypatch: pytest.MonkeyPatch,
    own: tuple[bool | None, ...],
    other: tuple[bool | None, ...],
    state: str,
    words: str,
) -> None:
    candidate = make_set("own", **({"positive_controls": controls(*own)} if own else {}))
    active = make_set("active", positive_controls=controls(*other))
    gate = ask(candidate, active, monkeypatch, None)["positive_controls"]
    assert gate.state == state
    assert words in gate.found


def spread(by: float, half: float) -> pd.DataFrame:
    """Return folds that are better by a number, give or take the half-width of its interval."""
    table = folds(0.0)
    steps = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    scale = half / (student_t.ppf(0.975, 4) * steps.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4))
    table["value"] += by + scale * steps[table["fold"]]
    return table


@pytest.mark.parametrize(
    ("by", "half", "state"),
    [
        (0.001, 0.01, "passed"),
        (0.02, 0.029, "passed"),
        (-0.005, 0.004, "passed"),
        (-0.008, 0.006, "failed"),
        (-0.011, 0.03, "failed"),
        (-0.02, 0.001, "failed"),
        (0.001, 0.012, "not assessable"),
        (0.006, 0.018, "not assessable"),
        (-0.009, 0.03, "not assessable"),
    ],
)
def test_interval_of_the_difference_passes_fails_or_is_too_wide_to_tell(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch, by: float, half: float, state: GateState
) -> None:
    active = make_set("active", folds=folds(0.0))
    gate = ask(make_set("new", folds=spread(by, half)), active, monkeypatch, None)["not_worse"]
    interval = f"Elastic net: {by:+.3f} ({by - half:+.3f} to {by + half:+.3f}; corrected resampled"
    assert gate.state == state
    assert gate.found.startswith(interval)
    assert "n = 5)" in gate.found
    too_wide = f"; too wide to tell (± {half:.3f}), more seeds narrow it"
    assert gate.found.endswith(too_wide) == (state == "not assessable")


def test_set_whose_difference_is_too_wide_to_tell_is_promoted_with_a_reason_alone(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"positive_controls": controls(True)}
    active = make_set("active", folds=folds(0.0), **kept)
    better = make_set("better", summary=good_summary(), folds=spread(0.006, 0.018), **kept)
    found = ask(better, active, monkeypatch, drift(200))
    assert verdict(list(found.values())) == (
        "Gates need a reason, not assessable: Not worse than the active set."
    )
    monkeypatch.setattr(library, "active_set", lambda: active)
    with pytest.raises(ConfigError, match=r"Not worse than the active set \(not assessable\)"):
        library._reason_for(better, "")
    assert library._reason_for(better, "Better on average, wide.") == "Better on average, wide."


def test_shipped_networks_can_be_told_to_be_equally_good_and_other_pairs_cannot() -> None:
    tests = load_evaluation("comparisons", PROJECT_ROOT / "models")
    chosen = (tests["split"] == "leave_cell_line_out") & (
        tests["metric"] == "within_tissue_roc_auc"
    )
    within = tests[chosen].set_index(["model", "reference"]).sort_index()
    half = (within["upper"] - within["lower"]) / 2
    assert half[[("vae_ll", "vae_ld"), ("vae_ls", "vae_ld")]].max() < gates.MARGIN
    assert half[("xgboost", "elastic_net")] > gates.MARGIN


def test_difference_over_drugs_alone_is_not_assessable_with_its_own_reason(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = table_of("per_drug")
    better.loc[better["model"] == MODEL, "mean"] += 0.02
    found = ask(make_set("better", per_drug=better), make_set("active"), monkeypatch, None)
    assert found["not_worse"].state == "not assessable"
    assert found["not_worse"].found.startswith("Elastic net: +0.020 (n = 6). Not tested fold by")
    assert "drugs share cell lines" in found["not_worse"].found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"request": {"effort": "full", "label_rule": "lowest_share"}}, "Metrics of the labels"),
        ({"training": {"n_lines": 99}}, "The sets were judged on other data"),
    ],
)
def test_same_folds_of_other_data_or_labels_are_not_assessable(
    make_set: MakeSet,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, dict[str, object]],
    reason: str,
) -> None:
    candidate = make_set("other", folds=folds(0.0))
    if "training" in changes:
        changes = {"training": measured(candidate.folder) | changes["training"]}
    change_card(candidate.folder, **changes)
    found = ask(candidate, make_set("active", folds=folds(0.0)), monkeypatch, None)
    assert found["not_worse"].state == "not assessable"
    assert reason in found["not_worse"].found


@pytest.mark.parametrize(
    ("moved", "state"),
    [
        (drift(200, 2, 2), "passed"),
        (drift(200, 3, 2), "failed"),
        (drift(200, lost=40), "passed"),
        (drift(200, lost=41), "failed"),
        (drift(149), "not assessable"),
        (drift(0), "not assessable"),
        (drift(20000, cohort="DEMO"), "not assessable"),
        (None, "not assessable"),
    ],
)
def test_firm_calls_may_turn_in_two_and_be_lost_in_twenty_of_a_hundred(
    make_set: MakeSet,
    monkeypatch: pytest.MonkeyPatch,
    moved: pd.DataFrame | None,
    state: str,
) -> None:
    found = ask(make_set("one"), make_set("active"), monkeypatch, moved)
    assert found["drift"].state == state


def test_drift_of_the_synthetic_cohort_says_on_what_it_was_computed(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = drift(20000, cohort="DEMO")
    found = ask(make_set("one"), make_set("active"), monkeypatch, moved)["drift"]
    assert found.found == "computed on the synthetic cohort alone"


def test_lost_model_or_drug_and_short_training_fail(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate, active = make_set("short"), make_set("active")
    change_card(candidate.folder, request={"effort": "short"})
    change_card(active.folder, drugs=["Cisplatin", "Paclitaxel"])
    found = ask(candidate, active, monkeypatch, None)
    assert found["full_training"].state == "failed"
    assert found["nothing_lost"].state == "failed"
    assert found["nothing_lost"].found == "lost: 1 drug: Paclitaxel"
    assert verdict(list(found.values())).startswith("Do not promote: short training, ")
    assert "1 drug lost; " in verdict(list(found.values()))


def test_cards_that_do_not_say_how_it_was_trained_are_not_assessable(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = make_set("silent")
    change_card(candidate.folder, request=None)
    found = ask(candidate, make_set("active"), monkeypatch, None)
    assert found["full_training"].state == "not assessable"
    assert found["full_training"].found == "its cards do not say how it was trained"


def test_damaged_set_fails_the_first_gate_and_no_other_is_asked(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = make_set("damaged")
    (candidate.folder / MODEL / "weights.safetensors").write_bytes(b"")
    found = ask(candidate, make_set("active"), monkeypatch, None)
    assert found["intact"].state == "failed"
    assert {gate.state for key, gate in found.items() if key != "intact"} == {"not assessable"}


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (("failed", "not assessable"), "It cannot be promoted: its files are not intact."),
        (("passed", "not assessable"), "Gates need a reason, not assessable: B."),
        (("passed", "failed"), "Do not promote: b lost; 1 of 2 gates not passed."),
        (("passed", "passed"), "All 2 gates passed."),
    ],
)
def test_verdict_says_in_one_sentence_what_the_gates_come_to(
    states: tuple[GateState, GateState], words: str
) -> None:
    first, second = states
    found = [Gate("a", "A", first, "", "", "a lost"), Gate("b", "B", second, "", "", "b lost")]
    assert verdict(found) == words


def test_every_gate_behind_the_first_has_a_cause_in_words() -> None:
    assert {*gates.CAUSES, "intact", "nothing_lost"} == set(GATES)


def test_set_that_was_not_judged_is_not_assessable(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = make_set("unjudged", summary=table_of("summary")[:0])
    found = ask(candidate, make_set("active"), monkeypatch, None)
    for key in ("beats_floor", "negative_control", "calibration", "coverage"):
        assert found[key].state == "not assessable"


def test_synthetic_data_are_no_measured_data(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate, active = make_set("candidate"), make_set("active")
    change_card(candidate.folder, training=measured(candidate.folder) | {"synthetic": True})
    found = ask(candidate, active, monkeypatch, None)["measured_data"]
    assert (found.name, found.state) == ("Trained on measured data", "failed")
    assert found.found == "synthetic data, drawn from a generator"
