"""Tuning inside one training fold: search space, sampler, inner folds, pruning, choice.

A Learner and the training rows of an outer fold go in, the Learner with its values comes out.
Step in the line: training fold -> **tuned learner** -> pipeline.
"""
