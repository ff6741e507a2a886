"""Evaluation: what a cell is, and the outer loop over its folds.

A Task, a Learner and Splits go in, FoldResults stream out; nothing here touches a disk.
Step in the line: pipeline -> **fold results** -> record.
"""
