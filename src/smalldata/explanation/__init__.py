"""Explanation: Shapley values of held-out rows, and evidence of how far to trust them.

A RunRecord and its Task go in, an Explanation comes out; each fold is refitted and checked first.
Step in the line: record -> **explanation** -> comparison and report.
"""
