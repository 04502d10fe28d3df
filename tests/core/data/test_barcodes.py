"""TCGA barcodes: one primary tumour a patient."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from resvae_core.data.barcodes import choose_primary


@given(st.permutations(["TCGA-AA-0001-01A", "TCGA-AA-0001-01B", "TCGA-AB-0003-03A"]))
def test_the_chosen_sample_does_not_depend_on_the_order_of_the_file(samples: list[str]) -> None:
    chosen = choose_primary(samples).sample_of
    assert chosen == {"TCGA-AA-0001": "TCGA-AA-0001-01A", "TCGA-AB-0003": "TCGA-AB-0003-03A"}


def test_samples_left_out_are_counted_by_reason() -> None:
    samples = ["TCGA-AA-0001-01A", "TCGA-AA-0001-06A", "TCGA-AA-0001-11A", "K-562"]
    assert choose_primary(samples).dropped == {"not a primary tumour": 2, "not a TCGA sample": 1}
