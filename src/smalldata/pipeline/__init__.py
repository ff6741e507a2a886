"""The pipeline of one fit: impute, scale, encode, rank and select, then the estimator.

Takes rows, a Learner and a Preprocessing, gives a fitted pipeline and its predictions.
Step in the line: splits + learner -> **fitted pipeline** -> fold results.
"""
