"""The sections of a cell's page: each has its numbers, its words and its template here.

Records and explanations go in; summaries (frozen dataclasses) and sentences for `report.render`
come out.
Step in the line: record -> **section** -> page.
"""
