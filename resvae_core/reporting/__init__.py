"""Reports that leave the dashboard: one `Report`, written as PDF, HTML, tables and JSON.

`build_report` gathers and rounds everything once; writers only lay out what it holds, so that the
four files cannot differ in a number. `methods_text` and `survival_methods` tell how it was made.
"""

from resvae_core.reporting.build import Installed, Words, build_report
from resvae_core.reporting.bundle import write_bundle
from resvae_core.reporting.document import write_json
from resvae_core.reporting.html import write_html
from resvae_core.reporting.methods import methods_text
from resvae_core.reporting.pdf import write_pdf
from resvae_core.reporting.report import SECTIONS, Report, TypeCheck
from resvae_core.reporting.survival_methods import SurvivalResults, survival_methods

__all__ = [
    "SECTIONS",
    "Installed",
    "Report",
    "SurvivalResults",
    "TypeCheck",
    "Words",
    "build_report",
    "methods_text",
    "survival_methods",
    "write_bundle",
    "write_html",
    "write_json",
    "write_pdf",
]
