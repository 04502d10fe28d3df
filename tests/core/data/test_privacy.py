from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.data.privacy import Identifier, find_identifiers, pseudonyms
from resvae_core.tables import Expression


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("jane.doe@clinic.org", "an e-mail address"),
        ("1961-04-23", "a date"),
        ("tumour_23.04.1961", "a date"),
        ("biopsy 4/23/61", "a date"),
        ("23/4/61", "a date"),
        ("RNA_20240131", "a date"),
        ("00482913", "a record number"),
        ("MRN 48291", "a record number"),
        ("Patient_004829", "a record number"),
        ("Jane Doe", "a person's name"),
        ("Doe, Jane", "a person's name"),
        ("Müller_Anna", "a person's name"),
        ("TCGA-05-4389", None),
        ("TCGA-05-4389-01A-01R-1206-07", None),
        ("GSM1234567", None),
        ("SRR10012345", None),
        ("DEMO-1", None),
        ("P12", None),
        ("Sample 1", None),
        ("tumour", None),
    ],
)
def test_names_that_identify_are_found_and_study_codes_pass(name: str, kind: str | None) -> None:
    expected = [Identifier(2, kind)] if kind else []
    assert find_identifiers(["P1", name]) == expected


def test_pseudonyms_keep_order_and_values() -> None:
    values = pd.DataFrame({"TP53": [1.0, 2.0]}, index=["Jane Doe", "John Roe"], dtype="float32")
    renamed = pseudonyms(Expression(values))
    assert renamed.samples == ["S1", "S2"]
    assert renamed.values["TP53"].tolist() == [1.0, 2.0]
    assert values.index.tolist() == ["Jane Doe", "John Roe"]
