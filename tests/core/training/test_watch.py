"""Fits tell what they have come to, and nobody's listening changes a number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from resvae_core.models.base import ResponseModel, Samples
from resvae_core.tables import Screen
from resvae_core.training.watch import is_watched, report_epoch, watching
from tests.core.conftest import fit_small, synthetic_screen

Seen = list[tuple[str, Mapping[str, float]]]


def fit_watched(name: str) -> tuple[ResponseModel, Seen]:
    seen: Seen = []
    with watching(lambda kind, record: seen.append((kind, record))):
        return fit_small(name, *small()), seen


def small() -> tuple[Samples, Screen]:
    samples, screen = synthetic_screen()
    lines = tuple(screen.lines[:60])
    return samples.select(lines), screen.select(lines)


@pytest.mark.parametrize("name", ["vae_ls", "xgboost", "random_forest"])
def test_a_watched_fit_gives_the_same_weights_as_one_that_is_not(name: str) -> None:
    watched, seen = fit_watched(name)
    assert seen
    arrays, document = watched.learned()
    expected, same = fit_small(name, *small()).learned()
    assert document == same
    assert list(arrays) == list(expected)
    for key, array in arrays.items():
        assert np.asarray(array).tobytes() == np.asarray(expected[key]).tobytes(), key


def test_every_epoch_of_every_network_is_told_with_its_loss() -> None:
    model, seen = fit_watched("vae_ls")
    assert {kind for kind, _ in seen} == {"vae_ls"}
    assert len(seen) == len(model.history())
    for (_, record), kept in zip(seen, model.history(), strict=True):
        assert (record["member"], record["network"]) == (kept["member"], kept["network"])
        assert record["epoch"] == kept["epoch"] + 1
        assert record["n_epochs"] == 25
        assert record["reconstruction"] == kept["reconstruction"]
    assert seen[-1][1]["loss"] < seen[0][1]["loss"]


def test_boosting_tells_a_falling_loss_every_ten_rounds() -> None:
    _, seen = fit_watched("xgboost")
    own = [record for _, record in seen if record["member"] == 1]
    assert [record["epoch"] for record in own] == [0, 10, 20]
    assert own[0]["loss"] > own[1]["loss"] > own[2]["loss"] > 0
    assert {record["n_members"] for _, record in seen} == {3}


def test_a_forest_tells_which_drug_it_is_at() -> None:
    _, seen = fit_watched("random_forest")
    assert [(r["member"], r["epoch"], r["n_epochs"]) for _, r in seen] == [
        (member, drug, 3) for member in range(3) for drug in (1, 2, 3)
    ]


def test_reports_go_nowhere_where_nobody_watches_and_to_the_innermost_who_does() -> None:
    report_epoch("xgboost", {"epoch": 1})
    assert not is_watched()
    outer: Seen = []
    inner: Seen = []
    with watching(lambda kind, record: outer.append((kind, record))):
        with watching(lambda kind, record: inner.append((kind, record))):
            report_epoch("xgboost", {"epoch": 2})
        report_epoch("xgboost", {"epoch": 3})
    assert inner == [("xgboost", {"epoch": 2})]
    assert outer == [("xgboost", {"epoch": 3})]
    assert not is_watched()


def test_an_error_of_the_watcher_ends_the_fit() -> None:
    def stop(kind: str, record: Mapping[str, float]) -> None:
        raise InterruptedError

    with watching(stop), pytest.raises(InterruptedError):
        fit_small("xgboost", *small())
