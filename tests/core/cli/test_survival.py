"""``survival`` on the synthetic cohort: what is written, what is said, what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.cli.main import main
from resvae_core.cli.survival import _row
from resvae_core.data.cohorts import load_cohort
from resvae_core.survival import (
    cox_per_sd,
    group_by_expression,
    log_rank,
    optimal_cut,
    screen_genes,
)
from resvae_core.survival.comparison import compare
from resvae_core.survival.groups import FIXED_AS_SEARCHED, FIXED_CUT
from resvae_core.survival.screen import COLUMNS


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, pd.DataFrame, str]:
    """Return exit code, table and stderr of one call."""
    with pytest.raises(SystemExit) as stopped:
        main(["survival", *arguments])
    out, err = capsys.readouterr()
    table = pd.read_csv(io.StringIO(out)) if out else pd.DataFrame()
    return int(stopped.value.code or 0), table, err


def test_a_gene_is_compared_as_the_functions_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, table, err = run(capsys, "--gene", "TFF1")
    cohort = load_cohort(None, "DEMO")
    outcome = cohort.outcome()
    values = cohort.values.loc[outcome.patients, "TFF1"].astype(float)
    row = table.iloc[0]
    assert (code, len(table)) == (0, 1)
    assert (row["cohort"], row["endpoint"], row["variable"]) == ("DEMO (synthetic)", "OS", "TFF1")
    expected = log_rank(outcome, group_by_expression(values))
    assert row["p_value"] == pytest.approx(expected.p_value, rel=1e-5)
    ratio = cox_per_sd(outcome, values)
    assert row["hazard_ratio_per_sd"] == pytest.approx(ratio.hazard_ratio, rel=1e-5)
    assert (row["n"], row["n_lowest"], row["n_highest"]) == (300, 151, 149)
    assert "q_value" not in table
    for text in ("Research use only", "Synthetic patients", "Prognostic", "computed by us"):
        assert text in err


def test_several_genes_get_q_values_and_one_that_cannot_be_compared_a_note(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, table, _ = run(
        capsys, "--gene", "TFF1", "--gene", "CAMTA1", "--gene", "SPOP", "--cut", "3.5"
    )
    assert code == 0
    assert (table["q_value"].dropna() >= table["p_value"].dropna()).all()
    assert table["variable"].tolist() == ["TFF1", "CAMTA1", "SPOP"]
    spop = table.set_index("variable").loc["SPOP"]
    assert pd.isna(spop["p_value"])
    assert spop["note"] == "Group 'low' would have 0 of 300 patients; at least 2 are needed."


def test_an_optimal_cut_is_told_with_its_corrected_p_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, table, err = run(capsys, "--gene", "CAMTA1", "--cut", "optimal")
    row = table.iloc[0]
    assert row["test"] == "Maximally selected log-rank test, corrected"
    cohort = load_cohort(None, "DEMO")
    outcome = cohort.outcome()
    cut = optimal_cut(outcome, cohort.values.loc[outcome.patients, "CAMTA1"].astype(float))
    assert row["maximal_statistic"] == pytest.approx(cut.statistic, rel=1e-5)
    assert row["p_value"] == pytest.approx(cut.p_value, rel=1e-3)
    assert not {"chi_squared", "dof"} & set(table)  # M follows no chi-squared distribution
    checked = cut.cross_validated
    assert row["cross_validated_p"] == pytest.approx(checked.p_value, rel=1e-3)
    ratio = checked.hazard_ratio.hazard_ratio
    assert row["cross_validated_hazard_ratio"] == pytest.approx(ratio, rel=1e-5)
    assert f"With the cut chosen on the others: {checked.label}." in err
    assert pd.isna(row["rmst_p"])
    assert pd.isna(row["rmst_lower_months"])


def test_a_value_that_the_search_finds_is_told_as_searched_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, searched, _ = run(capsys, "--gene", "CAMTA1", "--cut", "optimal")
    cut = searched["groups"].str.extract(r"\((\d[\d.]*);")[0].item()
    _, table, err = run(capsys, "--gene", "CAMTA1", "--cut", cut)
    assert table["p_value"].tolist() == searched["p_value"].tolist()
    assert FIXED_AS_SEARCHED in err
    assert FIXED_CUT not in err


def test_p_of_a_small_group_is_hidden_with_its_statistic(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, table, err = run(capsys, "--gene", "CAMTA1", "--cut", "4.51")
    row = table.iloc[0]
    assert row["n_highest"] < 10
    assert row[["p_value", "chi_squared", "dof", "rmst_p"]].isna().all()
    assert "p not shown: a group has fewer than 10 patients" in row["note"]
    assert "restricted mean survival not assessable" in row["note"]
    assert row["cox_p"] > 0  # without a cut, all patients carry it
    assert FIXED_CUT in err


def test_both_cox_p_are_hidden_where_fewer_than_ten_carry_the_signal() -> None:
    cohort = load_cohort(None, "DEMO")
    outcome = cohort.outcome()
    values = cohort.values.loc[outcome.patients, "TFF1"].astype(float)
    found = compare(outcome, values.where(values.rank(method="first") > 293, 0.0), ("fixed", 0.0))
    row = _row(found)
    assert row["hazard_ratio_per_sd"] > 0
    assert np.isnan([row["cox_p"], row["proportional_hazards_p"]]).all()
    assert "Cox: p not shown: fewer than 10 patients differ in value from the rest" in row["note"]


def test_who_is_left_out_stands_in_every_row() -> None:
    cohort = load_cohort(None, "DEMO")
    outcome = cohort.outcome()
    values = cohort.values.loc[outcome.patients, "TFF1"].astype(float)
    row = _row(compare(outcome, values, left_out={"no follow-up after day 0": 4}))
    assert row["n_excluded"] == 4
    assert row["left_out"] == "4 (no follow-up after day 0)"


def test_a_signature_says_what_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    _, table, err = run(capsys, "--signature", "TFF1, -CAMTA1, NOSUCH")
    assert table["variable"].tolist() == ["signature"]
    assert "Mean z-score of TFF1, −CAMTA1" in err
    assert "Not measured: NOSUCH." in err


@pytest.mark.parametrize(
    ("cut", "contrast"), [((), "per SD"), (("--cut", "median"), "high vs low")]
)
def test_an_adjusted_model_has_a_row_a_coefficient(
    capsys: pytest.CaptureFixture[str], cut: tuple[str, ...], contrast: str
) -> None:
    code, table, err = run(capsys, "--gene", "TFF1", "--adjust", *cut)
    assert code == 0
    assert table.iloc[0][["variable", "contrast"]].tolist() == ["TFF1", contrast]
    assert {"age", "stage: II"} <= set(table["term"])
    assert "adjusted for age" in err
    assert "C-index" in err


def test_a_screen_has_a_row_a_gene_strongest_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "screen.csv"
    code, _, err = run(capsys, "--screen", "--out", str(out))
    table = pd.read_csv(out)
    cohort = load_cohort(None, "DEMO")
    expected = screen_genes(cohort.outcome(), cohort.values).set_index("gene")
    assert code == 0
    assert list(table.columns) == ["cohort", "endpoint", *COLUMNS]
    assert table["cox_p"].dropna().is_monotonic_increasing
    pd.testing.assert_series_equal(
        table.set_index("gene")["cox_q"], expected.loc[table["gene"], "cox_q"], rtol=1e-4
    )
    assert "genes tested" in err
    assert "Research use only" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "0 of --gene, --signature and --screen were given"),
        (("--gene", "TFF1", "--screen"), "2 of --gene"),
        (("--screen", "--adjust"), "A screen is not adjusted"),
        (("--screen", "--cut", "optimal"), "one cut for all genes"),
        (("--screen", "--cut", "tertile"), "does not make two groups"),
        (("--gene", "TFF1", "--adjust", "--cut", "optimal"), "chosen by their survival"),
        (("--gene", "TFF1", "--cut", "best"), "neither a number nor a rule"),
        (("--gene", "TFF1", "--cut", "nan"), "--cut 'nan' is not a number"),
        (("--screen", "--cut", "inf"), "--cut 'inf' is not a number"),
        (("--gene", "NOSUCH"), "NOSUCH was not measured in cohort DEMO"),
        (("--gene", "TFF1", "--cut", "1000"), "Group 'high' would have 0"),
        (("--gene", "TFF1", "--endpoint", "PFI"), "has no endpoint 'PFI'"),
        (("--gene", "TFF1", "--cohort", "XYZ"), "XYZ"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    code, _, err = run(capsys, "--data", str(tmp_path), *arguments)
    assert code == 2
    assert message in err
