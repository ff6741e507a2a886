"""The pipeline of one fit: imputing, scaling, encoding, ranking and selecting, then the estimator.

Rows, a Learner and a Preprocessing go in, a fitted pipeline and its predictions come out.
Step in the line: splits + learner -> **fitted pipeline** -> fold results.
"""
