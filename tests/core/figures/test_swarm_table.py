from __future__ import annotations

import numpy as np
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.swarm_table import swarm_table


def test_rows_are_numpy_s_quantiles_of_the_others_in_the_order_of_the_figure(swarm) -> None:
    table = swarm_table(swarm, patient="P3")
    sizes = swarm["attribution"].abs().groupby(swarm["gene"]).mean()
    assert sizes[table["gene"]].is_monotonic_decreasing
    assert set(table["gene"]) == set(swarm["gene"])
    first = swarm["gene"] == table["gene"].iloc[0]
    others = swarm[first & (swarm["sample"] != "P3")]["attribution"]
    expected = np.quantile(others, [0.10, 0.25, 0.50, 0.75, 0.90])
    np.testing.assert_allclose(
        table.loc[0, ["q10", "q25", "median", "q75", "q90"]].to_numpy(float), expected
    )
    assert table["n_patients"].eq(39).all()


def test_the_patient_stands_beside_the_others(swarm) -> None:
    mine = swarm[swarm["sample"] == "P3"].set_index("gene")["attribution"]
    table = swarm_table(swarm, patient="P3").set_index("gene")
    np.testing.assert_allclose(table["own"], mine[table.index])
    assert swarm_table(swarm)["own"].isna().all()


def test_a_table_without_attributions_is_refused(swarm) -> None:
    with pytest.raises(InputDataError, match="beeswarm lacks attribution"):
        swarm_table(swarm.drop(columns="attribution"))
