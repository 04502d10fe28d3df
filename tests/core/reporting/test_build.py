from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import replace

import pytest
from pypdf import PdfReader

from resvae_core.errors import ConfigError
from resvae_core.reporting import (
    Report,
    TypeCheck,
    write_bundle,
    write_html,
    write_json,
    write_pdf,
)
from resvae_core.reporting.build import one_line
from resvae_core.reporting.report import SECTIONS
from tests.core.reporting.conftest import FILE_DIGEST, SAMPLE, MakeReport


def test_a_report_holds_what_was_handed_in(report: Report) -> None:
    assert (report.sample, report.drug, report.model) == (SAMPLE, "Cisplatin", "ensemble")
    assert report.cancer_name == "Lung adenocarcinoma"
    assert report.sections == tuple(SECTIONS)
    assert report.provenance.file_digest == FILE_DIGEST
    assert [row.role for row in report.models] == ["ensemble", *["five"] * 5, "simple"]
    assert report.place is not None
    assert (report.place.percentile, report.place.n_patients) == (71.2, 513)


def test_ranking_is_most_sensitive_first_and_complete(report: Report) -> None:
    probabilities = [row.probability for row in report.drugs]
    assert probabilities == sorted(probabilities)
    assert len(report.drugs) == report.provenance.n_drugs


def test_the_call_is_the_chosen_model_s_row_of_the_ranking(report: Report) -> None:
    assert report.call is not None
    own = next(row for row in report.drugs if row.drug == report.drug)
    said = report.call
    assert (said.call, said.probability, said.lower, said.upper, said.floor) == (
        own.call,
        own.probability,
        own.lower,
        own.upper,
        own.floor,
    )


def test_genes_come_by_size_and_shared_ones_by_models(report: Report) -> None:
    sizes = [abs(row.attribution) for row in report.genes]
    assert sizes == sorted(sizes, reverse=True)
    counts = [row.n_models for row in report.shared]
    assert counts == sorted(counts, reverse=True)
    assert min(counts) >= 3


def test_genes_that_the_file_lacks_are_named(make_report: MakeReport) -> None:
    assert len(make_report(n_missing=60).verdict.missing) == 60


def test_nothing_is_made_up_where_nothing_was_explained(make_report: MakeReport) -> None:
    report = make_report(explained=False)
    assert (report.genes, report.shared, report.pathways) == ((), (), ())
    assert report.genes_base == report.pathway_source == ""


def test_without_a_cancer_type_no_drug_is_a_first_treatment(make_report: MakeReport) -> None:
    report = make_report(cancer_type=None)
    assert report.first_line == ()
    assert report.place is None


def test_every_number_is_finite_or_none(refused: Report) -> None:
    assert refused.verdict.distance is None
    assert refused.verdict.residual is not None
    assert math.isfinite(refused.verdict.residual)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\nb", "a b"), ("\tx\x00y ", "x y"), ("a\u202eb", "a b"), ("α  ≥ 3", "α ≥ 3")],
)
def test_a_name_stays_on_one_line(name: str, shown: str) -> None:
    assert one_line(name) == shown


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sections": ["genes", "price"]}, r"no section 'price'\. Use some of: models, first_line"),
        ({"date": "21.11.2026"}, r"'21\.11\.2026' is no date of a report\. Give it as YYYY-MM-DD"),
        ({"model": "crystal_ball"}, r"no card of 'crystal_ball'\. Use one of: "),
    ],
)
def test_what_is_not_known_is_refused(
    make_report: MakeReport, changes: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        make_report(**changes)


def test_an_unexplained_model_is_refused(make_report: MakeReport) -> None:
    with pytest.raises(ConfigError, match=r"'ensemble' was not explained\. Explain it, or leave"):
        make_report(attributions={})


CONTRADICTED = TypeCheck("GBM", "Glioblastoma multiforme", True, "Expression resembles a glioma")


def test_contradicted_type_leads_the_range_box_and_holds_back_what_rests_on_it(
    make_report: MakeReport,
) -> None:
    report = make_report(type_check=CONTRADICTED)
    assert report.place is None
    assert report.first_line == ()
    assert {row.first_line for row in report.drugs} == {None}
    page, text = write_html(report), PdfReader(io.BytesIO(write_pdf(report))).pages[0]
    for shown, verdict in ((page, "✓ In range"), (text.extract_text(), "In range.")):
        assert shown.index("Expression resembles a glioma.") < shown.index(verdict)
        assert "Held back: the expression contradicts" in shown.replace("\n", " ")
    assert json.loads(write_json(report))["type_check"]["held_back"] is True
    with zipfile.ZipFile(io.BytesIO(write_bundle(report))) as archive:
        assert "Expression resembles a glioma." in archive.read("README.txt").decode()
        assert "# Expression resembles a glioma." in archive.read("drugs.csv").decode()


def test_settled_type_holds_nothing_back(make_report: MakeReport) -> None:
    report = make_report(type_check=replace(CONTRADICTED, held_back=False))
    assert (report.place, report.first_line) == (make_report().place, make_report().first_line)


@pytest.mark.parametrize(("n_zero", "said"), [(None, False), (60, False), (346, True)])
def test_many_zeros_are_told_beside_the_genes_measured(
    make_report: MakeReport, n_zero: int | None, said: bool
) -> None:
    report = make_report(verdict="out of range", n_zero=n_zero)
    assert report.verdict.n_zero == n_zero
    assert ("lost rather than silent" in write_html(report)) == said
    assert ("must be empty, not 0" in write_html(report)) == said
