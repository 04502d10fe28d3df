from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.evaluation.summary import compare
from resvae_core.registry.comparison import BY_DRUGS, BY_FOLDS, TESTED, compare_sets
from resvae_core.registry.library import SetEntry
from resvae_core.registry.pointer import digest_of
from tests.core.registry.tiny_sets import replace_in_set, staged_copy, tiny_set

WITHIN = "within_tissue_roc_auc"
MODEL = "elastic_net"
MakeSet = Callable[..., SetEntry]


def entry_of(folder: Path, state: str = "candidate") -> SetEntry:
    return SetEntry(folder.name, folder.name, folder, state, "", digest_of(folder), "job")  # type: ignore[arg-type]


@pytest.fixture
def make_set(tmp_path: Path) -> MakeSet:
    """Return a function that copies the tiny set and puts tables in the place of its own."""

    def make(name: str, **tables: pd.DataFrame) -> SetEntry:
        folder = staged_copy(tiny_set(), tmp_path / name, name=name)
        for table, frame in tables.items():
            (folder / "evaluation").mkdir(exist_ok=True)
            content = frame.to_csv(index=False).encode()
            replace_in_set(folder, f"evaluation/{table}.csv", content)
        return entry_of(folder)

    return make


def table_of(name: str) -> pd.DataFrame:
    return pd.read_csv(tiny_set() / "evaluation" / f"{name}.csv")


def shifted(by: float) -> pd.DataFrame:
    """Return the tiny set's metrics by drug, each learned one better by about a number."""
    table = table_of("per_drug")
    noise = np.random.default_rng(0).normal(0, 0.01, len(table))
    table.loc[table["model"] == MODEL, "mean"] += (by + noise)[table["model"] == MODEL]
    return table


def folds(by: float, lines: str = "same", seed: int = 0) -> pd.DataFrame:
    """Return folds as a training keeps them, each value better by about a number."""
    noise = np.random.default_rng(1).normal(0, 0.01, 5)
    rows = [
        (MODEL, split, seed, fold, metric, 0.7 + 0.02 * fold + by * (1 + noise[fold]), 6, lines)
        for split in ("leave_cell_line_out", "leave_tissue_out", "leave_cell_line_out_permuted")
        for fold in range(5)
        for metric in TESTED
    ]
    return pd.DataFrame(
        rows, columns=["model", "split", "seed", "fold", "metric", "value", "n", "lines"]
    ).assign(lines=lambda table: table["lines"] + table["fold"].astype(str))


def test_a_set_against_itself_differs_nowhere(make_set: MakeSet) -> None:
    one = make_set("one")
    found = compare_sets(one, one)
    assert found.tests["difference"].eq(0).all()
    assert found.tests["p_value"].isna().all()
    assert (found.lost_models, found.lost_drugs) == ((), ())
    learned = found.metrics[~found.metrics["floor"]]
    assert learned["mean_candidate"].equals(learned["mean_active"])
    assert set(found.metrics["split"]) == {"leave_cell_line_out", "leave_cell_line_out_permuted"}


def test_drugs_are_paired_without_interval_and_p_where_folds_were_not_kept(
    make_set: MakeSet,
) -> None:
    better = shifted(0.05)
    found = compare_sets(make_set("better", per_drug=better), make_set("active"))
    test = found.test_of_defaults(WITHIN)
    rows = {
        name: table[(table["model"] == MODEL) & (table["metric"] == WITHIN)].set_index("drug")
        for name, table in (("own", better), ("other", table_of("per_drug")))
    }
    assert test.difference == pytest.approx((rows["own"]["mean"] - rows["other"]["mean"]).mean())
    assert (test.n, test.test) == (6, BY_DRUGS)
    assert found.tests[["lower", "upper", "p_value", "p_holm"]].isna().all(None)
    assert found.by_drugs
    assert "the candidate and the active set kept no folds; drugs share" in found.untested[WITHIN]
    assert found.untested[WITHIN] in found.not_assessable


def test_same_folds_are_paired_fold_by_fold_as_the_summary_does(make_set: MakeSet) -> None:
    own, other = folds(0.03), folds(0.0)
    found = compare_sets(make_set("own", folds=own), make_set("other", folds=other))
    both = pd.concat([own.assign(model="a"), other.assign(model="b")]).assign(drug="(all)")
    both = both[~both["split"].str.endswith("_permuted")]
    expected = compare(both, references=("b",))
    expected = expected[expected["model"] == "a"].set_index(["split", "metric"])
    tests = found.tests.set_index(["split", "metric"])
    assert set(tests["test"]) == {BY_FOLDS}
    assert (found.by_drugs, found.untested) == (False, {})
    assert set(tests.index) == set(expected.index)
    for column in ("difference", "lower", "upper", "p_value"):
        left, right = tests[column], expected[column].reindex(tests.index)
        assert left.to_numpy() == pytest.approx(right.to_numpy(), nan_ok=True)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (folds(0.0, "others"), "the folds hold different lines"),
        (folds(0.0).drop(columns="lines"), "not known whether the folds hold the same lines"),
        (None, "the active set kept no folds"),
    ],
)
def test_folds_that_are_not_the_same_are_not_paired(
    make_set: MakeSet, other: pd.DataFrame | None, reason: str
) -> None:
    tables = {} if other is None else {"folds": other}
    found = compare_sets(make_set("own", folds=folds(0.03)), make_set("other", **tables))
    assert set(found.tests["test"]) == {BY_DRUGS}
    assert any(reason in sentence for sentence in found.not_assessable)
    assert reason in found.untested[WITHIN]


def test_repetitions_are_paired_that_agree_in_every_fold(make_set: MakeSet) -> None:
    partly = folds(0.0, seed=1)
    partly.loc[partly["fold"] == 4, "lines"] = "others4"
    own = pd.concat([folds(0.03), folds(0.03, seed=1)])
    other = pd.concat([folds(0.0), partly])
    found = compare_sets(make_set("own", folds=own), make_set("other", folds=other))
    assert set(found.tests["n"]) == {5}
    assert set(found.tests["test"]) == {BY_FOLDS}
    fewer = compare_sets(make_set("more", folds=own), make_set("one", folds=folds(0.0)))
    assert set(fewer.tests["n"]) == {5}


def test_left_out_lines_are_untested_where_only_another_split_agrees(make_set: MakeSet) -> None:
    other = folds(0.0)
    other.loc[other["split"] == "leave_cell_line_out", "lines"] = "others"
    found = compare_sets(make_set("own", folds=folds(0.03)), make_set("other", folds=other))
    assert set(found.tests["test"]) == {BY_FOLDS, BY_DRUGS}
    assert "Not tested fold by fold: the folds hold different lines;" in found.untested[WITHIN]


def test_other_labels_leave_only_what_reads_measurements(make_set: MakeSet) -> None:
    relabelled = make_set("relabelled")
    card = json.loads((relabelled.folder / MODEL / "card.json").read_text())
    card["request"] = {"label_rule": "lowest_share", "label_share": 0.2}
    replace_in_set(relabelled.folder, f"{MODEL}/card.json", json.dumps(card).encode())
    found = compare_sets(relabelled, make_set("active"))
    assert set(found.tests["metric"]) == {"pearson"}
    assert found.untested[WITHIN].startswith("Metrics of the labels: what counts as resistant")
    assert any("what counts as resistant differs" in reason for reason in found.not_assessable)


def test_other_data_and_lost_drugs_are_said(make_set: MakeSet) -> None:
    other = make_set("other")
    path = other.folder / MODEL / "card.json"
    card = json.loads(path.read_text())
    card["training"]["n_lines"] = 99
    card["drugs"] = [name for name in card["drugs"] if name != "Lapatinib"]
    replace_in_set(other.folder, f"{MODEL}/card.json", json.dumps(card).encode())
    found = compare_sets(other, make_set("active"))
    assert found.untested[WITHIN].startswith("The sets were judged on other data (99 and 144")
    assert found.lost_drugs == ("Lapatinib",)
    assert any("99 and 144 cell lines" in reason for reason in found.not_assessable)


def test_figures_of_other_lines_drugs_and_labels_are_not_comparable(make_set: MakeSet) -> None:
    other = make_set("other")
    card = json.loads((other.folder / MODEL / "card.json").read_text())
    card["training"]["n_lines"] = 99
    card["drugs"] = card["drugs"][:2]
    card["request"] = {"label_rule": "lowest_share", "label_share": 0.2}
    replace_in_set(other.folder, f"{MODEL}/card.json", json.dumps(card).encode())
    active = make_set("active")
    found = compare_sets(other, active)
    assert found.caution(WITHIN) == "Not comparable: other lines, drugs and labels."
    assert found.caution("pearson") == "Not comparable: other lines and drugs."
    assert compare_sets(active, active).caution(WITHIN) == ""


def test_differences_of_a_single_drug_are_left_out_and_said(make_set: MakeSet) -> None:
    table = table_of("per_drug")
    alone = make_set("alone", per_drug=table[table["drug"] == table["drug"].iloc[0]])
    found = compare_sets(alone, make_set("active"))
    assert found.tests.empty
    assert not found.by_drugs
    assert "they share one drug that both were judged on" in found.untested[WITHIN]
    assert any(
        reason.startswith("Left out: ") and "of a single drug or fold (Elastic net)" in reason
        for reason in found.not_assessable
    )


def test_intervals_that_were_kept_too_wide_end_where_the_metric_does(make_set: MakeSet) -> None:
    summary = table_of("summary")
    summary.loc[summary["metric"] == WITHIN, ["lower", "upper"]] = -0.1, 1.025
    found = compare_sets(make_set("wide", summary=summary), make_set("active"))
    rows = found.metrics[found.metrics["metric"] == WITHIN].dropna()
    assert rows["lower_candidate"].eq(0).all()
    assert rows["upper_candidate"].eq(1).all()
    assert found.negative["upper"].le(1).all()


def test_controls_of_both_sets_stand_side_by_side(make_set: MakeSet) -> None:
    controls = pd.DataFrame(
        {
            "drug": ["Erlotinib", "Lapatinib"],
            "gene": ["EGFR", "ERBB2"],
            "measure": "attribution",
            "model": MODEL,
            "passes": [True, False],
            "why_not_assessable": [None, "not measured"],
        }
    )
    found = compare_sets(make_set("own", positive_controls=controls), make_set("active"))
    assert list(found.positive["passes_candidate"]) == [True, None]
    assert list(found.positive["passes_active"]) == [None, None]
    assert set(found.negative["set"]) == {"candidate", "active"}
    assert found.negative["lower"].le(0.5).all()


def test_set_that_was_never_judged_has_nothing_to_compare(make_set: MakeSet) -> None:
    summary = table_of("summary")
    found = compare_sets(
        make_set("unjudged", summary=summary[:0], per_drug=table_of("per_drug")[:0]),
        make_set("active"),
    )
    assert found.tests.empty
    assert found.test_of_defaults(WITHIN) is None
    assert any("share no drug" in reason for reason in found.not_assessable)
