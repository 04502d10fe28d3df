from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.registry import gates
from resvae_core.registry.drift import COLUMNS
from resvae_core.registry.gates import GATES, Gate, all_pass, check_gates
from resvae_core.registry.library import SetEntry
from tests.core.registry.test_comparison import MODEL, entry_of, table_of
from tests.core.registry.tiny_sets import replace_in_set, staged_copy, tiny_set

MakeSet = Callable[..., SetEntry]


@pytest.fixture
def make_set(tmp_path: Path) -> MakeSet:
    def make(name: str, **tables: pd.DataFrame) -> SetEntry:
        folder = staged_copy(tiny_set(), tmp_path / name, name=name)
        for table, frame in tables.items():
            content = frame.to_csv(index=False).encode()
            replace_in_set(folder, f"evaluation/{table}.csv", content)
        return entry_of(folder)

    return make


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
    return table


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


def drift(n_firm: int, to_resistant: int = 0, to_sensitive: int = 0) -> pd.DataFrame:
    row = dict.fromkeys(COLUMNS, 0.0) | {"cohort": "DEMO", "synthetic": True, "model": "default"}
    row |= {"n_firm": n_firm, "to_resistant": to_resistant, "to_sensitive": to_sensitive}
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
    kept = {"positive_controls": controls(True, False, None)}
    found = ask(
        make_set("good", summary=good_summary(), **kept),
        make_set("active", **kept),
        monkeypatch,
        drift(100, 1, 1),
    )
    assert {key: gate.found for key, gate in found.items() if gate.state != "passed"} == {}
    assert all_pass(list(found.values()))
    assert "1 of 2, the active set 1; 1 more" in found["positive_controls"].found
    assert "DEMO (synthetic)" in found["drift"].found


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
    kept = {"positive_controls": controls(True)}
    candidate = make_set("bad", summary=good_summary(**changes), **kept)
    found = ask(candidate, make_set("active", **kept), monkeypatch, drift(100))
    assert [key for key, one in found.items() if one.state != "passed"] == [gate]
    assert found[gate].state == "failed"


def test_negative_control_off_chance_fails(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = good_summary()
    leaky = (
        (summary["model"] == MODEL)
        & summary["split"].str.endswith("_permuted")
        & (summary["metric"] == "within_tissue_roc_auc")
    )
    summary.loc[leaky, ["mean", "lower", "upper"]] = (0.6, 0.55, 0.65)
    found = ask(make_set("leaky", summary=summary), make_set("active"), monkeypatch, None)
    assert found["negative_control"].state == "failed"
    assert "0.600 (0.550 to 0.650)" in found["negative_control"].found


def test_fewer_known_genes_than_the_active_set_fails(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = make_set("blind", positive_controls=controls(True, False, None))
    active = make_set("active", positive_controls=controls(True, True, True))
    found = ask(candidate, active, monkeypatch, None)
    assert found["positive_controls"].state == "failed"


def test_loss_against_the_active_set_fails(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = table_of("per_drug")
    worse.loc[worse["model"] == MODEL, "mean"] -= 0.02
    found = ask(make_set("worse", per_drug=worse), make_set("active"), monkeypatch, None)
    assert found["not_worse"].state == "failed"
    assert "-0.020" in found["not_worse"].found
    assert "n = 6" in found["not_worse"].found


@pytest.mark.parametrize(
    ("moved", "state"),
    [
        (drift(100, 1, 1), "passed"),
        (drift(100, 2, 1), "failed"),
        (drift(0), "not assessable"),
        (None, "not assessable"),
    ],
)
def test_calls_may_turn_over_in_two_of_a_hundred(
    make_set: MakeSet,
    monkeypatch: pytest.MonkeyPatch,
    moved: pd.DataFrame | None,
    state: str,
) -> None:
    found = ask(make_set("one"), make_set("active"), monkeypatch, moved)
    assert found["drift"].state == state


def test_lost_model_or_drug_and_short_training_fail(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate, active = make_set("short"), make_set("active")
    for entry, changes in (
        (candidate, {"request": {"effort": "short"}}),
        (active, {"drugs": ["Cisplatin", "Paclitaxel"]}),
    ):
        card = json.loads((entry.folder / MODEL / "card.json").read_text()) | changes
        replace_in_set(entry.folder, f"{MODEL}/card.json", json.dumps(card).encode())
    found = ask(candidate, active, monkeypatch, None)
    assert found["full_training"].state == "failed"
    assert found["nothing_lost"].state == "failed"
    assert found["nothing_lost"].found == "lost: 1 drugs: Paclitaxel"


def test_damaged_set_fails_the_first_gate_and_no_other_is_asked(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = make_set("damaged")
    (candidate.folder / MODEL / "weights.safetensors").write_bytes(b"")
    found = ask(candidate, make_set("active"), monkeypatch, None)
    assert found["intact"].state == "failed"
    assert {gate.state for key, gate in found.items() if key != "intact"} == {"not assessable"}


def test_set_that_was_not_judged_is_not_assessable(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = make_set("unjudged", summary=table_of("summary")[:0])
    found = ask(candidate, make_set("active"), monkeypatch, None)
    for key in ("beats_floor", "negative_control", "calibration", "coverage"):
        assert found[key].state == "not assessable"
    assert not all_pass(list(found.values()))
