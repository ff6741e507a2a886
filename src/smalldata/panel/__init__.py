"""Panels: how many features, and which, chosen inside each training fold and on all rows.

Training rows and a Learner go in, the preprocessing of that fold comes out; all rows give a Panel.
Step in the line: training fold -> **selected features** -> pipeline.
"""
