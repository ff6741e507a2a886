"""Comparison: the table of several cells, with intervals, tests, sweeps and learning curves.

Takes RunRecords on the same splits, gives a Comparison.
Step in the line: records -> **comparison** -> report.
"""
