"""Explanation: Shapley values of held-out rows, and what says how far they can be trusted.

A RunRecord and its Task go in, an Explanation comes out; each fold is refitted and checked first.
Step in the line: record -> **explanation** -> comparison and report.
"""
