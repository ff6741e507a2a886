"""Reports: one HTML page per cell, one per comparison, and the table on the screen.

Last step in the line: records, comparison, explanation -> **what people read**. Nothing here writes
a file.
"""

from smalldata.report.learning import say_learning
from smalldata.report.render import Page, index_html, index_page, report_html, report_page
from smalldata.report.screen import print_comparison
from smalldata.report.static import check_formats, draw_figures, require_drawing

__all__ = [
    "Page",
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
