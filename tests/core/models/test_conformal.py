from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from resvae_core.models.conformal import (
    BLOOD,
    BOTH,
    NEITHER,
    RESISTANT,
    SENSITIVE,
    SOLID,
    UNKNOWN,
    WORDS,
    Conformal,
    fit_conformal,
    in_words,
    lineage_codes,
    to_codes,
)

Array = NDArray[np.float64]


def fit(probability: Array, resistant: Array) -> Conformal:
    """Fit on solid lines alone."""
    return fit_conformal(probability, resistant, np.zeros(len(resistant), bool))


def solid(found: Conformal, probability: Array) -> NDArray[np.int8]:
    """Return the sets of solid lines."""
    return found.sets(probability, np.full(len(probability), SOLID, np.int8))


def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and labels of n lines and one drug, a third of them sensitive."""
    resistant = (rng.random((n, 1)) < 0.67).astype(float)
    probability = 1 / (1 + np.exp(-rng.normal(2 * resistant - 0.5, 1.0)))
    return probability, resistant


def test_threshold_is_the_order_statistic_of_the_class() -> None:
    probability = np.linspace(0.05, 0.95, 19)[:, None]
    found = fit(probability, np.ones((19, 1)))
    assert found.lowest_resistant[SOLID, 0] == pytest.approx(0.10)  # second of 19: 2 / 20 lie below
    assert found.highest_sensitive[SOLID, 0] == np.inf
    found = fit(probability, np.zeros((19, 1)))
    assert found.highest_sensitive[SOLID, 0] == pytest.approx(0.90)


@pytest.mark.parametrize("n", [30, 60, 200])
def test_new_lines_of_each_class_are_covered_at_the_nominal_share(n: int) -> None:
    rng = np.random.default_rng(0)
    covered: dict[int, list[float]] = {RESISTANT: [], SENSITIVE: []}
    for _ in range(300):
        found = fit(*draw(n, rng))
        probability, resistant = draw(200, rng)
        sets = solid(found, probability)
        for bit, label in ((RESISTANT, 1), (SENSITIVE, 0)):
            covered[bit].append(float(np.mean(sets[resistant == label] & bit > 0)))
    for bit, expected in ((RESISTANT, 0.67), (SENSITIVE, 0.33)):
        # never below nominal; above it by less than one part in the lines of the class, and noise
        assert 0.895 < np.mean(covered[bit]) < 0.9 + 1.6 / (n * expected) + 0.01


def test_a_class_of_too_few_lines_is_in_every_set() -> None:
    probability = np.linspace(0.01, 0.99, 40)[:, None]
    labels = np.ones((40, 1))
    labels[:8] = 0  # 9 are needed at 0.90
    sets = solid(fit(probability, labels), probability)
    assert ((sets & SENSITIVE) > 0).all()
    labels[8] = 0
    sets = solid(fit(probability, labels), probability)
    assert not ((sets & SENSITIVE) > 0).all()


def test_a_score_that_tells_nothing_excludes_nothing() -> None:
    probability = np.full((100, 1), 0.85)
    labels = np.ones((100, 1))
    labels[:15] = 0
    assert (solid(fit(probability, labels), probability) == BOTH).all()


def test_unmeasured_lines_and_missing_probabilities_do_not_count() -> None:
    rng = np.random.default_rng(1)
    probability, labels = draw(80, rng)
    more = np.vstack([probability, [[0.0], [np.nan]]])
    found = fit(more, np.vstack([labels, [[np.nan], [1.0]]]))
    np.testing.assert_array_equal(found.lowest_resistant, fit(probability, labels).lowest_resistant)
    assert solid(found, np.array([[np.nan]]))[0, 0] == BOTH


def test_drugs_have_thresholds_of_their_own() -> None:
    rng = np.random.default_rng(2)
    parts = [draw(50, rng) for _ in range(3)]
    together = fit(*(np.hstack(side) for side in zip(*parts, strict=True)))
    for d, part in enumerate(parts):
        alone = fit(*part)
        assert together.lowest_resistant[SOLID, d] == alone.lowest_resistant[SOLID, 0]
        assert together.highest_sensitive[SOLID, d] == alone.highest_sensitive[SOLID, 0]


def test_four_sets_and_their_words() -> None:
    low, high = np.full((2, 1), 0.3), np.full((2, 1), 0.7)
    overlapping = solid(Conformal(low, high), np.array([[0.2], [0.5], [0.8]]))
    assert overlapping[:, 0].tolist() == [SENSITIVE, BOTH, RESISTANT]
    assert solid(Conformal(high, low), np.array([[0.5]]))[0, 0] == NEITHER
    words = in_words(np.arange(4, dtype=np.int8))
    assert tuple(words) == WORDS == ("neither", "resistant", "sensitive", "both")
    np.testing.assert_array_equal(to_codes(words), np.arange(4))


def draw_lineages(n: int, rng: np.random.Generator) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return lines of which a fifth are blood, where nearly every probability lies lower."""
    blood = rng.random(n) < 0.2
    resistant = (rng.random((n, 1)) < 0.67).astype(float)
    shift = np.where(blood, -2.0, 0.0)[:, None]
    return 1 / (1 + np.exp(-rng.normal(2 * resistant + shift, 1.0))), resistant, blood


@pytest.mark.parametrize(("row", "bit"), [(r, b) for r in (SOLID, BLOOD) for b in (1, 2)])
def test_each_lineage_is_covered_where_one_threshold_would_fail(row: int, bit: int) -> None:
    rng = np.random.default_rng(3)
    apart, together = [], []
    for _ in range(100):
        probability, resistant, blood = draw_lineages(400, rng)
        new, labels, of_blood = draw_lineages(400, rng)
        chosen = (labels[:, 0] == (bit == RESISTANT)) & (of_blood == (row == BLOOD))
        sets = fit_conformal(probability, resistant, blood).sets(new, of_blood.astype(np.int8))
        apart.append(np.mean(sets[chosen] & bit > 0))
        single = solid(fit(probability, resistant), new)
        together.append(np.mean(single[chosen] & bit > 0))
    assert 0.89 < np.mean(apart) < 0.95
    failing = {(SOLID, SENSITIVE), (BLOOD, RESISTANT)}
    assert (np.mean(together) < 0.88) == ((row, bit) in failing)


def test_unknown_lineage_gets_the_union_of_both_sets() -> None:
    found = Conformal(np.array([[0.4], [0.2]]), np.array([[0.6], [0.3]]))
    probability = np.array([[0.1], [0.25], [0.5], [0.8]])
    sets = {
        code: found.sets(probability, np.full(4, code, np.int8))[:, 0].tolist()
        for code in (SOLID, BLOOD, UNKNOWN)
    }
    assert sets[SOLID] == [SENSITIVE, SENSITIVE, BOTH, RESISTANT]
    assert sets[BLOOD] == [SENSITIVE, BOTH, RESISTANT, RESISTANT]
    assert sets[UNKNOWN] == [SENSITIVE, BOTH, BOTH, RESISTANT]


def test_lineages_of_one_table_go_by_their_own_thresholds() -> None:
    found = Conformal(np.array([[0.4], [0.2]]), np.array([[0.6], [0.3]]))
    mixed = found.sets(np.full((3, 1), 0.35), np.array([SOLID, BLOOD, UNKNOWN], np.int8))
    assert mixed[:, 0].tolist() == [SENSITIVE, RESISTANT, BOTH]


def test_a_lineage_of_too_few_lines_excludes_nothing() -> None:
    rng = np.random.default_rng(4)
    probability, labels = draw(80, rng)
    blood = np.arange(80) < 8  # 8 lines: fewer than 9 of either class
    sets = fit_conformal(probability, labels, blood).sets(probability, blood.astype(np.int8))
    assert (sets[blood] == BOTH).all()
    assert not (sets[~blood] == BOTH).all()


def test_lineage_of_tissue_labels() -> None:
    labels = np.array(["LUAD", "LAML", "unknown", "MM", "lymphoma", "bone"])
    assert lineage_codes(labels).tolist() == [SOLID, BLOOD, UNKNOWN, BLOOD, BLOOD, SOLID]
