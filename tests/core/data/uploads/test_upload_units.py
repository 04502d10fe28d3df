from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.uploads import UploadOverrides, read_expression
from resvae_core.errors import ConfigError, ExpressionUnitsError


def read(table: pd.DataFrame, **overrides: str):
    return read_expression(table.T.to_csv().encode(), overrides=UploadOverrides(**overrides))


@pytest.mark.parametrize("unit", ["counts", "tpm", "fpkm", "log2"])
def test_units_of_a_transcriptome_are_detected(tumours, unit: str) -> None:
    detection = read(getattr(tumours, unit)).qc.unit
    assert detection.value == unit
    assert detection.confidence >= 0.8
    assert not detection.overridden


def test_normalised_counts_and_cpm_are_told_from_tpm_by_length(tumours) -> None:
    reads = tumours.tpm * tumours.lengths
    cpm = reads.div(reads.sum(axis=1), axis=0) * 1e6
    for table in (cpm, cpm * 20, np.log2(cpm + 1)):
        upload = read(table)
        np.testing.assert_allclose(
            upload.expression.values[tumours.tpm.columns],
            np.log2(tumours.tpm + 1),
            atol=0.02,
        )


def test_log2_of_counts_is_converted_by_lengths(tumours) -> None:
    upload = read(np.log2(tumours.counts + 1).round(4))
    assert upload.qc.unit.value == "log2"
    assert "exon lengths" in upload.qc.conversion
    assert (upload.expression.values - read(tumours.counts).expression.values).abs().max(
        axis=None
    ) < 0.01


def test_counts_say_which_lengths_and_what_share(tumours) -> None:
    qc = read(tumours.counts).qc
    assert "GENCODE v22" in qc.lengths_note
    assert "100.0% of the counts" in qc.lengths_note
    assert "920,000 TPM" in qc.conversion


def test_tpm_are_never_rescaled(tumours) -> None:
    upload = read(tumours.tpm * 0.9)
    np.testing.assert_allclose(
        upload.expression.values[tumours.tpm.columns],
        np.log2(tumours.tpm * 0.9 + 1),
        atol=1e-5,
    )


def test_a_panel_in_log2_is_not_rescaled(tumours) -> None:
    panel = tumours.log2.iloc[:, ::28]
    upload = read(panel)
    assert upload.qc.unit.value == "log2"
    assert "is assumed" in upload.qc.unit.reason
    np.testing.assert_allclose(upload.expression.values[panel.columns], panel, atol=1e-5)


def test_a_panel_of_tpm_is_assumed_and_not_rescaled(tumours) -> None:
    panel = tumours.tpm.iloc[:, ::28]
    upload = read(panel)
    assert upload.qc.unit.value == "tpm"
    np.testing.assert_allclose(
        upload.expression.values[panel.columns], np.log2(panel + 1), atol=1e-5
    )


def test_a_panel_of_counts_is_refused(tumours) -> None:
    with pytest.raises(ExpressionUnitsError, match=r"read counts of 2% .* Upload all genes"):
        read(tumours.counts.iloc[:, ::28])


def test_samples_in_different_units_are_named(tumours) -> None:
    mixed = pd.concat([tumours.tpm, tumours.log2.iloc[:1].rename(index={"T1": "odd"})])
    with pytest.raises(ExpressionUnitsError, match=r"3 look like TPM, 1 like log2.*\(odd\)"):
        read(mixed)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda t: np.log(t + 1), r"natural logarithm of TPM.*divide all values by 0.6931"),
        (lambda t: np.log10(t + 1), r"decimal logarithm of TPM.*divide all values by 0.301"),
        (lambda t: np.log1p(t.div(t.sum(axis=1), axis=0) * 1e4), r"single-cell tools"),
        (lambda t: np.log2(t + 1) / 2 + 4, r"no gene is near zero, as in microarray"),
        (lambda t: t / (t + 1), r"between 0 and 1"),
        (lambda t: np.log2(t + 0.001), r"log2\(x \+ 0.001\), as UCSC Xena.*Undo the logarithm"),
        (lambda t: t - t.mean(), r"Negative values: .* row \d+ \(.+\), column [234] \(T[123]\)"),
    ],
)
def test_values_in_other_forms_are_refused_with_a_remedy(tumours, transform, message: str) -> None:
    with pytest.raises(ExpressionUnitsError, match=message):
        read(transform(tumours.tpm))


def test_a_sample_with_an_odd_total_is_scaled_and_named(tumours) -> None:
    odd = tumours.tpm.copy()
    odd.loc["T2"] *= 0.3
    upload = read(odd)
    assert upload.qc.unit.value == "tpm"
    assert any("T2" in issue.found for issue in upload.qc.issues)
    alone = read(odd.loc[["T2"]]).expression.values
    pd.testing.assert_frame_equal(alone, upload.expression.values.loc[["T2"]], check_exact=True)


def test_unknown_overrides_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unit is 'cpm'; expected one of 'counts', 'tpm'"):
        UploadOverrides(unit="cpm")  # type: ignore[arg-type]


def test_few_reads_are_reported(tumours) -> None:
    upload = read((tumours.counts / 2e4).round())
    assert any("fewer than one million reads" in issue.found for issue in upload.qc.issues)
