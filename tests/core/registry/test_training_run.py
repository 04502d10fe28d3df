"""A killed training run goes on and ends with the same bytes as one that was not killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.models import catalog
from resvae_core.models.base import WEIGHTS_FILE, ResponseModel, Samples
from resvae_core.models.cross_fitted import CrossFittedModel
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.floors import DrugMean
from resvae_core.registry import checkpoints as checkpoints_module
from resvae_core.registry.checkpoints import DIGESTS_FILE, HELD_OUT, Checkpoints, run_key
from resvae_core.registry.final_fits import FitTask, fit_alone
from resvae_core.registry.store import load_card, load_model_set, save_model_set, set_digest
from resvae_core.registry.training_run import Plan, fit_set, fitting_order
from resvae_core.tables import Screen
from tests.core.conftest import SMALL_MODELS
from tests.core.registry.tiny_training import tiny_training_set, train

KINDS = ("elastic_net", "xgboost", "vae_ls")
Data = tuple[Samples, Screen]
KILLS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def start(
    root: Path, kinds: tuple[str, ...], *options: str, n_threads: str = "1"
) -> subprocess.Popen[str]:
    """Start the tiny training run in a process (and process group) of its own."""
    command = [sys.executable, "-m", "tests.core.registry.tiny_training"]
    return subprocess.Popen(
        [*command, str(root), ",".join(kinds), *options],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": n_threads, "OPENBLAS_NUM_THREADS": n_threads},
    )


def finish(root: Path, kinds: tuple[str, ...], *options: str, n_threads: str = "1") -> str:
    """Run the tiny training run to its end and return what it printed."""
    process = start(root, kinds, *options, n_threads=n_threads)
    printed, _ = process.communicate(timeout=280)
    assert process.returncode == 0
    return printed


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a run that nothing stopped."""
    root = tmp_path_factory.mktemp("uninterrupted")
    finish(root, KINDS)
    return root


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_runs_give_the_same_bytes_whatever_the_number_of_threads(
    uninterrupted: Path, tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted / "evaluation", tmp_path / "evaluation")
    finish(tmp_path, KINDS, n_threads="3")
    assert files(tmp_path / "models") == files(uninterrupted / "models")


@KILLS
def test_run_killed_from_outside_goes_on_to_the_same_bytes(
    uninterrupted: Path, tmp_path: Path
) -> None:
    moments: list[Callable[[], bool]] = [
        lambda: any(tmp_path.glob("evaluation/*/leave_cell_line_out*")),  # a fold is judged
        lambda: any(tmp_path.glob("training/*/xgboost")),  # the network is being fitted
    ]
    for moment in moments:
        process = start(tmp_path, KINDS)
        while not moment():
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "models").exists()
    finish(tmp_path, KINDS)
    assert files(tmp_path / "models") == files(uninterrupted / "models")


@KILLS
def test_run_killed_at_every_other_change_of_a_file_ends_with_the_same_bytes(
    uninterrupted: Path, tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted / "evaluation", tmp_path / "evaluation")
    assert int(finish(tmp_path, ("elastic_net",), "every-step")) > 10
    whole = tmp_path / "whole"
    shutil.copytree(uninterrupted / "evaluation", whole / "evaluation")
    finish(whole, ("elastic_net",))
    assert files(tmp_path / "models") == files(whole / "models")
    assert not list(tmp_path.rglob("*.partial*"))


def test_finished_models_are_loaded_and_the_first_date_is_kept(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    shutil.copytree(uninterrupted, root)
    monkeypatch.setattr(CrossFittedModel, "fit", refuse)
    monkeypatch.setattr(DrugMean, "fit", refuse)
    train(root, KINDS, today="2026-12-24")
    assert files(root / "models") == files(uninterrupted / "models")


def refuse(*arguments: object) -> None:
    raise AssertionError("a model that was finished is fitted again")


@pytest.mark.parametrize("harm", ["weights", "no weights", "half a list", "one file more"])
def test_altered_checkpoint_is_fitted_again_and_not_trusted(
    harm: str, uninterrupted: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(uninterrupted, root)
    entry = next(root.glob("training/*/elastic_net"))
    if harm == "weights":  # readable, and wrong
        arrays = load_file(entry / WEIGHTS_FILE)
        save_file({k: v + 1 for k, v in arrays.items()}, entry / WEIGHTS_FILE)
    elif harm == "no weights":
        (entry / WEIGHTS_FILE).unlink()
    elif harm == "half a list":
        text = (entry / DIGESTS_FILE).read_text(encoding="utf-8")
        (entry / DIGESTS_FILE).write_text(text[: len(text) // 2], encoding="utf-8")
    else:
        (entry / "held_out.safetensors").write_bytes(b"")
    assert Checkpoints(entry.parent).load("elastic_net") is None
    train(root, KINDS)
    assert files(root / "models") == files(uninterrupted / "models")
    assert Checkpoints(entry.parent).load("elastic_net") is not None


def test_altered_weights_would_have_changed_the_set(uninterrupted: Path, tmp_path: Path) -> None:
    """The control of the test above: with its digest set right, the harm goes through."""
    root = tmp_path / "root"
    shutil.copytree(uninterrupted, root)
    entry = next(root.glob("training/*/elastic_net"))
    arrays = load_file(entry / WEIGHTS_FILE)
    save_file({k: v + 1 for k, v in arrays.items()}, entry / WEIGHTS_FILE)
    digests = json.loads((entry / DIGESTS_FILE).read_text(encoding="utf-8"))
    digests[WEIGHTS_FILE] = checkpoints_module.file_digest(entry / WEIGHTS_FILE)
    (entry / DIGESTS_FILE).write_text(json.dumps(digests), encoding="utf-8")
    train(root, KINDS)
    assert set_digest(root / "models") != set_digest(uninterrupted / "models")


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_every_model_comes_back_whole_from_its_checkpoint(
    name: str, fitted: dict[str, ResponseModel], screen: Data, tmp_path: Path
) -> None:
    model = fitted[name]
    kept = Checkpoints(tmp_path).keep(model)
    kept.build_from({part: fitted[part] for part in model.needs})
    pd.testing.assert_frame_equal(
        kept.predict(screen[0]).log_odds, model.predict(screen[0]).log_odds, check_exact=True
    )
    assert kept.history() == model.history()
    if not model.is_floor:
        np.testing.assert_array_equal(getattr(kept, HELD_OUT), getattr(model, HELD_OUT))
    again = Checkpoints(tmp_path / "again").keep(kept)
    assert files(tmp_path / "again" / model.kind) == files(tmp_path / model.kind)
    assert again.configuration() == model.configuration()


def test_key_depends_on_all_that_decides_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    training_set = tiny_training_set()
    key = run_key(KINDS, training_set)
    assert run_key(KINDS, tiny_training_set()) == key
    screen = training_set.screen
    more = Screen(screen.ln_ic50 + 1, screen.resistant, screen.tissue)
    others = [
        run_key(KINDS[:1], training_set),
        run_key(KINDS, replace(training_set, screen=more)),
        run_key(KINDS, replace(training_set, digests={"source": "1" * 64})),
    ]
    monkeypatch.setattr(checkpoints_module, "library_versions", lambda: {"numpy": "0.0"})
    others.append(run_key(KINDS, training_set))
    monkeypatch.undo()
    monkeypatch.setattr(checkpoints_module, "CODE", ("compute.py",))
    others.append(run_key(KINDS, training_set))
    assert len({key, *others}) == 6


def test_key_depends_on_the_encoders_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_MODELS", str(tmp_path))
    keys = [run_key(KINDS, tiny_training_set())]
    (tmp_path / "encoders" / "large").mkdir(parents=True)
    for content in (b"one", b"two"):
        (tmp_path / "encoders" / "large" / "weights.safetensors").write_bytes(content)
        keys.append(run_key(KINDS, tiny_training_set()))
    assert len(set(keys)) == 3


@KILLS
def test_killed_swap_keeps_the_old_set_and_the_encoders(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(uninterrupted / "models", folder)
    (folder / "encoders" / "small").mkdir(parents=True)
    (folder / "encoders" / "small" / "weights.safetensors").write_bytes(b"weights")
    before = files(folder)
    model_set = load_model_set(folder)
    cards = {kind: load_card(kind, folder) for kind in model_set.models}

    rename = Path.rename

    def end(path: Path, target: Path) -> Path:
        if path.name.startswith(".models.partial-"):
            os._exit(9)
        return rename(path, target)

    process = os.fork()
    if process == 0:
        monkeypatch.setattr(Path, "rename", end)
        save_model_set(model_set, cards, {}, folder)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    assert not folder.exists()
    assert load_model_set(folder).digest == model_set.digest
    assert files(folder) == before
    save_model_set(model_set, cards, {}, folder)
    assert (folder / "encoders" / "small" / "weights.safetensors").read_bytes() == b"weights"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".models.lock", "models"]


def test_two_runs_that_keep_the_same_model_end_with_one_whole_checkpoint(
    tmp_path: Path, fitted: dict[str, ResponseModel], screen: Data
) -> None:
    model, kept = fitted["elastic_net"], Checkpoints(tmp_path)

    def keep_often(_: int) -> list[ResponseModel]:
        return [kept.keep(model) for _ in range(10)]

    with ThreadPoolExecutor(2) as threads:
        read_back = [one for several in threads.map(keep_often, range(2)) for one in several]
    assert len(read_back) == 20
    expected = model.predict(screen[0]).log_odds
    for one in (read_back[0], read_back[-1]):
        pd.testing.assert_frame_equal(one.predict(screen[0]).log_odds, expected)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["elastic_net"]


def test_checkpoint_that_cannot_be_read_back_is_an_error_with_a_remedy(
    tmp_path: Path, fitted: dict[str, ResponseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoints, "load", lambda self, kind: None)
    with pytest.raises(ArtifactError, match="'drug_mean' changed while they were kept") as refusal:
        Checkpoints(tmp_path).keep(fitted["drug_mean"])
    assert "Check that the disk works" in refusal.value.remedy


def test_worker_has_no_folder_of_its_own_while_it_fits(
    tmp_path: Path,
    fitted: dict[str, ResponseModel],
    screen: Data,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, temporary = Checkpoints(tmp_path / "kept"), tmp_path / "temporary"
    kept.keep(fitted["tissue_mean"])
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    seen: list[list[Path]] = []
    fit = DrugMean.fit

    def look_and_fit(model: DrugMean, *data: Any) -> DrugMean:
        seen.append(list(temporary.iterdir()))
        return fit(model, *data)

    monkeypatch.setattr(DrugMean, "fit", look_and_fit)
    parts = {"tissue_mean": kept.files("tissue_mean")}
    made = fit_alone(FitTask("drug_mean", parts), screen)
    assert seen == [[]]
    assert list(temporary.iterdir()) == []
    assert DIGESTS_FILE in made


class PairMean(Ensemble):
    """The ensemble of two models that are quickly fitted."""

    kind = "pair_mean"
    title = "Mean of two"
    needs = ("elastic_net", "random_forest")


def test_parts_are_fitted_first_and_handed_over_with_their_held_out_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalog.KINDS, "pair_mean", PairMean)
    kinds = ("pair_mean", "random_forest", "elastic_net")
    assert fitting_order(kinds) == ["elastic_net", "random_forest", "pair_mean"]
    training_set, plan = tiny_training_set(), Plan("pair", kinds, "2026-01-01")
    checkpoints, steps = Checkpoints(tmp_path), []
    first = fit_set(
        plan,
        training_set,
        {},
        checkpoints=checkpoints,
        progress=lambda step, done, total: steps.append((step, done, total)),
    )
    shutil.rmtree(tmp_path / "pair_mean")  # fitted again, from parts that are loaded
    again = fit_set(plan, training_set, {}, checkpoints=checkpoints)
    plain = fit_set(plan, training_set, {})
    samples = Samples(training_set.expression)
    expected = plain.models["pair_mean"].predict(samples).log_odds
    for model_set in (first, again):
        assert tuple(model_set.models)[:3] == kinds
        found = model_set.models["pair_mean"].predict(samples).log_odds
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    n = len(first.models) + 1
    assert [done for _, done, _ in steps] == list(range(n + 1))
    assert {total for *_, total in steps} == {n}
    assert [step for step, *_ in steps][-2:] == ["references", ""]


def test_plan_without_a_needed_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.KINDS, "pair_mean", PairMean)
    with pytest.raises(ConfigError, match="'pair_mean' is built from 'elastic_net'"):
        fitting_order(("pair_mean", "random_forest"))
