"""Resampling: which rows train and which test, in every repeat and fold.

Takes a Task and the name of a strategy, gives Splits.
Step in the line: task -> **splits** -> evaluation.
"""
