"""A training request is checked before anything starts: every problem at once, with a remedy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.data.screens import RESPONSE_FILE, load_training_set, survey
from resvae_core.errors import ConfigError, InputDataError
from resvae_core.models.catalog import KINDS, SHORT, build_model, learned_names
from resvae_core.registry.training_estimate import COSTS, Estimate
from resvae_core.registry.training_request import (
    LONGEST_NAME,
    MINIMAL_CLASS,
    Problem,
    TrainingRequest,
    check_request,
    class_counts,
    estimate,
    require_request,
    workers_for,
)
from resvae_core.settings import Settings, write_settings
from tests.core.data.test_screens import write_official_release
from tests.tiny_data import EFFECTS, install_tiny_data

GOOD = TrainingRequest("tiny", kinds=("random_forest",), n_seeds=1, effort="short")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_tiny_data(tmp_path_factory.mktemp("tiny"))


def problem(request: TrainingRequest, data: Path | None, field: str) -> Problem:
    """Return the only problem of a request, which is tied to a field."""
    problems = check_request(request, data)
    assert [one.field for one in problems] == [field]
    return problems[0]


def test_good_request_has_no_problem(tiny: Path) -> None:
    assert check_request(GOOD, tiny) == []
    require_request(GOOD, tiny)


def test_request_survives_its_way_through_json() -> None:
    request = replace(GOOD, drugs=("Cisplatin",), label_rule="lowest_share", label_share=0.2)
    assert TrainingRequest.from_arguments(request.to_arguments()) == request
    assert TrainingRequest.from_arguments({"name": "x"}) == TrainingRequest("x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "x", "colour": "red"}, "unknown field 'colour'"),
        ({}, "has no name"),
        ({"name": 3}, "name cannot be 3"),
        ({"name": "x", "n_seeds": "3"}, "n_seeds cannot be '3'"),
        ({"name": "x", "n_seeds": True}, "n_seeds cannot be True"),
        ({"name": "x", "drugs": "Cisplatin"}, "drugs cannot be 'Cisplatin'"),
        ({"name": "x", "drugs": [1]}, r"drugs cannot be \(1,\)"),
        ({"name": "x", "effort": "none"}, "use full or short"),
        ({"name": "x", "genes": "all"}, "use panel or genome"),
        ({"name": "x", "label_rule": "median"}, "use catalogue or lowest_share"),
    ],
)
def test_values_of_a_wrong_type_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingRequest.from_arguments(arguments)


def test_every_problem_is_found_at_once_each_with_a_remedy(tiny: Path) -> None:
    request = TrainingRequest(
        "Bad Name",
        drugs=("Cisplatine", "Cisplatin"),
        kinds=("ensemble", "oracle"),
        n_seeds=9,
        label_rule="lowest_share",
        label_share=0.7,
        genes="genome",
        budget_hours=0,
        device="gpu",
    )
    problems = check_request(request, tiny)
    fields = {one.field for one in problems}
    assert fields == {
        *("name", "drugs", "kinds", "n_seeds"),
        *("label_share", "genes", "budget_hours", "device"),
    }
    assert all(one.remedy for one in problems)
    texts = " ".join(one.message + one.remedy for one in problems)
    assert "No drug named 'Cisplatine'" in texts
    assert "Did you mean Cisplatin" in texts
    assert "ensemble is built from vae_ll, vae_ls, vae_ld, random_forest, xgboost" in texts
    with pytest.raises(ConfigError, match="Bad Name"):
        require_request(request, tiny)


@pytest.mark.parametrize("name", ["", "Upper", "-x", "a/b", "x" * 41, "shipped"])
def test_names_that_no_set_can_have_are_refused(name: str, tiny: Path) -> None:
    request = replace(GOOD, name=name, effort="full")
    assert problem(request, tiny, "name").remedy


def test_limit_of_a_name_is_the_same_for_short_and_full_runs(tiny: Path) -> None:
    assert replace(GOOD, name="x").set_name == "x-short"
    assert replace(GOOD, name="x-short").set_name == "x-short"
    assert replace(GOOD, name="x", effort="full").set_name == "x"
    for effort in ("short", "full"):
        longest = replace(GOOD, name="x" * LONGEST_NAME, effort=effort)
        assert "name" not in {one.field for one in check_request(longest, tiny)}
        longer = replace(longest, name="x" * (LONGEST_NAME + 1))
        assert f"at most {LONGEST_NAME} characters" in problem(longer, tiny, "name").remedy


def test_student_without_its_teacher_is_refused(tiny: Path) -> None:
    found = problem(replace(GOOD, kinds=("vae_ld",)), tiny, "kinds")
    assert found.message == "vae_ld is built from vae_ll, which is not to be trained."
    assert found.remedy == "Add vae_ll, or leave vae_ld out."


def test_drug_that_nobody_measured_is_named(tiny: Path) -> None:
    found = problem(replace(GOOD, drugs=("Sorafenib", "Cisplatin")), tiny, "drugs")
    assert found.message == "Sorafenib was measured on 0 lines; 50 are needed."


def test_drugs_with_too_few_lines_or_sensitive_ones_are_named_with_their_counts(
    tiny: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny, data)
    response = pd.read_parquet(data / RESPONSE_FILE)
    lapatinib = response.index[response["drug_name"] == "Lapatinib"]
    response = response.drop(index=lapatinib[30:])
    erlotinib = response["drug_name"] == "Erlotinib"
    response.loc[erlotinib, "ln_ic50"] += 1.5
    response.to_parquet(data / RESPONSE_FILE)
    problems = check_request(GOOD, data)
    assert [one.field for one in problems] == ["drugs", "drugs"]
    assert problems[0].message == "Lapatinib was measured on 30 lines; 50 are needed."
    counts = class_counts(GOOD, *_responses(data)).loc["Erlotinib"]
    assert 0 < counts["sensitive"] < MINIMAL_CLASS
    said = f"Erlotinib has {counts['sensitive']} sensitive lines of {counts['measured']}"
    assert problems[1].message.startswith(said)


def _responses(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    screen = survey(data).screen
    return screen.ln_ic50, screen.resistant


def test_share_of_sensitive_lines_decides_whether_folds_have_enough(tiny: Path) -> None:
    request = replace(GOOD, drugs=("Cisplatin",), label_rule="lowest_share", label_share=0.05)
    assert "7 sensitive lines of 137" in problem(request, tiny, "drugs").message
    assert check_request(replace(request, label_share=0.2), tiny) == []
    assert class_counts(request, *_responses(tiny)).loc["Cisplatin"].tolist() == [137, 7, 130]


def test_drugs_are_counted_as_they_are_labelled(tiny: Path) -> None:
    screen = load_training_set(tiny).screen
    counts = class_counts(GOOD, screen.ln_ic50, screen.resistant)
    assert list(counts.index) == sorted(EFFECTS, key=screen.drugs.index)
    assert counts["sensitive"].equals((screen.resistant[counts.index] == 0).sum())
    assert (counts["sensitive"] + counts["resistant"] == counts["measured"]).all()


def test_synonyms_are_resolved_and_put_in_the_order_of_the_catalogue() -> None:
    request = replace(GOOD, drugs=("Tarceva", "cisplatin", "CDDP")).resolved()
    assert request.drugs == ("Cisplatin", "Erlotinib")


def test_card_says_what_decides_the_models_and_nothing_else() -> None:
    decisive = replace(GOOD, device="cpu", budget_hours=3.0).decisive()
    assert decisive == GOOD.decisive()
    assert set(decisive) == {"drugs", "kinds", "n_seeds", "label_rule", "genes", "effort"}
    shared = replace(GOOD, label_rule="lowest_share", label_share=0.2).decisive()
    assert shared["label_share"] == 0.2


def test_no_data_is_a_problem_of_its_own(tmp_path: Path) -> None:
    assert "no data folder" in problem(GOOD, None, "data").message
    empty = problem(GOOD, tmp_path, "data")
    assert "of depmap/OmicsExpression*TPMLogp1*.csv it has none" in empty.message


def test_limits_of_a_job_are_held_against_what_the_run_needs(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    write_settings(Settings(memory_limit_gb=0.5, disk_limit_gb=0.001))
    problems = check_request(GOOD, tiny)
    assert [one.field for one in problems] == ["memory", "disk"]
    assert "a job may use 0.5 GB" in problems[0].message


def test_automatic_device_is_that_of_the_settings(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    write_settings(Settings(device="cuda:99"))
    found = problem(GOOD, tiny, "device")
    assert "'cuda:99' was asked for, but this machine shows no CUDA device 99" in found.message
    assert "another device in the preferences" in found.remedy
    assert check_request(replace(GOOD, device="cpu"), tiny) == []
    assert check_request(GOOD, tiny, elsewhere=True) == []


def test_devices_of_other_machines_are_checked_by_their_names_alone(tiny: Path) -> None:
    assert problem(replace(GOOD, device="cuda:99"), tiny, "device").remedy == "Use 'auto' or 'cpu'."
    assert check_request(replace(GOOD, device="cuda:99"), tiny, elsewhere=True) == []
    [wrong] = check_request(replace(GOOD, device="gpu"), tiny, elsewhere=True)
    assert (wrong.field, "expected 'auto', 'cpu'" in wrong.message) == ("device", True)


@pytest.mark.parametrize(("hours", "refused"), [(23.9, False), (24.0, True), (336.0, True)])
def test_budget_that_the_limit_of_a_job_forestalls_is_refused(
    tiny: Path, hours: float, refused: bool
) -> None:
    request = replace(GOOD, budget_hours=hours)
    assert check_request(request, tiny) == []
    found = check_request(request, tiny, limit_hours=24.0)
    assert [one.field for one in found] == ["budget_hours"] * refused
    for one in found:
        assert f"A budget of {hours:g} hours was given; a job that runs for 24 hours" in one.message
        assert "Use less than 24 hours, or raise" in one.remedy


def test_estimate_counts_the_workers_that_the_job_will_have(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    monkeypatch.setenv("RESVAE_ENGINE", "processes")
    write_settings(Settings(n_workers=64, memory_limit_gb=4.0))
    n_workers = workers_for(GOOD, tiny, 4.0)
    assert 1 < n_workers < 64
    assert estimate(GOOD, tiny) == estimate(GOOD, tiny, n_workers)
    monkeypatch.setenv("RESVAE_ENGINE", "serial")
    assert ", 1 at a time;" in estimate(GOOD, tiny).basis


def test_official_files_are_surveyed_without_their_values(tmp_path: Path) -> None:
    write_official_release(tmp_path)
    found, whole = survey(tmp_path), load_training_set(tmp_path)
    assert found.genome_wide
    assert found.n_genes == len(whole.expression.genes)
    pd.testing.assert_frame_equal(found.screen.ln_ic50, whole.screen.ln_ic50)
    pd.testing.assert_series_equal(found.screen.tissue, whole.screen.tissue)
    problems = check_request(replace(GOOD, genes="genome"), tmp_path)
    assert {one.field for one in problems} == {"data", "drugs"}
    assert "2 cell lines; 50 are needed" in " ".join(one.message for one in problems)


def test_estimate_grows_with_the_work_and_falls_with_workers_and_finished_folds(
    tiny: Path,
) -> None:
    def minutes(request: TrainingRequest, n_workers: int = 1, n_folds_done: int = 0) -> Estimate:
        found = estimate(request, tiny, n_workers, n_folds_done=n_folds_done)
        assert 0 < found.minutes_low < found.minutes_high
        return found

    base = minutes(GOOD)
    assert minutes(replace(GOOD, n_seeds=3)).minutes_high > base.minutes_high
    assert minutes(replace(GOOD, effort="full")).minutes_high > base.minutes_high
    assert minutes(replace(GOOD, kinds=("random_forest", "xgboost"))).disk_gb > base.disk_gb
    assert minutes(GOOD, 4).minutes_high < base.minutes_high
    assert minutes(GOOD, 4).memory_gb > base.memory_gb
    assert minutes(GOOD, 1, 10).minutes_high < base.minutes_high
    assert "15 folds, 10 of them done, × 1 kind" in minutes(GOOD, 1, 10).basis
    assert "Most of the time goes into starting and finishing" in base.basis
    assert "× 1 drug ×" in minutes(replace(GOOD, drugs=("Cisplatin",))).basis
    long = estimate(replace(GOOD, kinds=tuple(learned_names()), effort="full"), tiny, 1)
    assert "Most of the time" not in long.basis
    with pytest.raises(ConfigError, match="'oracle' is no kind"):
        estimate(replace(GOOD, kinds=("oracle",)), tiny)
    with pytest.raises(InputDataError, match="no data folder"):
        estimate(GOOD, None)


def test_every_learned_kind_has_a_measured_cost_and_a_short_form() -> None:
    assert set(COSTS) == set(learned_names()) == set(SHORT)
    for kind in KINDS:
        short, full = build_model(kind, effort="short"), build_model(kind)
        assert (short.configuration() != full.configuration()) == (kind in SHORT)
