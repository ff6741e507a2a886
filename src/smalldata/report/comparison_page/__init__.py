"""The page of a comparison: scores, verdict, consensus of the models, learning curves.

A Comparison with its records goes in, plain dicts and sentences come out.
Step in the line: comparison -> **index.html**.
"""
