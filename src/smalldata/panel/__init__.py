"""Panels: how many features to keep and which, chosen in each training fold and on all rows.

TrainingRows and a Learner go in, Selected comes out: preprocessing and ranking; all rows give a
Panel.
Step in the line: training fold -> **selected features** -> pipeline.
"""
