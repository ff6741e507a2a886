"""Reports: one HTML page per cell, one per comparison, and the table on the screen.

Last step in the line: records, comparison, explanation -> **what people read**. Nothing here writes
a file.
"""

from smalldata.report.comparison_page.learning_curves import say_learning
from smalldata.report.figures.files import check_formats, draw_figures, require_drawing
from smalldata.report.inputs import ReportInputs
from smalldata.report.render import Page, index_html, index_page, report_html, report_page
from smalldata.report.screen import print_comparison

__all__ = [
    "Page",
    "ReportInputs",
    "check_formats",
    "draw_figures",
    "index_html",
    "index_page",
    "print_comparison",
    "report_html",
    "report_page",
    "require_drawing",
    "say_learning",
]
