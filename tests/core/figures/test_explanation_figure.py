from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.explanation import waterfall, waterfall_steps, waterfall_takeaway


def bars(figure) -> list:
    return [trace for trace in figure.data if trace.type == "bar"]


@pytest.mark.parametrize("n_genes", [1, 5, 12, 40, 100])
def test_bars_add_up_from_base_to_score(attribution, n_genes) -> None:
    steps = waterfall_steps(attribution, n_genes)
    total = attribution["base"].iloc[0] + steps["attribution"].sum()
    assert total == pytest.approx(attribution["score"].iloc[0])
    figure = waterfall(attribution, n_genes=n_genes)
    assert sum(sum(trace.x) for trace in bars(figure)) == pytest.approx(
        attribution["attribution"].sum()
    )


def test_each_bar_starts_where_the_last_one_ended(attribution) -> None:
    figure = waterfall(attribution, n_genes=6)
    ends = {
        name: (start, start + part)
        for trace in bars(figure)
        for name, start, part in zip(trace.y, trace.base, trace.x, strict=True)
    }
    order = [name for name in list(figure.layout.yaxis.categoryarray)[::-1] if name in ends]
    assert ends[order[0]][0] == pytest.approx(1.0)
    for before, after in pairwise(order):
        assert ends[after][0] == pytest.approx(ends[before][1])
    assert ends[order[-1]][1] == pytest.approx(attribution["score"].iloc[0])


def test_largest_genes_come_first_and_the_rest_is_one_bar(attribution) -> None:
    steps = waterfall_steps(attribution, 12)
    assert len(steps) == 13
    assert steps["name"].iloc[-1] == "28 other genes"
    assert (steps["attribution"][:12].abs().diff().dropna() <= 0).all()


def test_colour_direction_and_sign_agree(attribution) -> None:
    towards = {trace.name: trace for trace in bars(waterfall(attribution))}
    assert all(part > 0 for part in towards["▲ Towards resistant"].x)
    assert all(part < 0 for part in towards["▼ Towards sensitive"].x)
    assert all(text.startswith("▼ −") for text in towards["▼ Towards sensitive"].text)


def test_upper_axis_shows_the_probability_of_the_log_odds_below(attribution) -> None:
    axis = waterfall(attribution).layout.xaxis2
    stated = np.array([float(text) for text in axis.ticktext])
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(axis.tickvals))), stated, atol=1e-9)
    assert axis.range == waterfall(attribution).layout.xaxis.range
    assert len(stated) >= 3


def test_a_gene_that_was_not_measured_says_so(attribution) -> None:
    holed = attribution.assign(value=np.nan)
    assert "(not measured)" in waterfall_steps(holed, 3)["name"].iloc[0]


def test_takeaway_names_the_largest_parts() -> None:
    table = pd.DataFrame(
        {
            "sample": "P1",
            "gene": ["EGFR", "KRAS", "TP53"],
            "value": [9.0, 5.0, 4.0],
            "attribution": [-2.0, 1.0, 0.0],
            "base": 1.0,
            "score": 0.0,
            "unit": "log-odds of resistance",
        }
    )
    assert waterfall_takeaway(table).startswith(
        "From 0.73 for the reference to 0.50 here; the largest parts are EGFR (▼ −2.00), KRAS"
    )


def test_parts_that_do_not_add_up_are_refused(attribution) -> None:
    with pytest.raises(InputDataError, match="they must be the same"):
        waterfall(attribution.iloc[1:])
    with pytest.raises(InputDataError, match="they must be the same"):
        waterfall(attribution.assign(attribution=np.nan))


def test_two_samples_in_one_waterfall_are_refused(attribution) -> None:
    with pytest.raises(InputDataError, match="holds 2 values of 'sample'"):
        waterfall(pd.concat([attribution, attribution.assign(sample="P2")]))
