"""DepMap files, in the layout before and after release 25Q2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resvae_core.data.depmap import read_expression, read_models
from resvae_core.errors import ExpressionUnitsError, InputDataError

# synthetic values in the layout of the releases
TO_24Q4 = ",TSPAN6 (7105),CARS (833)\nACH-000001,4.5,2.25\nACH-000002,0,3\n"
FROM_25Q2 = (
    ",SequencingID,ModelID,IsDefaultEntryForModel,ModelConditionID,IsDefaultEntryForMC,"
    "TSPAN6 (7105),CARS (833)\n"
    "0,CDS-1,ACH-000001,Yes,MC-1,Yes,4.5,2.25\n"
    "1,CDS-2,ACH-000001,No,MC-2,Yes,9,9\n"
    "2,CDS-3,ACH-000002,Yes,MC-3,Yes,0,3\n"
)


@pytest.mark.parametrize("text", [TO_24Q4, FROM_25Q2], ids=["to 24Q4", "from 25Q2"])
def test_both_layouts_give_the_default_entry_of_each_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "OmicsExpression.csv"
    path.write_text(text)
    expression = read_expression(path)
    assert expression.samples == ["ACH-000001", "ACH-000002"]
    assert expression.genes == ["TSPAN6", "CARS1"]
    np.testing.assert_array_equal(expression.values, [[4.5, 2.25], [0, 3]])


def test_a_symbol_and_its_predecessor_are_summed_as_tpm(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",CARS (833),CARS1 (833),TP53 (7157)\nACH-000001,1,2,0.3\n")
    values = read_expression(path).values
    assert values.loc["ACH-000001", "CARS1"] == pytest.approx(np.log2(1 + 1 + 3))
    assert values.loc["ACH-000001", "TP53"] == np.float32(0.3)


def test_counts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",TSPAN6 (7105)\nACH-000001,1523\n")
    with pytest.raises(ExpressionUnitsError, match=r"value of 1523; log2\(TPM \+ 1\)"):
        read_expression(path)


def test_a_file_without_gene_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("ModelID,TSPAN6\nACH-000001,4\n")
    with pytest.raises(InputDataError, match=r"'TSPAN6 \(7105\)', found ModelID, TSPAN6"):
        read_expression(path)


def test_a_row_that_names_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",TSPAN6 (7105)\nA549,4\n")
    with pytest.raises(InputDataError, match=r"names a line 'A549'.*ACH-000001"):
        read_expression(path)


def test_models_without_a_cosmic_id_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "Model.csv"
    path.write_text(
        "ModelID,PatientID,CellLineName,StrippedCellLineName,COSMICID,OncotreeLineage\n"
        "ACH-000001,PT-1,NIH:OVCAR-3,NIHOVCAR3,905933.0,Ovary/Fallopian Tube\n"
        "ACH-001794,PT-2,UT-7,UT7,,Myeloid\n"
    )
    models = read_models(path)
    assert models.index.to_list() == ["ACH-000001"]
    assert models.loc["ACH-000001", "cosmic_id"] == 905933
    assert models.loc["ACH-000001", "lineage"] == "ovary/fallopian tube"


def test_a_model_table_without_cosmic_ids_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Model.csv"
    path.write_text("ModelID,CellLineName,OncotreeLineage\nACH-000001,A,Lung\n")
    with pytest.raises(InputDataError, match=r"Model\.csv lacks the column COSMICID"):
        read_models(path)
