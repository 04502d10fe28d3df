from __future__ import annotations

import pytest

from resvae_core.data.privacy import Described, Disclosure, find_disclosures, label_kind


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("date_of_birth", "a date of birth"),
        ("DOB", "a date of birth"),
        ("Geburtsdatum", "a date of birth"),
        ("MRN", "a record number"),
        ("patient_no", "a record number"),
        ("Medical Record Number", "a record number"),
        ("patient_name", "a person's name"),
        ("Last Name", "a person's name"),
        ("Nachname", "a person's name"),
        ("e-mail", "an e-mail address"),
        ("Phone", "a telephone number"),
        ("postcode", "an address"),
        ("sample_name", None),
        ("gene_name", None),
        ("gene", None),
        ("age", None),
        ("stage", None),
        ("description", None),
        ("MRNIP", None),  # genes that begin like a label
        ("DOBI", None),
        ("PIDD1", None),
        ("FAXDC2", None),
        ("ENSG00000141510", None),
    ],
)
def test_names_of_columns_that_tell_are_known_and_genes_pass(label: str, kind: str | None) -> None:
    assert label_kind(label) == kind


def test_no_symbol_of_the_catalogue_is_taken_for_a_label() -> None:
    from resvae_core.data.genes import load_gene_table

    symbols = {str(symbol) for symbol in load_gene_table().symbols}
    assert {symbol for symbol in symbols if label_kind(symbol)} == set()


def test_cells_are_counted_by_kind_whatever_the_column_is_called() -> None:
    cells = ["1961-04-23", "1961-04-23", "1970-02-03", "jane.doe@clinic.org", "", "lung"]
    assert find_disclosures([Described("column 3", "notes", cells)]) == (
        Disclosure("column 3", "a date", 2),
        Disclosure("column 3", "an e-mail address", 1),
    )


def test_what_was_found_repeats_no_value() -> None:
    found = find_disclosures([Described("column 2", "patient_name", ["Jane Doe", "John Roe"])])
    assert found == (Disclosure("column 2", "a person's name"),)
    assert "Jane" not in repr(found)
