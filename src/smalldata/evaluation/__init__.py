"""Evaluation: the Cell, and the outer loop over its folds.

A Cell (Task, Learner, Splits, settings) goes in, FoldResults stream out; nothing touches the disk.
Step in the line: pipeline -> **fold results** -> record.
"""
