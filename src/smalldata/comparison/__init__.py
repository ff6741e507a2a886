"""Comparison: the table of several cells, its intervals, tests, sweeps and learning curves.

RunRecords on the same splits go in, a Comparison comes out.
Step in the line: records -> **comparison** -> report.
"""
