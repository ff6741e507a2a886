"""Reports: one HTML page per cell, one per comparison, and the table on the screen.

Last step in the line: records, comparison, explanation -> **what people read**. Nothing here writes
a file.
"""

from smalldata.report.render import index_html, report_html
from smalldata.report.screen import print_comparison

__all__ = ["index_html", "print_comparison", "report_html"]
