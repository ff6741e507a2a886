"""Resampling: which rows train and which rows test, in every repeat and fold.

A Task and the name of a strategy go in, Splits come out.
Step in the line: task -> **splits** -> evaluation.
"""
