from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.data.genes import load_gene_table
from resvae_core.data.uploads import UploadOverrides, read_expression

N_GENES = 40


@dataclass(frozen=True)
class Writing:
    """How a table is written."""

    id_type: str
    in_rows: bool
    delimiter: str
    decimal: str
    packed: bool
    bom: bool
    crlf: bool
    quoted: bool
    trailing: int


writings = st.builds(
    Writing,
    id_type=st.sampled_from(["symbol", "ensembl", "versioned", "entrez", "previous"]),
    in_rows=st.booleans(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    packed=st.booleans(),
    bom=st.booleans(),
    crlf=st.booleans(),
    quoted=st.booleans(),
    trailing=st.integers(0, 2),
)


def panel() -> pd.DataFrame:
    """Return (gene, name kind) for genes that have every kind of name."""
    frame = load_gene_table().frame
    frame = frame[frame.primary & frame.entrez.notna() & (frame.previous != "")]
    frame = frame[frame.biotype == "protein_coding"].iloc[::7].head(N_GENES)
    return pd.DataFrame(
        {
            "symbol": frame.symbol,
            "ensembl": frame.ensembl,
            "versioned": frame.ensembl + ".7",
            "entrez": frame.entrez.astype(str),
            "previous": frame.previous.str.split("|").str[0],
        }
    ).reset_index(drop=True)


PANEL = panel()


def write(values: pd.DataFrame, how: Writing) -> bytes:
    """Write (samples × positions in the panel) as asked."""
    names = PANEL[how.id_type].iloc[values.columns].tolist()
    cells = [[f"{v:.4f}".replace(".", how.decimal) for v in row] for row in values.to_numpy()]
    table = [["", *names], *([s, *row] for s, row in zip(values.index, cells, strict=True))]
    if how.in_rows:
        table = [list(row) for row in zip(*table, strict=True)]
    stream = io.StringIO()
    writer = csv.writer(
        stream,
        delimiter=how.delimiter,
        lineterminator="\r\n" if how.crlf else "\n",
        quoting=csv.QUOTE_ALL if how.quoted else csv.QUOTE_MINIMAL,
    )
    writer.writerows([*row, *[""] * how.trailing] for row in table)
    content = (b"\xef\xbb\xbf" if how.bom else b"") + stream.getvalue().encode()
    return gzip.compress(content) if how.packed else content


@settings(max_examples=60, deadline=None, derandomize=True)
@given(how=writings, seed=st.integers(0, 2**16), n_samples=st.integers(1, 4))
def test_writing_and_order_change_nothing(how: Writing, seed: int, n_samples: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [f"patient {i}" for i in range(n_samples)]
    values = pd.DataFrame(rng.uniform(0, 13, (n_samples, N_GENES)).round(4), index=samples)
    plain = Writing("symbol", True, ",", ".", False, False, False, False, 0)
    expected = read_expression(write(values, plain)).expression.values
    shuffled = values.iloc[rng.permutation(n_samples), rng.permutation(N_GENES)]
    upload = read_expression(write(shuffled, how))
    pd.testing.assert_frame_equal(upload.expression.values.loc[samples], expected)
    assert upload.expression.samples == list(shuffled.index)
    assert upload.qc.unit.value == "log2"
    assert upload.qc.decimal == how.decimal
    assert upload.qc.delimiter == how.delimiter
    assert upload.qc.orientation.value == ("genes_in_rows" if how.in_rows else "genes_in_columns")
    np.testing.assert_allclose(
        expected[PANEL.symbol].to_numpy(), values.to_numpy(), atol=2e-6, rtol=1e-6
    )


@pytest.mark.parametrize("unit", ["counts", "tpm", "fpkm", "log2"])
def test_one_sample_alone_equals_it_among_others(tumours, unit: str) -> None:
    table = getattr(tumours, unit)
    together = read_expression(table.T.to_csv().encode())
    assert together.qc.unit.value == unit
    assert together.qc.n_samples == 3
    for sample in ("T1", "T3"):
        alone = read_expression(table.loc[[sample]].T.to_csv().encode())
        pd.testing.assert_frame_equal(
            alone.expression.values, together.expression.values.loc[[sample]], check_exact=True
        )


@pytest.mark.parametrize("unit", ["counts", "tpm"])
def test_gene_order_changes_not_one_bit(tumours, unit: str) -> None:
    table = getattr(tumours, unit).T
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        read_expression(shuffled.to_csv().encode()).expression.values,
        read_expression(table.to_csv().encode()).expression.values,
        check_exact=True,
    )


def test_tpm_and_its_log2_twin_agree(tumours) -> None:
    linear = read_expression(tumours.tpm.T.to_csv().encode())
    twin = read_expression(tumours.log2.to_csv().encode())
    assert (linear.qc.unit.value, twin.qc.unit.value) == ("tpm", "log2")
    pd.testing.assert_frame_equal(linear.expression.values, twin.expression.values, atol=1e-5)


def test_tpm_and_log2_twin_with_repeated_genes_agree(tumours) -> None:
    tpm = tumours.tpm.T
    repeated = pd.concat([tpm, tpm.iloc[:5] * 0.5])
    linear = read_expression(repeated.to_csv().encode()).expression.values
    twin = read_expression(np.log2(repeated + 1).to_csv().encode()).expression.values
    pd.testing.assert_frame_equal(linear, twin, atol=1e-5)
    gene = tpm.index[0]
    assert linear.loc["T1", gene] == pytest.approx(np.log2(1.5 * tpm.loc[gene, "T1"] + 1), abs=1e-5)


@pytest.mark.parametrize("unit", ["counts", "fpkm"])
def test_counts_and_fpkm_of_a_tumour_agree_with_its_tpm(tumours, unit: str) -> None:
    tpm = read_expression(tumours.tpm.T.to_csv().encode()).expression.values
    other = read_expression(getattr(tumours, unit).T.to_csv().encode()).expression.values
    assert (tpm - other).abs().median(axis=None) < 0.01


def test_an_overridden_unit_is_obeyed(tumours) -> None:
    content = tumours.tpm.T.to_csv().encode()
    upload = read_expression(content, overrides=UploadOverrides(unit="fpkm"))
    assert upload.qc.unit.overridden
    assert upload.qc.unit.value == "fpkm"
    assert "scaled" in upload.qc.conversion
