"""The page of a comparison: scores, verdict, consensus of the models, learning curves.

A Comparison with its records goes in, a ComparisonSummary and its sentences come out.
Step in the line: comparison -> **index.html**.
"""
