from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from resvae_core.compute import choose_device, derive_seed
from resvae_core.data.drugs import find_drug
from resvae_core.errors import (
    DeviceError,
    DuplicateSampleError,
    InputDataError,
    ResVAEError,
    SurvivalDataError,
    UnknownDrugError,
)
from resvae_core.tables import Expression, Screen, SurvivalOutcome


def frame(values: list[list[float]], samples: list[str], genes: list[str]) -> pd.DataFrame:
    return pd.DataFrame(values, index=samples, columns=genes, dtype=np.float32)


def test_expression_refuses_repeated_names_and_impossible_values() -> None:
    with pytest.raises(DuplicateSampleError, match="Sample 'A' occurs more than once"):
        Expression(frame([[1.0], [2.0]], ["A", "A"], ["EGFR"]))
    with pytest.raises(InputDataError, match="Gene 'EGFR' occurs more than once"):
        Expression(frame([[1.0, 2.0]], ["A"], ["EGFR", "EGFR"]))
    for value in (-0.5, np.inf):
        with pytest.raises(InputDataError, match="negative or infinite"):
            Expression(frame([[value]], ["A"], ["EGFR"]))


def test_digest_differs_for_any_changed_value_or_name() -> None:
    base = frame([[1.0, 2.0]], ["A"], ["EGFR", "TP53"])
    changed = base.copy()
    changed.iloc[0, 1] = np.nextafter(np.float32(2), np.float32(3))
    digests = {
        Expression(table).digest()
        for table in (base, changed, base.rename(index={"A": "B"}), base[["TP53", "EGFR"]])
    }
    assert len(digests) == 4


def test_screen_refuses_labels_without_measurements() -> None:
    ln_ic50 = pd.DataFrame({"Cisplatin": [1.0, np.nan]}, index=["L1", "L2"])
    labels = pd.DataFrame({"Cisplatin": [1.0, 0.0]}, index=["L1", "L2"])
    tissue = pd.Series(["LUAD", "LUAD"], index=["L1", "L2"])
    with pytest.raises(InputDataError, match="label without a measurement"):
        Screen(ln_ic50, labels, tissue)
    with pytest.raises(InputDataError, match="list different cell lines"):
        Screen(ln_ic50, labels.iloc[:1], tissue)


def test_outcome_counts_each_patient_once() -> None:
    event = pd.Series([True, False], index=["P", "P"])
    with pytest.raises(SurvivalDataError, match="occurs more than once"):
        SurvivalOutcome(pd.Series([1.0, 2.0], index=["P", "P"]), event)
    with pytest.raises(SurvivalDataError, match="missing, infinite or negative"):
        SurvivalOutcome(pd.Series([-1.0], index=["P"]), pd.Series([True], index=["P"]))


def test_seeds_depend_on_their_parts_alone() -> None:
    assert derive_seed("xgboost", 0, 1) == derive_seed("xgboost", 0, 1) == 82629647
    assert len({derive_seed("a", n) for n in range(100)}) == 100


def test_nobody_can_raise_without_a_remedy() -> None:
    with pytest.raises(TypeError, match="remedy"):
        ResVAEError("something")  # type: ignore[call-arg]


def test_errors_survive_the_way_back_from_a_worker_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        failure = pool.submit(find_drug, "no such drug").exception()
    assert isinstance(failure, UnknownDrugError)
    assert "no such drug" in failure.message
    assert failure.remedy


def test_device_that_is_not_there_is_refused() -> None:
    import torch

    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="shows no CUDA device"):
            choose_device("cuda")
        assert choose_device().type == "cpu"
