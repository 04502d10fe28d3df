"""No text of a table that leaves the program is a formula where a spreadsheet opens it."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from resvae_core.spreadsheets import as_text, comment, without_formulas


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://example.org";"x")',
        "+1+cmd",
        "-1-2",
        "-",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\uff1d1+1",
    ],
)
def test_text_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert as_text(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["-0.5", "+3", "-1e-05", "S-1", "a=b", "", " x", -0.5, None])
def test_numbers_and_other_text_stay(cell: object) -> None:
    assert as_text(cell) is cell


def test_table_without_formulas_is_returned_itself() -> None:
    table = pd.DataFrame({"sample": ["S-1", None], "effect": [-0.5, np.nan], "text": "-0.5"})
    assert without_formulas(table) is table


def test_text_and_column_names_are_marked_and_the_table_is_left_as_it_was() -> None:
    table = pd.DataFrame(
        [["=1+1", -0.5, "@x", "=y"], ["S-2", -1.0, None, "z"]],
        columns=["sample", "=effect", "kind", "kind"],
    ).astype({"kind": "category"})
    before = table.copy()
    safe = without_formulas(table)
    assert safe.columns.tolist() == ["sample", "'=effect", "kind", "kind"]
    assert safe.to_csv(index=False).splitlines() == [
        "sample,'=effect,kind,kind",
        "'=1+1,-0.5,'@x,'=y",
        "S-2,-1.0,,z",
    ]
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("separator", [",", ";", "\t", ',"', "\n", "\r\n"])
def test_comment_is_one_line_without_a_formula_in_any_of_its_cells(separator: str) -> None:
    for mark in "=+-@":
        line = comment(f"Sample: a{separator}{mark}1+1")
        assert line.endswith("\n")
        assert len(line.splitlines()) == 1
        for delimiter in ",;\t":
            [cells] = csv.reader([line], delimiter=delimiter)
            assert not any(cell.startswith(mark) for cell in cells)


def test_plain_comment_stays() -> None:
    assert comment("Models: a set, SHA-256 12; - none") == "# Models: a set, SHA-256 12; - none\n"
