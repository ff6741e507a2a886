"""Networks: one file per architecture, one training loop, one pair of estimators.

A recipe and training rows go in, an ensemble of networks with its loss curves comes out.
Step in the line: as `smalldata.models`.
"""
