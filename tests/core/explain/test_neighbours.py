"""Maps of the lines and who is nearest: synthetic lines here, the shipped models below."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.cohorts import load_cohort
from resvae_core.data.screens import load_training_set, read_lines
from resvae_core.errors import ArtifactError, ConfigError, InputDataError, UnknownDrugError
from resvae_core.explain.maps import (
    COHORT_TABLE,
    N_COMPONENTS,
    SPACES,
    CohortArea,
    LineMap,
    Positions,
    Space,
    build_map,
    from_tables,
    locate,
    to_tables,
)
from resvae_core.explain.neighbours import (
    ALL_DRUGS,
    PatientGroup,
    agreement_of_neighbours,
    count_responses,
    nearest_lines,
    nearest_patients,
    with_response,
)
from resvae_core.models.base import TUMOURS, ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression, Screen

Fitted = dict[str, ResponseModel]
Data = tuple[Samples, Screen]


@pytest.fixture(scope="module")
def model_set(fitted: Fitted, screen: Data) -> ModelSet:
    """Return a set of one small model that knows tumours too."""
    model = copy.deepcopy(fitted["vae_ld"])
    assert isinstance(model, CalibratedModel)
    model.add_reference(TUMOURS, [patients(screen, 40)])
    return ModelSet("tiny", {"vae_ld": model}, {}, "vae_ld")


def patients(screen: Data, n: int) -> Expression:
    """Return synthetic patients: the last lines, shifted."""
    values = screen[0].expression.values.iloc[-n:] + 0.5
    return Expression(values.set_axis([f"P-{number:02d}" for number in range(n)]))


@pytest.fixture(scope="module")
def maps(model_set: ModelSet, screen: Data) -> dict[Space, LineMap]:
    samples, response = screen
    return {
        space: build_map(
            space,
            model_set,
            samples.expression,
            names={"LINE-000": "A-549"},
            tissues=response.tissue.to_dict(),
            cohorts={"LUAD": patients(screen, 40), "GBM": patients(screen, 9)},
        )
        for space in SPACES
    }


@pytest.mark.parametrize("space", SPACES)
def test_lines_are_placed_where_the_map_has_them(
    space: Space, maps: dict[Space, LineMap], model_set: ModelSet, screen: Data
) -> None:
    found = maps[space]
    places = locate(found, model_set, screen[0])
    assert np.allclose(places.vectors, found.vectors, atol=1e-5)
    assert places.vectors.shape == (160, N_COMPONENTS)
    assert np.allclose(found.vectors.std(axis=0), 1, atol=1e-4)
    assert np.allclose(found.vectors.mean(axis=0), 0, atol=1e-4)
    assert 0.3 < found.explained <= 1
    assert found.table().columns.tolist() == ["line", "name", "tissue", "x", "y"]
    assert found.table()["name"].tolist()[:2] == ["A-549", "LINE-001"]


@pytest.mark.parametrize("space", SPACES)
def test_a_sample_lies_where_it_lies_alone_and_whatever_its_gene_order(
    space: Space, maps: dict[Space, LineMap], model_set: ModelSet, screen: Data
) -> None:
    people = patients(screen, 6)
    together = locate(maps[space], model_set, Samples(people, reference=TUMOURS))
    shuffled = people.values.sample(frac=1, axis="columns", random_state=3)
    alone = Samples(Expression(shuffled).select(["P-04"]), reference=TUMOURS)
    assert np.allclose(
        locate(maps[space], model_set, alone).vectors[0], together.vectors[4], atol=1e-5
    )


def test_maps_are_the_same_on_every_run(
    maps: dict[Space, LineMap], model_set: ModelSet, screen: Data
) -> None:
    again = build_map(
        "latent",
        model_set,
        screen[0].expression,
        names={},
        tissues=screen[1].tissue.to_dict(),
    )
    assert np.array_equal(again.vectors, maps["latent"].vectors)
    assert again.fingerprint == maps["latent"].fingerprint


@pytest.mark.parametrize("space", SPACES)
def test_tables_hold_the_whole_map(
    space: Space, maps: dict[Space, LineMap], model_set: ModelSet, screen: Data, tmp_path: Path
) -> None:
    tables = {}
    for name, table in to_tables(list(maps.values())).items():
        table.to_parquet(tmp_path / name, index=False)
        tables[name] = pd.read_parquet(tmp_path / name)
    back = from_tables(tables, space)
    found = maps[space]
    assert np.array_equal(back.vectors, found.vectors)
    assert np.array_equal(back.components, found.components)
    assert (back.lines, back.names, back.tissues) == (found.lines, found.names, found.tissues)
    assert back.typical_distance == found.typical_distance
    assert np.allclose(back.areas[0].covariance, found.areas[0].covariance)
    sample = Samples(patients(screen, 1), reference=TUMOURS)
    places = [locate(one, model_set, sample).vectors for one in (back, found)]
    assert np.array_equal(*places)
    with pytest.raises(ArtifactError, match="no map of the space 'latent'"):
        from_tables({**tables, COHORT_TABLE: tables[COHORT_TABLE].drop(columns="x")}, "latent")
    with pytest.raises(ArtifactError, match="no map of the space"):
        from_tables({name: table.iloc[:0] for name, table in tables.items()}, space)


def test_a_cohort_is_drawn_as_an_aggregate_and_a_small_one_not_at_all(
    maps: dict[Space, LineMap], model_set: ModelSet, screen: Data
) -> None:
    (area,) = maps["latent"].areas
    places = locate(maps["latent"], model_set, Samples(patients(screen, 40), reference=TUMOURS))
    assert (area.code, area.n_patients) == ("LUAD", 40)
    assert np.allclose(area.centre, places.coordinates.mean(axis=0), atol=1e-5)


def test_an_outline_holds_the_stated_share_of_normal_coordinates() -> None:
    rng = np.random.default_rng(1)
    covariance = np.array([[2.0, 0.8], [0.8, 1.0]], np.float32)
    area = CohortArea("LUAD", 500, np.array([1.0, -2.0], np.float32), covariance)
    drawn = rng.multivariate_normal(area.centre, covariance, 20_000) - area.centre
    outline = area.outline(0.5) - area.centre
    inverse = np.linalg.inv(covariance)
    reach = np.einsum("ni,ij,nj->n", outline, inverse, outline)
    assert np.allclose(reach, reach[0], rtol=1e-4)
    inside = np.einsum("ni,ij,nj->n", drawn, inverse, drawn) <= reach[0]
    assert inside.mean() == pytest.approx(0.5, abs=0.02)


def test_a_map_of_other_models_is_refused(
    maps: dict[Space, LineMap], model_set: ModelSet, fitted: Fitted, screen: Data
) -> None:
    for space in SPACES:
        other = ModelSet("other", {"vae_ld": fitted["vae_ld"]}, {}, "vae_ld")
        with pytest.raises(ArtifactError, match="made with other models than other"):
            locate(maps[space], other, screen[0])


def test_unknown_spaces_and_too_few_lines_are_refused(model_set: ModelSet, screen: Data) -> None:
    samples, response = screen
    tissues = response.tissue.to_dict()
    with pytest.raises(ConfigError, match="'umap' is no space"):
        build_map("umap", model_set, samples.expression, names={}, tissues=tissues)
    few = samples.select(tuple(response.lines[:N_COMPONENTS]))
    with pytest.raises(InputDataError, match="needs more lines than that; there are 32"):
        build_map("pca", model_set, few.expression, names={}, tissues=tissues)


def toy_map(vectors: list[list[float]], tissues: list[str]) -> LineMap:
    """Return a map whose lines lie where the test says."""
    names = tuple(f"L{number}" for number in range(len(vectors)))
    empty = np.zeros((2, 2), np.float32)
    return LineMap(
        "pca",
        names,
        tuple(f"line {name}" for name in names),
        tuple(tissues),
        np.array(vectors, np.float32),
        empty[0],
        empty[0],
        empty,
        (),
        "",
    )


def toy_screen(resistant: list[float]) -> Screen:
    index = pd.Index([f"L{number}" for number in range(len(resistant))])
    labels = pd.DataFrame({"Cisplatin": resistant}, index=index)
    return Screen(labels * 3 - 1, labels, pd.Series("LUAD", index=index))


def test_nearest_lines_come_in_order_with_their_measured_response() -> None:
    line_map = toy_map([[0, 0], [1, 0], [3, 0], [10, 0]], ["LUAD", "LUAD", "GBM", "GBM"])
    places = Positions("pca", ("S",), np.array([[0.9, 0]], np.float32))
    table = nearest_lines(line_map, places, 3)
    assert table["line"].tolist() == ["L1", "L0", "L2"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert np.allclose(table["distance"], [0.1, 0.9, 2.1])
    # to their nearest other line the lines have 1, 1, 2 and 7
    assert line_map.typical_distance == 1.5
    assert np.allclose(table["relative"], table["distance"] / 1.5)
    screen = toy_screen([1, 0, np.nan, 1])
    told = with_response(table, screen, "cisplatin")
    assert told["label"].tolist() == ["sensitive", "resistant", "not measured"]
    assert told["ln_ic50"].tolist()[:2] == [-1.0, 2.0]
    assert np.isnan(told["ln_ic50"].iloc[2])
    (row,) = count_responses(told, screen, "Cisplatin").to_dict("records")
    assert row["n_measured"] == 2
    assert row["n_resistant"] == 1
    assert row["base_rate"] == pytest.approx(2 / 3)
    assert row["n_lines"] == 3


def test_nearest_patients_leave_the_sample_itself_out() -> None:
    def group(code: str, names: tuple[str, ...], x: list[float]) -> PatientGroup:
        vectors = np.array([[value, 0] for value in x], np.float32)
        return PatientGroup(code, f"cohort {code}", Positions("pca", names, vectors), code == "B")

    groups = [group("A", ("P1", "P2"), [0, 2]), group("B", ("D1",), [1])]
    places = Positions("pca", ("P1", "S"), np.array([[0, 0], [2.2, 0]], np.float32))
    table = nearest_patients(places, groups, 2, score=pd.Series({"P2": 0.7}))
    assert table["patient"].tolist() == ["D1", "P2", "P2", "D1"]
    assert table["rank"].tolist() == [1, 2, 1, 2]
    assert table["cohort"].tolist() == ["B", "A", "A", "B"]
    assert table["synthetic"].tolist() == [True, False, False, True]
    assert np.allclose(table["score"].fillna(-1), [-1, 0.7, 0.7, -1])
    with pytest.raises(ConfigError, match="no cohort among which"):
        nearest_patients(places, [])


def test_agreement_of_neighbours_on_lines_whose_label_is_their_place() -> None:
    # two clusters of five; tissue says nothing, place says everything
    vectors = [[0.1 * n, 0] for n in range(5)] + [[9 + 0.1 * n, 0] for n in range(5)]
    line_map = toy_map(vectors, ["LUAD", "GBM"] * 5)
    table = agreement_of_neighbours(line_map, toy_screen([1] * 5 + [0] * 5), k=4)
    row = table.iloc[0]
    assert (row["roc_auc"], row["agreement"], row["n_lines"]) == (1.0, 1.0, 10)
    assert row["chance_agreement"] == 0.5
    assert row["tissue_roc_auc"] < 0.7
    assert row["same_tissue_by_chance"] == pytest.approx(4 / 9)
    assert table["drug"].tolist() == ["Cisplatin", ALL_DRUGS]
    again = agreement_of_neighbours(line_map, toy_screen([1] * 5 + [0] * 5), k=4)
    pd.testing.assert_frame_equal(table, again)


def test_a_line_does_not_vote_for_itself() -> None:
    # every line's nearest others carry the other label
    line_map = toy_map([[n, 0] for n in range(12)], ["LUAD"] * 12)
    table = agreement_of_neighbours(line_map, toy_screen([0, 1] * 6), k=3)
    assert table.loc[0, "agreement"] < 0.5


def test_unmeasured_neighbours_do_not_count() -> None:
    line_map = toy_map([[n, 0] for n in range(8)], ["LUAD"] * 8)
    table = agreement_of_neighbours(line_map, toy_screen([1, 0, *[np.nan] * 6]), k=3)
    assert table.loc[0, "n_lines"] == 0
    assert np.isnan(table.loc[0, "roc_auc"])


def test_wrong_requests_are_refused() -> None:
    line_map = toy_map([[0, 0], [1, 0]], ["LUAD", "LUAD"])
    places = Positions("pca", ("S",), np.zeros((1, 2), np.float32))
    with pytest.raises(ConfigError, match="3 neighbours were asked for; 1 to 2 can be shown"):
        nearest_lines(line_map, places, 3)
    with pytest.raises(ConfigError, match="placed in the space 'latent', not in 'pca'"):
        nearest_lines(line_map, Positions("latent", ("S",), places.vectors))
    with pytest.raises(ConfigError, match="1 to 1 can be judged"):
        agreement_of_neighbours(line_map, toy_screen([0, 1]), k=2)
    with pytest.raises(InputDataError, match="lines that the screen lacks"):
        agreement_of_neighbours(line_map, toy_screen([0]), k=1)
    with pytest.raises(UnknownDrugError, match="no measurements of Gefitinib"):
        with_response(nearest_lines(line_map, places, 1), toy_screen([0, 1]), "Gefitinib")


@pytest.mark.data
def test_on_the_real_lines_neighbours_beat_chance_and_hardly_their_tissue(data: Path) -> None:
    training_set, shipped = load_training_set(data), load_model_set()
    names = read_lines(data)["cell_line_name"].to_dict()
    tissues = training_set.screen.tissue.to_dict()
    for space in SPACES:
        line_map = build_map(space, shipped, training_set.expression, names=names, tissues=tissues)
        overall = agreement_of_neighbours(line_map, training_set.screen).iloc[-1]
        assert 0.73 < overall["tissue_roc_auc"] < overall["roc_auc"] < 0.78
        assert overall["same_tissue"] > 10 * overall["same_tissue_by_chance"]
        demo = load_cohort(None, "DEMO")
        places = locate(line_map, shipped, Samples(demo.expression, reference=TUMOURS))
        group = PatientGroup(demo.code, demo.name, places, demo.synthetic)
        assert nearest_patients(places, [group], 5)["synthetic"].all()


@pytest.mark.data
def test_both_real_maps_take_less_than_a_megabyte_and_name_no_patient(
    data: Path, tmp_path: Path
) -> None:
    training_set, shipped = load_training_set(data), load_model_set()
    luad = load_cohort(data, "LUAD")
    maps = [
        build_map(
            space,
            shipped,
            training_set.expression,
            names={},
            tissues=training_set.screen.tissue.to_dict(),
            cohorts={"LUAD": luad.expression},
        )
        for space in SPACES
    ]
    for name, table in to_tables(maps).items():
        table.to_parquet(tmp_path / name, index=False)
        assert not set(luad.values.index) & set(table.astype(str).to_numpy().ravel())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000
