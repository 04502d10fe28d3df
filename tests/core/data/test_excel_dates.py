from __future__ import annotations

import pytest

from resvae_core.data.excel_dates import gene_of_date, gene_of_serial


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("1-Mar", "MARCHF1"),
        ("Mar-01", "MARCHF1"),
        ("11-MAR", "MARCHF11"),
        ("01. Mrz", "MARCHF1"),
        ("3. März", "MARCHF3"),
        ("2-Sep", "SEPTIN2"),
        ("Sep-02", "SEPTIN2"),
        ("9-sept.", "SEPTIN9"),
        ("15-Sep", "SELENOF"),
        ("1-Dec", "DELEC1"),
        ("01. Dez", "DELEC1"),
        ("2024-03-01", "MARCHF1"),
        ("2024-09-14 00:00:00", "SEPTIN14"),
        ("5-Mar-24", "MARCHF5"),
    ],
)
def test_spreadsheet_dates_become_genes(text: str, symbol: str) -> None:
    assert gene_of_date(text) == symbol


@pytest.mark.parametrize(
    "text",
    ["12-Mar", "0-Sep", "16-Sep", "2-Dec", "1-Apr", "2024-05-01", "TP53", "", "1-2", "HLA"],
)
def test_other_texts_are_no_genes(text: str) -> None:
    assert gene_of_date(text) is None


def test_day_numbers_become_genes() -> None:
    assert gene_of_serial("44621") == "MARCHF1"  # 1 March 2022
    assert gene_of_serial("44621.0") == "MARCHF1"
    assert gene_of_serial("44622.5") is None
    assert gene_of_serial("7157") is None
