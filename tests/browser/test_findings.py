"""Findings in a real Chromium: from the volcano to a gene and on to survival, links, panel."""

from __future__ import annotations

import re

from playwright.sync_api import expect

# where a point of the chart lies in the window, and the gene it stands for
POINT = """
(chart) => {
  const layout = chart._fullLayout, box = chart.getBoundingClientRect();
  const trace = chart._fullData.find((one) => one.customdata && one.x.length > 1);
  const number = trace.x.map((x, i) => Math.abs(x)).reduce((best, x, i, all) =>
    x > all[best] ? i : best, 0);
  const gene = trace.customdata[number];
  return {
    gene: Array.isArray(gene) ? gene[0] : gene,
    x: box.left + layout.xaxis._offset + layout.xaxis.c2p(trace.x[number]),
    y: box.top + layout.yaxis._offset + layout.yaxis.c2p(trace.y[number]),
  };
}
"""


def test_volcano_to_gene_to_survival(visitor) -> None:
    visitor.open("/biomarkers?cohort=LUAD&study=Gefitinib")
    visitor.at("Biomarkers")
    chart = visitor.page.locator(".js-plotly-plot").first
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".points path").first).to_be_visible()
    point = chart.evaluate(POINT)
    visitor.page.mouse.click(point["x"], point["y"])
    heading = visitor.page.get_by_role("heading", name=re.compile(rf"^{point['gene']}$"))
    heading.wait_for()
    assert f"gene={point['gene']}" in visitor.page.url
    assert "of 5 models" in visitor.words()
    visitor.page.get_by_role("link", name=f"Survival by {point['gene']}").click()
    visitor.at("Survival")
    expect(visitor.box("Gene")).to_have_value(point["gene"])
    expect(visitor.box("Cohort")).to_have_value(re.compile("LUAD"))
    assert "log-rank test p" in visitor.words()


def test_the_paper_s_genes_have_their_own_view(visitor) -> None:
    visitor.open("/biomarkers?findings=panel")
    visitor.at("Biomarkers")
    words = visitor.words()
    for gene in ("TFF1", "OPALIN", "LTF", "IL2RA", "SLC17A7"):
        assert gene in words
    visitor.page.get_by_role("link", name="TFF1 in LUAD").click()
    visitor.at("Survival")
    expect(visitor.box("Gene")).to_have_value("TFF1")


def test_a_cohort_is_explained_in_a_worker_that_shows_its_progress(visitor) -> None:
    visitor.open("/")
    visitor.page.get_by_role("button", name="Load DEMO-1").click()
    visitor.at("Overview")
    visitor.follow("Why?")
    visitor.box("Model").click()
    visitor.page.get_by_role("option", name="Elastic net").click()
    visitor.settle()
    visitor.page.get_by_role("tab", name="Against the cohort").click()
    visitor.settle()
    visitor.page.get_by_role("radio", name=re.compile("synthetic")).click()
    visitor.settle()
    visitor.page.get_by_role("button", name="Explain every patient of the cohort").click()
    visitor.page.get_by_text(re.compile("Waits|Loading cohort|Explained")).first.wait_for()
    visitor.page.get_by_text("The cohort is synthetic").wait_for(timeout=90_000)
    visitor.settle()
    assert "Something went wrong" not in visitor.words()
