"""Pretraining: it learns, it is deterministic, and a stop at any moment changes no bit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import ArtifactError, TrainingDivergedError
from resvae_core.networks.masked_autoencoder import MaskedAutoencoder
from resvae_core.training.pretraining import (
    CHECKPOINT_FILE,
    PRESETS,
    Checkpoints,
    Corpus,
    Progress,
    normal_scores,
    prepare,
    pretrain,
    schedule,
)
from tests.core.training.tiny_profiles import CONFIG, GENES, tiny_profiles


class Stopped(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return prepare(tiny_profiles(), CONFIG)


@pytest.fixture(scope="module")
def finished(corpus: Corpus) -> MaskedAutoencoder:
    return pretrain(CONFIG, corpus).network


def equal(one: MaskedAutoencoder, other: MaskedAutoencoder) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_groups_are_standardised_each_by_its_reference(corpus: Corpus) -> None:
    lines = corpus.z[corpus.group == "cell_lines"]
    np.testing.assert_allclose(lines.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(lines.std(axis=0), 1, atol=1e-3)
    # cohorts share moments, so what sets them apart stays
    gap = corpus.z[corpus.group == "LUAD"].mean() - corpus.z[corpus.group == "GBM"].mean()
    assert gap > 0.5
    scores = corpus.z[corpus.group == "BRCA"]
    assert np.abs(scores).max() < 3
    assert corpus.measured[corpus.group == "BRCA"][:, GENES.index("GENE00")].sum() == 0
    assert (scores[:, GENES.index("GENE00")] == 0).all()


def test_held_out_profiles_are_a_tenth_and_never_shown(corpus: Corpus) -> None:
    assert len(corpus.held_out) == 18
    assert not set(corpus.held_out) & set(corpus.training)
    changed = corpus.z.copy()
    changed[corpus.held_out] = 3.0
    same = pretrain(CONFIG, replace(corpus, z=changed)).network
    assert equal(same, pretrain(CONFIG, corpus).network)


def test_normal_scores_follow_ranks_alone() -> None:
    column = np.array([[1.0], [3.0], [np.nan], [2.0]], np.float32)
    stretched = np.array([[-5.0], [9e4], [np.nan], [0.0]], np.float32)
    np.testing.assert_array_equal(normal_scores(column), normal_scores(stretched))
    assert np.isnan(normal_scores(column)[2, 0])
    assert normal_scores(column)[3, 0] == pytest.approx(0.0, abs=1e-6)


def test_it_learns_to_predict_hidden_genes(corpus: Corpus) -> None:
    config = replace(CONFIG, n_epochs=150, learning_rate=3e-3)
    network = pretrain(config, corpus).network
    rows = corpus.held_out[corpus.group[corpus.held_out] != "BRCA"]
    x = torch.from_numpy(corpus.z[rows])
    hidden = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < 0.3
    with torch.inference_mode():
        error = (network(x, (~hidden).float()) - x).square()[hidden].sum()
    assert 1 - error / x.square()[hidden].sum() > 0.4


def test_same_seed_same_weights_whatever_torch_drew_before(
    corpus: Corpus, finished: MaskedAutoencoder
) -> None:
    torch.manual_seed(123)
    assert equal(pretrain(CONFIG, corpus).network, finished)
    other = replace(CONFIG, seed=1)
    assert not equal(pretrain(other, corpus).network, finished)


@pytest.mark.parametrize("stop_at", [1, 3, 5, 6, 11, 20])
def test_a_run_stopped_within_or_between_epochs_goes_on_bit_for_bit(
    corpus: Corpus, finished: MaskedAutoencoder, tmp_path: Path, stop_at: int
) -> None:
    def stop(progress: Progress, n_steps: int) -> None:
        assert n_steps == 24  # six batches an epoch
        if progress.step == stop_at:
            raise Stopped

    kept = Checkpoints(tmp_path, seconds=0.0)
    with pytest.raises(Stopped):
        pretrain(CONFIG, corpus, checkpoints=kept, report=stop)
    seen: list[int] = []
    resumed = pretrain(
        CONFIG, corpus, checkpoints=kept, report=lambda progress, _: seen.append(progress.step)
    )
    assert seen[0] == stop_at + 1
    assert equal(resumed.network, finished)
    assert resumed.history == pretrain(CONFIG, corpus).history


def test_an_older_checkpoint_and_a_half_written_one_do_no_harm(
    corpus: Corpus, finished: MaskedAutoencoder, tmp_path: Path
) -> None:
    path = tmp_path / CHECKPOINT_FILE

    def keep_seventh(progress: Progress, n_steps: int) -> None:
        if progress.step == 7:
            shutil.copy(path, tmp_path / "seventh")

    pretrain(CONFIG, corpus, checkpoints=Checkpoints(tmp_path, 0.0), report=keep_seventh)
    (tmp_path / "seventh").replace(path)
    path.with_name(path.name + ".partial").write_bytes(b"cut short")
    resumed = pretrain(CONFIG, corpus, checkpoints=Checkpoints(tmp_path, 0.0))
    assert equal(resumed.network, finished)


def test_a_finished_run_is_not_trained_again(
    corpus: Corpus, finished: MaskedAutoencoder, tmp_path: Path
) -> None:
    kept = Checkpoints(tmp_path, seconds=1e9)
    pretrain(CONFIG, corpus, checkpoints=kept)
    steps: list[int] = []
    again = pretrain(CONFIG, corpus, checkpoints=kept, report=lambda p, _: steps.append(p.step))
    assert steps == []
    assert equal(again.network, finished)


def test_a_killed_process_goes_on_bit_for_bit(
    corpus: Corpus, finished: MaskedAutoencoder, tmp_path: Path
) -> None:
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        import torch
        from resvae_core.training.pretraining import Checkpoints, prepare, pretrain
        from tests.core.training.tiny_profiles import CONFIG, tiny_profiles

        def die(progress, n_steps):
            if progress.step == 9:
                os.kill(os.getpid(), signal.SIGKILL)

        torch.set_num_threads(int(sys.argv[2]))
        kept = Checkpoints(Path(sys.argv[1]), seconds=0.0)
        pretrain(CONFIG, prepare(tiny_profiles(), CONFIG), checkpoints=kept, report=die)
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(torch.get_num_threads())]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    resumed = pretrain(CONFIG, corpus, checkpoints=Checkpoints(tmp_path, seconds=0.0))
    assert equal(resumed.network, finished)


def test_a_checkpoint_of_other_data_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    pretrain(CONFIG, corpus, checkpoints=kept)
    other = prepare(tiny_profiles().without(["ACH-3"]), CONFIG)
    with pytest.raises(ArtifactError, match="belongs to another configuration or other data"):
        pretrain(CONFIG, other, checkpoints=kept)


def test_an_unreadable_checkpoint_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"no checkpoint")
    with pytest.raises(ArtifactError, match="cannot be read") as caught:
        pretrain(CONFIG, corpus, checkpoints=Checkpoints(tmp_path))
    assert "Delete" in caught.value.remedy


def test_a_checkpoint_holds_tensors_and_no_pickle(corpus: Corpus, tmp_path: Path) -> None:
    pretrain(CONFIG, corpus, checkpoints=Checkpoints(tmp_path))
    names = load_file(tmp_path / CHECKPOINT_FILE)
    assert "weight.gene" in names
    assert "adamw.0.exp_avg" in names


def test_divergence_names_the_epoch(corpus: Corpus) -> None:
    z = corpus.z.copy()
    z[corpus.training[0], 0] = np.inf
    with pytest.raises(TrainingDivergedError, match="The loss is not finite in epoch 0"):
        pretrain(CONFIG, replace(corpus, z=z))


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    factors = [schedule(step, 200) for step in range(200)]
    assert factors[0] == pytest.approx(0.1, abs=0.01)
    assert max(factors) == pytest.approx(1.0, abs=0.02)
    assert factors[-1] < 1e-3


def test_the_small_encoder_has_at_most_a_fifth_of_the_large_ones_parameters() -> None:
    sizes = {
        name: sum(p.numel() for p in config.build(779).parameters())
        for name, config in PRESETS.items()
    }
    assert sizes["small"] * 5 <= sizes["large"] < 6_200_000
